# SPDX-License-Identifier: MPL-2.0
"""Gives a bundle its golden samples: drawn boards that show every kind of defect it knows, and good ones.

    andon boards BOARDS --count 200 --seed 77 [--kinds open,short,mousebite,spur]
    python3 golden.py BUNDLE BOARDS
    andon model digest BUNDLE

Of the boards those are taken that the model is sure of, so that a sample fails for a model that has changed and not for
a rounding. A model that compares gets the template that another part of the same product left, and it is kept beside
the samples as `golden/SKU/0.png`. Grey levels are thinned out to make small files. Needs numpy, pillow and onnxruntime.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

MARGIN = 0.12
"""By how much a defect's score lies above the threshold, and a good board's below it."""
LEVELS = 12
GOOD = 2
"""Good boards that are kept."""


def main():
    bundle, boards = map(Path, sys.argv[1:3])
    manifest = json.loads((bundle / "model.json").read_text())
    labels, threshold = manifest["outputs"][0]["labels"], manifest["thresholds"]["score"]
    names = [i["name"] for i in manifest["inputs"]]
    sure, quiet = threshold + MARGIN, threshold - MARGIN
    session = onnxruntime.InferenceSession(bundle / manifest["model"], providers=["CPUExecutionProvider"])

    def thinned(path):
        grey = np.asarray(Image.open(path).convert("L"), np.float32)
        return (np.round(grey / 255 * (LEVELS - 1)) * (255 / (LEVELS - 1))).astype(np.uint8)

    twins = sorted((boards / "images").glob("*_temp.png"))
    templates = {twin.stem[:5]: twin for twin in reversed(twins)}

    def scores(board, path):
        """The best score of each label."""
        planes = [board] if len(names) == 1 else [board, thinned(templates[path.stem[:5]])]
        (out,) = session.run(None, {n: p[None, None].astype(np.float32) / 255 for n, p in zip(names, planes)})
        return out[0, 4:].max(axis=1)

    missing, good, golden = set(labels), GOOD, []
    folder = bundle / "golden"
    folder.mkdir(exist_ok=True)
    for old in folder.rglob("*.png"):
        old.unlink()

    def keep(board, verdict, found, path):
        name = f"golden/{'-'.join(found) or 'good'}-{path.stem.split('_')[0]}.png"
        Image.fromarray(board).save(bundle / name, optimize=True)
        sample = {"image": name, "verdict": verdict} | ({"labels": found} if found else {})
        if len(names) > 1:
            sku = path.stem[:5]
            (folder / sku).mkdir(exist_ok=True)
            Image.fromarray(thinned(templates[sku])).save(folder / sku / "0.png", optimize=True)
            sample["part"] = {"sku": sku, "view": 0}
        golden.append(sample)

    for path in sorted((boards / "images").glob("*_test.png")):
        truth = (boards / "labels" / f"{path.stem.removesuffix('_test')}.txt").read_text().split("\n")
        kinds = {labels[int(line.split()[-1]) - 1] for line in truth if line.strip()}
        board = thinned(path)
        if templates[path.stem[:5]].stem[:8] == path.stem[:8]:
            continue
        best = dict(zip(labels, scores(board, path)))
        if kinds & missing and all(best[k] >= sure for k in kinds) and all(best[k] <= quiet for k in set(labels) - kinds):
            missing -= kinds
            keep(board, "ng", sorted(kinds, key=labels.index), path)
        twin = path.with_name(path.name.replace("_test", "_temp"))
        if good and twin.exists() and scores(clean := thinned(twin), path).max() <= quiet:
            good -= 1
            keep(clean, "ok", [], twin)
    if missing or good:
        sys.exit(f"{bundle}: no board shows {', '.join(sorted(missing)) or 'nothing'} clearly enough: draw more")
    manifest["golden"] = golden
    (bundle / "model.json").write_text(json.dumps(manifest, indent=2) + "\n")


main()
