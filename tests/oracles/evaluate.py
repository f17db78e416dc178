# SPDX-License-Identifier: MPL-2.0
"""Holds the figures of `andon evaluate` against pycocotools (average precision) on the very same detections.

    python3 -m venv VENV && . VENV/bin/activate
    pip install pycocotools
    andon evaluate BUNDLE --data DIR --coco FOLDER --json > report.json
    python3 tests/oracles/evaluate.py FOLDER report.json
"""

import contextlib
import io
import json
import sys
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

LEAST = 1e-6


def average_precisions(truth, detections):
    """(overlaps, AP by overlap and category, names): overlaps are 0.33 and COCO's ten."""
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(truth))
        run = COCOeval(coco, coco.loadRes(str(detections)), "bbox")
        run.params.iouThrs = np.concatenate([[0.33], np.linspace(0.5, 0.95, 10)])
        run.evaluate()
        run.accumulate()
    # Overlaps, recalls, categories; all areas, at most 100 detections.
    precision = run.eval["precision"][:, :, :, 0, -1]
    return precision.mean(axis=1), [c["name"] for c in coco.loadCats(run.params.catIds)]


def main():
    folder, report = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    worst = 0.0
    for model, name in zip(report["models"], ["detections-a.json", "detections-b.json"]):
        ap, labels = average_precisions(folder / "truth.json", folder / name)
        known = [i for i, label in enumerate(labels) if label in model["labels"]]
        for figure, rows in [("0.33", ap[:1]), ("0.5", ap[1:2]), ("0.5:0.95", ap[1:])]:
            ours = [model["figures"][f"ap_{figure}/{labels[i]}"]["value"] for i in known]
            theirs = [float(rows[:, i].mean()) for i in known]
            ours.append(model["figures"][f"map_{figure}"]["value"])
            theirs.append(float(np.mean(theirs)))
            off = max(abs(a - b) for a, b in zip(ours, theirs))
            worst = max(worst, off)
            print(f"{model['name']} {model['version']}: AP {figure:8} {ours[-1]:.8f} pycocotools {theirs[-1]:.8f} off by at most {off:.1e}")
    if worst > LEAST:
        sys.exit(f"off by {worst:.1e}, which is more than {LEAST}")


main()
