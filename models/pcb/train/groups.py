# SPDX-License-Identifier: MPL-2.0
"""Leaves one board group out after the other: how good a model of the same kind is on boards of a look never seen.

    python3 groups.py --out FOLDER [--seeds 1 2 3] [--minutes 6] -- OPTIONS OF train.py

Each training goes into FOLDER/GROUP-SEED; one that is there already is only read, so that the run can be taken up again.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

GROUPS = ["00041", "13000", "20085", "44000", "50600", "77000", "92000"]


def held_out(folder):
    """The last measurement of a training on the groups left out, or None where it did not come to its end."""
    log = folder / "log.jsonl"
    rows = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    return rows[-1].get("held_out") if rows else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--groups", nargs="*", default=GROUPS)
    parser.add_argument("--seeds", nargs="*", type=int, default=[1])
    parser.add_argument("--minutes", default="6")
    parser.add_argument("options", nargs="*", help="after --: options of train.py")
    args = parser.parse_args()

    table = {}
    print("| group | boards | seed | mAP | F1 at 0.5 |\n|---|---|---|---|---|", flush=True)
    for seed in args.seeds:
        for group in args.groups:
            folder = args.out / f"{group}-{seed}"
            if held_out(folder) is None:
                own = ["--held-out", group, "--seed", str(seed), "--minutes", args.minutes, "--out", str(folder)]
                program = [sys.executable, str(Path(__file__).with_name("train.py")), *args.options, *own]
                subprocess.run(program, check=True, stdout=subprocess.DEVNULL)
            found = held_out(folder)
            table.setdefault(group, []).append(found["map"])
            f1 = found["at_threshold"]["f1"]
            print(f"| {group} | {found['images']} | {seed} | {found['map']:.4f} | {f1:.4f} |", flush=True)
    means = np.array([np.mean(values) for values in table.values()])
    rng = np.random.default_rng(0)
    draws = means[rng.integers(len(means), size=(10000, len(means)))].mean(1)
    low, high = np.percentile(draws, [2.5, 97.5])
    print(f"\nMean of the groups {means.mean():.4f}, 95 % interval of drawing groups {low:.4f} to {high:.4f}.")


if __name__ == "__main__":
    main()
