# SPDX-License-Identifier: MPL-2.0
"""Other people's detectors on the frames that the meter was given, and the meter's own alarms, in one table.

    peers.py river CSVS OUT     ADWIN, KSWIN, Page-Hinkley on mean luma (0..255), at their defaults
    peers.py alibi CSVS OUT     KSDrift on windows of 100 frames of seven features, p < 0.05 after Bonferroni
    peers.py table OUT…         the table

CSVS is the folder that the bench `series` wrote with --csv: NAME.csv of a series in which nothing changes, and
NAME--CHANGE.csv of one that changes. Alarms count from the frame on at which the meter had learnt. Detectors on luma see
all frames from the first on; KSDrift compares with the frames that the meter learnt from.
"""

import csv
import json
import statistics
import sys
from pathlib import Path

WINDOW = 100
FEATURES = ["luma", "contrast", "sharpness", "noise", "red", "green", "blue"]
LEARNS = ("learning", "provisional")


class Series:
    """The rows of one file, and where learning ends and the change begins."""

    def __init__(self, path):
        with open(path, newline="") as file:
            self.rows = list(csv.DictReader(file))
        self.name, _, self.change = path.stem.partition("--")
        count = len(self.rows)
        self.learnt = next((i for i, row in enumerate(self.rows) if row["state"] not in LEARNS), count)
        self.changed = next((i for i, row in enumerate(self.rows) if row["changed"] == "1"), count)

    def numbers(self, name):
        return [float(row[name]) if row.get(name) else None for row in self.rows]


def meter(series):
    states = [row["state"] for row in series.rows]
    return [i for i, (a, b) in enumerate(zip([""] + states, states)) if b == "drift" and a != "drift"]


def of_luma(detector):
    def alarms(series):
        one = detector()
        found = []
        for i, luma in enumerate(series.numbers("luma")):
            one.update(255 * luma)
            if one.drift_detected:
                found.append(i)
        return found

    return alarms


def ks_drift(series):
    import numpy
    from alibi_detect.cd import KSDrift

    columns = [series.numbers(name) for name in FEATURES]
    columns = [c for c in columns if all(v is not None for v in c)]
    if not columns or series.learnt < WINDOW or series.learnt == len(series.rows):
        return []
    data = numpy.array(columns, dtype=numpy.float32).T
    detector = KSDrift(data[: series.learnt], p_val=0.05)
    # A window lies on one side of the change.
    begins = list(range(series.learnt, series.changed - WINDOW + 1, WINDOW))
    begins += list(range(series.changed, len(data) - WINDOW + 1, WINDOW))
    windows = [(at, detector.predict(data[at : at + WINDOW])) for at in begins]
    return [at + WINDOW - 1 for at, p in windows if p["data"]["is_drift"]]


def detectors(group):
    if group == "river":
        from river import drift

        return {
            "the meter": meter,
            "ADWIN": of_luma(drift.ADWIN),
            "KSWIN": of_luma(lambda: drift.KSWIN(seed=1)),
            "Page-Hinkley": of_luma(drift.PageHinkley),
        }
    return {"KSDrift": ks_drift}


def measure(group, folder, out):
    all = detectors(group)
    results = []
    for path in sorted(Path(folder).glob("*.csv")):
        series = Series(path)
        for name, alarms in all.items():
            found = alarms(series)
            results.append(
                {
                    "detector": name,
                    "series": series.name,
                    "change": series.change,
                    "watched": min(series.changed, len(series.rows)) - series.learnt,
                    "before": sum(series.learnt <= i < series.changed for i in found),
                    "delay": next((i - series.changed + 1 for i in found if i >= series.changed), None),
                    "tried": series.changed < len(series.rows),
                }
            )
    Path(out).write_text(json.dumps(results))


def table(outs):
    results = [row for out in outs for row in json.loads(Path(out).read_text())]
    print("| detector | false alarms | in frames | series silent | changes found | median delay | 90 % |")
    print("|---|---|---|---|---|---|---|")
    for name in dict.fromkeys(row["detector"] for row in results):
        mine = [row for row in results if row["detector"] == name]
        quiet = [row for row in mine if not row["change"] and row["watched"] > 0]
        # What was off before the change is not found by an alarm after it.
        tried = [row for row in mine if row["tried"] and not row["before"]]
        delays = sorted(row["delay"] for row in tried if row["delay"])
        median = f"{statistics.median(delays):.0f}" if delays else "-"
        most = delays[int(0.9 * (len(delays) - 1))] if delays else "-"
        print(
            f"| {name} | {sum(row['before'] for row in quiet)} | {sum(row['watched'] for row in quiet)} "
            f"| {sum(not row['before'] for row in quiet)} of {len(quiet)} "
            f"| {len(delays)} of {len(tried)}, of {sum(row['tried'] for row in mine)} tried | {median} | {most} |"
        )


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    if sys.argv[1] == "table":
        table(sys.argv[2:])
    else:
        measure(*sys.argv[1:4])
