# SPDX-License-Identifier: MPL-2.0
"""Measures an exported model and writes what belongs to it: the manifest model.json and the model card."""

import datetime
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

import evaluate
from data import SPLIT, load_folder, split_boards

SIZE = 640
INPUTS = ["images", "template"]
LEAST_SCORE = 0.3
"""No threshold is shipped below this."""
SLACK = 0.002
"""Scores whose F1 is this close to the best are as good; the threshold is the middle of them."""


def add_arguments(parser):
    """The options of every program that writes a bundle."""
    parser.add_argument("--version", required=True, help="the bundle's version")
    parser.add_argument("--out", type=Path, required=True, help="the bundle's folder")
    parser.add_argument("--data", default="../shared/data/deeppcb", help="the DeepPCB folder")
    parser.add_argument("--boards", help="a folder of synthetic boards that training did not see")
    parser.add_argument("--note", action="append", default=[], help="a paragraph more for the card; may be repeated")
    parser.add_argument("--training", default="", help="a clause more on how it was trained")


def threshold(predict, boards, classes):
    """The score to ship, and the best F1, from boards that no figure is reported on."""
    found = evaluate.detections(predict, boards)
    truth = [(b.boxes, b.classes) for b in boards]
    matched = [evaluate.match(found, truth, kind) for kind in range(classes)]
    scores, once = np.arange(0.05, 0.96, 0.01), np.ones(len(boards))
    f1 = np.array([evaluate.f1_at(matched, s, once)["f1"] for s in scores])
    good = np.flatnonzero(f1 >= f1.max() - SLACK)
    return max(round(float(scores[good].mean()), 2), LEAST_SCORE), float(f1.max())


def bright_copper(board):
    """A binarised board as a camera sees bright copper on a grey ground."""
    table = np.round(60 + 120 * (255 - np.arange(256)) / 255).astype(np.uint8)
    return replace(board, image=table[board.image], template=table[board.template])


def shifted(board, by):
    """The board with its template `by` pixels off to the right and down."""
    template = np.pad(board.template, ((by, 0), (by, 0)), mode="edge")[:-by, :-by]
    return replace(board, template=template, clean=evaluate.repaired(board), aligned=False)


def of_another_part(boards):
    """Boards with the template that the next part of the same product left: as on a line."""
    products = {}
    for board in boards:
        products.setdefault(board.id[:5], []).append(board)
    turned = {b.id: rest[0].template for p in products.values() for b, rest in zip(p, [p[i:] for i in range(1, len(p))])}
    turned |= {p[-1].id: p[0].template for p in products.values()}
    return [replace(b, template=turned[b.id], clean=b.template, aligned=False) for b in boards]


def rounded(value):
    """Floats to four digits, all the way down."""
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return round(value, 4) if isinstance(value, float) else value


def measure(predict, classes, score, held, synthetic, groups):
    """What the model does on every set of boards: results of `evaluate.evaluate` by the set's name."""
    pairs = predict.planes > 1
    sets = {f"DeepPCB, held-out {groups}": held, "the same as bright copper on grey": list(map(bright_copper, held))}
    if pairs:
        sets["the same, template 7 pixels off"] = [shifted(b, 7) for b in held]
    if synthetic:
        sets["synthetic boards, unseen seeds"] = of_another_part(synthetic) if pairs else synthetic
    return {name: evaluate.evaluate(predict, b, classes, score, intervals=True) for name, b in sets.items()}


def an_input(name):
    """A manifest's entry for one plane: the frame, or the golden template of its part."""
    source = {"source": "image"} if name == INPUTS[0] else {"source": "image-file", "pattern": "{sku}/{view}.png"}
    shape = {"layout": "NCHW", "type": "f32", "colour": "grey", "resize": "letterbox", "pad": [0], "size": [SIZE, SIZE]}
    return {"name": name} | source | shape | {"mean": [0.0], "scale": [1 / 255]}


def span(value, interval, digits=3):
    """A figure with its interval."""
    return f"{value:.{digits}f} [{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"


