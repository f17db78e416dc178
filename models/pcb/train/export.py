# SPDX-License-Identifier: MPL-2.0
"""Turns a checkpoint into a bundle: model.onnx, model.json and a model card, measured on the exported model."""

import argparse
import datetime
import hashlib
import json
from pathlib import Path

import onnx
import torch
from torch import nn

import evaluate
from data import LABELS, SPLIT, load_folder, split_boards
from net import STRIDE, Detector

SIZE = 640


class Exported(nn.Module):
    """The net with YOLO-style output; with `classes` below the net's own, later kinds' scores are cut off."""

    def __init__(self, net, classes):
        super().__init__()
        self.net, self.classes = net, classes

    def forward(self, images):
        return self.net.forward_export(images)[:, : 4 + self.classes]


def macs(net):
    """Multiply-accumulates of all convolutions on one image of SIZE x SIZE."""
    total = 0

    def count(module, _, output):
        nonlocal total
        total += output.shape[2] * output.shape[3] * module.weight.numel()

    hooks = [m.register_forward_hook(count) for m in net.modules() if isinstance(m, nn.Conv2d)]
    with torch.no_grad():
        net(torch.zeros(1, 1, SIZE, SIZE))
    for hook in hooks:
        hook.remove()
    return total


def write_onnx(net, labels, version, path):
    """Exports at a fixed size, opset 17, with the metadata that Ultralytics' exporter writes."""
    torch.onnx.export(
        Exported(net, len(labels)),
        (torch.zeros(1, 1, SIZE, SIZE),),
        str(path),
        input_names=["images"],
        output_names=["output0"],
        opset_version=17,
        dynamo=False,
    )
    model = onnx.load(str(path))
    model.ir_version = min(model.ir_version, 10)
    model.producer_name, model.producer_version = "andon-pcb", version
    onnx.helper.set_model_props(
        model,
        {
            "names": str(dict(enumerate(labels))),
            "task": "detect",
            "imgsz": str([SIZE, SIZE]),
            "stride": str(STRIDE),
            "batch": "1",
            "channels": "1",
            "version": version,
            "license": "MPL-2.0",
        },
    )
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def rounded(value):
    """Floats to four digits, all the way down."""
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def card(manifest, facts):
    """The model card."""
    quality = manifest["quality"]
    lines = [
        f"# pcb {manifest['version']}",
        "",
        manifest["description"],
        "",
        f"- Input `images`: 1 x 1 x {SIZE} x {SIZE}, float32, grey, pixel / 255. Both polarities of copper are known:"
        " dark copper near black on a bright ground (DeepPCB), bright copper on a grey ground (a line camera).",
        f"- Output `output0`: 1 x {4 + len(facts['labels'])} x {(SIZE // STRIDE) ** 2}: cx, cy, w, h in input pixels,"
        f" then scores in 0..1 of {', '.join(facts['labels'])}. Suppression is left to the caller.",
        f"- {facts['parameters']:,} parameters, {facts['macs'] / 1e9:.2f} GMAC an image, {facts['bytes']:,} bytes.",
        f"- Trained from random weights by `models/pcb/train`; {facts['training']}.",
        f"- Score threshold {manifest['thresholds']['score']}: {facts['threshold']}",
        "",
        f"Average precision at IoU 0.33 with ONNX Runtime on the exported model. {quality['data']}:"
        f" {quality['images']} boards, mean **{quality['map_iou_0.33']:.4f}**.",
        "",
        "| " + " | ".join(["data", "mean", *facts["labels"]]) + " |",
        "|---" * (2 + len(facts["labels"])) + "|",
    ]
    for name, result in facts["results"].items():
        values = [result["map"], *result["per_class"].values()]
        lines.append("| " + " | ".join([name, *(f"{v:.3f}" for v in values)]) + " |")
    lines += ["", "Share of defect-free boards on which anything scores above the threshold:", ""]
    for name, result in facts["results"].items():
        for rate in result["good_with_alarm"].values():
            lines.append(f"- {name}: {rate:.1%} of {result['images']}")
    lines += ["", *facts["limits"], ""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--version", required=True, help="the bundle's version")
    parser.add_argument("--labels", type=int, default=6, help="how many kinds the bundle names, in DeepPCB's order")
    parser.add_argument("--out", type=Path, required=True, help="the bundle's folder")
    parser.add_argument("--data", default="../shared/data/deeppcb", help="the DeepPCB folder")
    parser.add_argument("--boards", help="a folder of synthetic boards that training did not see")
    parser.add_argument("--score", type=float, help="score threshold; by default the best F1 on validation boards")
    parser.add_argument("--training", default="see README.md there", help="one clause on data and length of training")
    args = parser.parse_args()

    saved = torch.load(args.checkpoint, weights_only=True)
    net = Detector(saved["classes"])
    net.load_state_dict(saved["weights"])
    net.eval()
    labels = LABELS[: args.labels]
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "model.onnx"
    write_onnx(net, labels, args.version, path)

    predict, _ = evaluate.onnx_predictor(path)
    _, validation, held = split_boards(load_folder(args.data))
    synthetic = load_folder(args.boards) if args.boards else []
    pick = evaluate.evaluate(predict, validation, len(labels))["best_f1"]
    note = f"the best F1 ({pick['f1']:.3f}) on the validation boards of the training groups is at {pick['score']:.2f}."
    score = args.score if args.score is not None else round(pick["score"], 2)
    if args.score is not None:
        note += " It was raised for fewer false alarms on good boards."
    groups = ", ".join(json.loads(SPLIT.read_text())["held_out_groups"])
    results = {f"DeepPCB, held-out groups {groups}": evaluate.evaluate(predict, held, len(labels), (score,))}
    if synthetic:
        results["synthetic boards, unseen seeds"] = evaluate.evaluate(predict, synthetic, len(labels), (score,))
    first = next(iter(results.values()))

    manifest = {
        "schema": "andon.model/1",
        "name": "pcb",
        "version": args.version,
        "task": "detection",
        "description": f"Finds defects of bare printed circuit boards: {', '.join(labels)}.",
        "model": "model.onnx",
        "inputs": [
            {
                "name": "images",
                "source": "image",
                "layout": "NCHW",
                "type": "f32",
                "colour": "grey",
                "resize": "letterbox",
                "pad": [0],
                "size": [SIZE, SIZE],
                "mean": [0.0],
                "scale": [1 / 255],
            }
        ],
        "outputs": [{"name": "output0", "decoder": "yolov8", "labels": labels}],
        "thresholds": {"score": score, "iou": 0.45},
        "verdict": {"rule": "any-detection"},
        "digests": {"model.onnx": "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()},
        "quality": {
            "map_iou_0.33": first["map"],
            "per_class": first["per_class"],
            "data": f"DeepPCB, held-out groups {groups}",
            "images": first["images"],
        },
    }
    manifest["quality"] = rounded(manifest["quality"])
    (args.out / "model.json").write_text(json.dumps(manifest, indent=2) + "\n")
    facts = {
        "labels": labels,
        "parameters": sum(p.numel() for p in net.parameters()),
        "macs": macs(net),
        "bytes": path.stat().st_size,
        "training": args.training,
        "threshold": note,
        "results": results,
        "limits": [
            "Limits: the boards are cut at about 48 pixels a millimetre and defects are 20 to 60 pixels wide; scale"
            " beyond 0.8 to 1.25 of that was not taught. It reads one image and knows no golden template."
        ],
    }
    (args.out / "README.md").write_text(card(manifest, facts))
    print(datetime.datetime.now().isoformat(timespec="seconds"), json.dumps(rounded(results), indent=1))


if __name__ == "__main__":
    main()
