# SPDX-License-Identifier: MPL-2.0
"""Runs every model on every picture, prints the tables, and fails where an answer is neither right nor refused."""

import argparse
import json
import sys
import traceback
from importlib.util import find_spec
from pathlib import Path

import cv2

from compare import Answer, Difference
from feeding import difference
from line import Refused, bundle, play

# A difference of a box, in pixels of the picture, that no rounding explains.
BOX = 2.0


def pictures(folder, data):
    """Lossless pictures, none of a model's shape: {kind: [path]}. JPEGs are decoded once, here, for both sides."""
    folder.mkdir(parents=True, exist_ok=True)
    assets = Path(find_spec("ultralytics").submodule_search_locations[0], "assets")
    found = {name: cv2.imread(str(assets / f"{name}.jpg")) for name in ("bus", "zidane")}
    film = cv2.VideoCapture(str(data / "video" / "bottle-detection.mp4"))
    found["bottles"] = film.read()[1]
    board = sorted((data / "deeppcb" / "images").glob("*_test.*"))[0]
    found["board"] = cv2.imread(str(board))[:400]
    kinds = {"all": [], "wide": [], "square": []}
    for name, picture in found.items():
        h, w = picture.shape[:2]
        side = min(h, w)
        for kind, part in (
            ("all", picture),
            # Three and a half times as wide as high, as exactly as pixels can be.
            ("wide", picture[: w // 7 * 2, : w // 7 * 7]),
            ("square", picture[(h - side) // 2 :, (w - side) // 2 :][:side, :side]),
        ):
            path = folder / f"{name}-{kind}.png"
            cv2.imwrite(str(path), part)
            kinds[kind].append(path)
    # Parts of the same pictures, whose sides stay whole when they are scaled to 320: as they are, with people large
    # enough for a small model; then as large as models of random weights are (to pad, and not to resize), as small
    # squares and as large ones. Such weights make much of the rounding of a pixel (packages round after they resize,
    # modelinfer does not), so that nothing else could be compared.
    kinds |= {"people": [], "fit": [], "small": [], "even": []}
    for name, x, y, w, h in (
        ("bus", 0, 216, 405, 540),
        ("bus", 0, 480, 405, 540),
        ("bus", 405, 216, 405, 540),
        ("zidane", 640, 0, 540, 720),
        ("zidane", 640, 72, 640, 480),
        ("zidane", 0, 0, 1280, 720),
    ):
        part = found[name][y : y + h, x : x + w]
        scale = 320 / max(w, h)
        for kind, size in (
            ("people", (w, h)),
            ("fit", (round(w * scale), round(h * scale))),
            ("small", (224, 224)),
            ("even", (320, 320)),
        ):
            path = folder / f"{kind}-{len(kinds[kind])}.png"
            cv2.imwrite(str(path), cv2.resize(part, size, interpolation=cv2.INTER_AREA))
            kinds[kind].append(path)
    return kinds


def compare(model, paths, work):
    """The differences of a model over the pictures."""
    model.prepare(work)
    folder = bundle(
        model.path, work / model.name.replace(" ", "-"), model.labels, model.good, model.changes, model.decoder
    )
    difference = Difference()
    for path in paths:
        result = play(folder, path, work)
        difference.add(Answer.of(result), model.predict(path), result["frame"])
    least = json.loads((folder / "model.json").read_text())["thresholds"]["score"]
    # A find that one side alone has may be one whose score lies on both sides of the threshold.
    difference.only = [f for f in difference.only if f[2] > least + model.tolerance]
    return difference


def refusals(model, picture, work):
    """What is said of a model that no decoder reads: of the bare file, of it with labels, and where a label is good."""
    model.prepare(work)
    said = []
    for labels, good in ((), ()), (("a", "b"), ()), (("a", "b"), ("a",)):
        try:
            folder = bundle(model.path, work / model.name.replace(" ", "-"), labels, good)
            said.append(f"READ: {play(folder, picture, work)['verdict']}")
        except Refused as e:
            if str(e) not in said:
                said.append(str(e))
    return said


def row(model, difference):
    d = difference
    wrong = d.label or d.only or d.score > model.tolerance or d.box > BOX
    only = " ".join(
        f"{side} {label} {score:.3f} at {[round(v, 1) for v in box]};" for side, label, score, *box in d.only[:5]
    )
    box = f"{d.box:.2f}" if d.box else ""
    return wrong, (
        f"| {model.name} | {model.release} | {model.what} | {d.pictures} | {d.ours}/{d.theirs} | {d.label} "
        f"| {d.score:.4f} | {box} | {'DIFFERS: ' + only if wrong else 'right'} | {model.why} |"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", choices=["shipped", "exported"])
    parser.add_argument("work", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("only", nargs="*", help="names of models")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    models = __import__(args.suite).MODELS
    models = [m for m in models if not args.only or m.name in args.only]
    kinds = pictures(args.work / "pictures", args.data)
    failed = 0
    print("| model | package | what | pictures | ours/theirs | labels differ | score | box, px | | why |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for model in (m for m in models if not m.refused):
        try:
            wrong, text = row(model, compare(model, kinds[model.pictures], args.work))
        except Exception as e:
            if not isinstance(e, Refused):
                traceback.print_exc()
            wrong, text = True, f"| {model.name} | {model.release} | {model.what} | {type(e).__name__}: {e} |"
        failed += bool(wrong)
        print(text, flush=True)
    print("\n| to be refused | what | said |\n|---|---|---|")
    for model in (m for m in models if m.refused):
        said = refusals(model, kinds["all"][0], args.work)
        failed += any(s.startswith("READ") for s in said)
        print(f"| {model.name} ({model.release}) | {model.what} | {'<br>'.join(said)} |", flush=True)
    feeds = [f for f in __import__(args.suite).FEEDS if not args.only or f.name in args.only]
    print("\n| preparation | largest, 255ths | mean, 255ths | | why |\n|---|---|---|---|---|")
    for feed in feeds:
        try:
            most, mean = difference(feed, kinds["all"], args.work)
            # Where the package resizes otherwise, edges differ; all the rest does not.
            wrong, text = mean > 2 if feed.why else most > 1, f"{most:.2f} | {mean:.3f}"
        except Refused as e:
            wrong, text = True, f"{e} | "
        failed += wrong
        print(f"| {feed.name} | {text} | {'DIFFERS' if wrong else 'right'} | {feed.why} |", flush=True)
    models += feeds
    print(f"\n{len(models) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
