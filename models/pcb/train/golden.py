# SPDX-License-Identifier: MPL-2.0
"""Gives a bundle its golden samples: drawn boards that show every kind of defect it knows, and good ones.

    andon boards BOARDS --count 200 --seed 77 [--kinds open,short,mousebite,spur]
    python3 golden.py BUNDLE BOARDS
    andon model digest BUNDLE

Of the boards those are taken that the model is sure of, so that a sample fails for a model that has changed and not for
a rounding. Grey levels are thinned out to make small files. Needs numpy, pillow and onnxruntime.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

SURE, QUIET = 0.65, 0.35
"""A defect's score at least, and a good board's at most; between them the threshold of 0.5."""
LEVELS = 12
GOOD = 2
"""Good boards that are kept."""


def main():
    bundle, boards = map(Path, sys.argv[1:3])
    manifest = json.loads((bundle / "model.json").read_text())
    labels = manifest["outputs"][0]["labels"]
    session = onnxruntime.InferenceSession(bundle / manifest["model"], providers=["CPUExecutionProvider"])

    def thinned(path):
        grey = np.asarray(Image.open(path).convert("L"), np.float32)
        return (np.round(grey / 255 * (LEVELS - 1)) * (255 / (LEVELS - 1))).astype(np.uint8)

    def scores(board):
        """The best score of each label."""
        (out,) = session.run(None, {manifest["inputs"][0]["name"]: board[None, None].astype(np.float32) / 255})
        return out[0, 4:].max(axis=1)

    missing, good, golden = set(labels), GOOD, []
    folder = bundle / "golden"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()

    def keep(board, verdict, found, path):
        name = f"golden/{'-'.join(found) or 'good'}-{path.stem.split('_')[0]}.png"
        Image.fromarray(board).save(bundle / name, optimize=True)
        golden.append({"image": name, "verdict": verdict} | ({"labels": found} if found else {}))

    for path in sorted((boards / "images").glob("*_test.png")):
        truth = (boards / "labels" / f"{path.stem.removesuffix('_test')}.txt").read_text().split("\n")
        kinds = {labels[int(line.split()[-1]) - 1] for line in truth if line.strip()}
        board = thinned(path)
        best = dict(zip(labels, scores(board)))
        if kinds & missing and all(best[k] >= SURE for k in kinds) and all(best[k] <= QUIET for k in set(labels) - kinds):
            missing -= kinds
            keep(board, "ng", sorted(kinds, key=labels.index), path)
        twin = path.with_name(path.name.replace("_test", "_temp"))
        if good and twin.exists() and scores(clean := thinned(twin)).max() <= QUIET:
            good -= 1
            keep(clean, "ok", [], twin)
    if missing or good:
        sys.exit(f"{bundle}: no board shows {', '.join(sorted(missing)) or 'nothing'} clearly enough: draw more")
    manifest["golden"] = golden
    (bundle / "model.json").write_text(json.dumps(manifest, indent=2) + "\n")


main()
