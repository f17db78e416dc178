# SPDX-License-Identifier: MPL-2.0
"""Turns a checkpoint into a bundle: model.onnx, and what bundle.py measures and writes of it."""

import argparse
from pathlib import Path

import onnx
import torch
from torch import nn

import bundle
from align import Align
from bundle import INPUTS, SIZE
from data import LABELS
from net import STRIDE, Detector, folded_stem


class Exported(nn.Module):
    """The net with YOLO-style output; later kinds than `classes` are cut off. A template is laid on the image first."""

    def __init__(self, net, classes):
        super().__init__()
        self.net, self.classes, self.align = net, classes, Align()

    def forward(self, image, template=None):
        planes = image if template is None else torch.cat([image, self.align(image, template)], 1)
        return self.net.forward_export(planes)[:, : 4 + self.classes]


def write_onnx(net, labels, version, path):
    """Exports at a fixed size, opset 17, with the metadata that Ultralytics' exporter writes."""
    torch.onnx.export(
        Exported(net, len(labels)),
        (torch.zeros(1, 1, SIZE, SIZE),) * net.inputs,
        str(path),
        input_names=INPUTS[: net.inputs],
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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--labels", type=int, default=6, help="how many kinds the bundle names, in DeepPCB's order")
    parser.add_argument("--begin", default="random weights", help="what the training began from")
    bundle.add_arguments(parser)
    args = parser.parse_args()

    saved = torch.load(args.checkpoint, weights_only=True)
    net = Detector(saved["classes"], saved["inputs"])
    net.load_state_dict(saved["weights"])
    net.stem = folded_stem(net)
    net.eval()
    labels = LABELS[: args.labels]
    args.out.mkdir(parents=True, exist_ok=True)
    write_onnx(net, labels, args.version, args.out / "model.onnx")
    training = f"{saved['step']:,} steps, {saved['minutes']:.0f} minutes"
    bundle.write(args, labels, f"Trained from {args.begin} by `models/pcb/train`: {training}", args.out / "model.onnx")


if __name__ == "__main__":
    main()