def card(manifest, facts):
    """The model card."""
    labels, results = manifest["outputs"][0]["labels"], facts["results"]
    pairs = len(manifest["inputs"]) > 1
    second = [
        "- Input `template`: the same of the defect-free board, `{sku}/{view}.png` below `image-root`; up to 14"
        " pixels off its place, which the graph finds itself, and under other light."
    ]
    lines = [
        f"# pcb {manifest['version']}",
        "",
        manifest["description"],
        "",
        f"- Input `images`: 1 x 1 x {SIZE} x {SIZE}, float32, grey, pixel / 255. Both polarities of copper are known:"
        " dark copper near black on a bright ground (DeepPCB), bright copper on a grey ground (a line camera).",
        *(second if pairs else []),
        f"- Output `output0`: 1 x {4 + len(labels)} x {(SIZE // 8) ** 2}: cx, cy, w, h in input pixels, then scores in"
        f" 0..1 of {', '.join(labels)}. Suppression is left to the caller.",
        f"- {facts['parameters']:,} parameters, {facts['macs'] / 1e9:.2f} GMAC an image, {facts['bytes']:,} bytes.",
        f"- {facts['origin']}{facts['training']}.",
        f"- Score threshold {manifest['thresholds']['score']}: the middle of those whose F1 on the validation boards of"
        f" the training groups is within {SLACK} of the best ({facts['best']:.3f}), at least {LEAST_SCORE}.",
        "",
        "Average precision at IoU 0.33 and F1 at the threshold, of the exported model with ONNX Runtime, with 95 %"
        f" intervals of 1,000 draws of images. {facts['groups_note']}",
        "",
        "| data | boards | mAP | F1 | " + " | ".join(labels) + " |",
        "|---" * (4 + len(labels)) + "|",
    ]
    for name, r in results.items():
        means = [span(r["map"], r["interval"]["map"]), span(r["at_threshold"]["f1"], r["interval"]["f1"])]
        values = [name, str(r["images"]), *means, *(f"{v:.3f}" for v in r["per_class"].values())]
        lines.append("| " + " | ".join(values) + " |")
    lines += ["", "Share of good boards with an alarm at the threshold:", ""]
    for name, r in results.items():
        kinds = [("defect-free boards", "good_with_alarm"), ("boards repaired in place", "repaired_with_alarm")]
        said = [f"{r[key]:.1%} of the {what}" for what, key in kinds if key in r]
        if said:
            lines.append(f"- {name}: {', '.join(said)}")
    for note in facts["notes"]:
        lines += ["", note]
    return "\n".join(lines) + "\n"


def count(path):
    """Parameters and multiply-accumulates of a float model's convolutions."""
    graph = onnx.shape_inference.infer_shapes(onnx.load(str(path))).graph
    sizes = {t.name: int(np.prod(t.dims)) for t in graph.initializer}
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in graph.value_info}
    shapes |= {t.name: list(t.dims) for t in graph.initializer}
    layers = [node for node in graph.node if node.op_type == "Conv"]
    parameters = sum(sizes.get(name, 0) for node in layers for name in node.input[1:])
    return parameters, sum(int(np.prod(shapes[n.output[0]][2:]) * np.prod(shapes[n.input[1]])) for n in layers)


def write(args, labels, origin, counted):
    """Measures `args.out/model.onnx` and writes model.json and README.md beside it; prints the figures.

    `origin` says where the weights come from; parameters are those of the float model `counted`.
    """
    path = args.out / "model.onnx"
    rule = json.loads(SPLIT.read_text())["held_out_groups"]
    groups = f"group {rule[0]}" if len(rule) == 1 else "groups " + ", ".join(rule)
    _, validation, held = split_boards(load_folder(args.data))
    predict, _ = evaluate.onnx_predictor(path)
    names = INPUTS[: predict.planes]
    score, best = threshold(predict, validation, len(labels))
    results = measure(predict, len(labels), score, held, load_folder(args.boards) if args.boards else [], groups)
    first_name, first = next(iter(results.items()))
    against = " by comparison with a golden template" if len(names) > 1 else ""
    manifest = {
        "schema": "andon.model/1",
        "name": "pcb",
        "version": args.version,
        "task": "detection",
        "description": f"Finds defects of bare printed circuit boards{against}: {', '.join(labels)}.",
        "model": "model.onnx",
        "inputs": [an_input(name) for name in names],
        "outputs": [{"name": "output0", "decoder": "yolov8", "labels": labels}],
        "thresholds": {"score": score, "iou": evaluate.SUPPRESSION},
        "verdict": {"rule": "any-detection"},
        "digests": {"model.onnx": "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()},
        "quality": {
            "map_iou_0.33": first["map"],
            "map_interval": first["interval"]["map"],
            "f1": first["at_threshold"]["f1"],
            "f1_interval": first["interval"]["f1"],
            "per_class": first["per_class"],
            "data": first_name,
            "images": first["images"],
        },
    }
    manifest["quality"] = rounded(manifest["quality"])
    (args.out / "model.json").write_text(json.dumps(manifest, indent=2) + "\n")
    one = "One group is held out, so there is no drawing of groups here: boards of other looks may do worse."
    parameters, macs = count(counted)
    facts = {
        "origin": origin,
        "parameters": parameters,
        "macs": macs,
        "bytes": path.stat().st_size,
        "best": best,
        "results": results,
        "training": args.training and f"; {args.training}",
        "groups_note": one if len(rule) == 1 else "",
        "notes": args.note,
    }
    (args.out / "README.md").write_text(card(manifest, facts))
    print(datetime.datetime.now().isoformat(timespec="seconds"), json.dumps(rounded(results), indent=1))
