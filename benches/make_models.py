# SPDX-License-Identifier: MPL-2.0
"""Writes the graphs in benches/models that the benches run. Needs onnx and numpy; every run writes the same bytes.

    python3 benches/make_models.py [FOLDER]

detector320   A detector as small ones are: 320x320 RGB, 0.22 GMAC (0.45 GFLOP), seven convolutions with SiLU, an output
              as YOLOv8 writes it. The weights are noise and its scores stay far below any threshold. They are kept as
              int8 and cast when the graph is loaded, which ONNX Runtime does once.
classifier288 The same stack of convolutions for 288x288 RGB and about the same time, but a classifier of three labels:
              what detector320 is swapped with.
denormal      A stack of convolutions whose activations are denormal numbers for every frame that is not black. The score
              of its one box is 0.5 where they are flushed to zero, and above 0.9 on a white frame where they are not.
normal        The same stack with activations around one; its score is 0.5 on a black frame, above 0.9 on a white one.
"""

import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

F32 = TensorProto.FLOAT


class Graph:
    """Nodes and constants as they are added; each method gives the name of what it made."""

    def __init__(self):
        self.nodes, self.constants = [], []
        self.random = np.random.default_rng(20)

    def const(self, value, kind=np.float32):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=kind), name))
        return name

    def op(self, kind, *inputs, to=None, **attributes):
        name = to or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def noise(self, *shape):
        """Weights that keep the spread of activations about where it is."""
        small = self.const(np.clip(self.random.normal(0, 40, shape), -127, 127).round(), np.int8)
        spread = 1.5 / np.sqrt(np.prod(shape[1:])) / 40
        return self.op("Mul", self.op("Cast", small, to_=F32), self.const(spread))

    def conv(self, x, weights, stride=1, kernel=3):
        pad = kernel // 2
        return self.op("Conv", x, weights, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4)

    def write(self, folder, name, inputs, outputs, props):
        sides = [[helper.make_tensor_value_info(n, F32, s) for n, s in side.items()] for side in (inputs, outputs)]
        for node in self.nodes:
            for attribute in node.attribute:
                # `to` names the node's result above.
                attribute.name = attribute.name.rstrip("_")
        graph = helper.make_graph(self.nodes, name, *sides, initializer=self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="andon-bench")
        model.ir_version = 8
        helper.set_model_props(model, props)
        checker.check_model(model, full_check=True)
        save(model, str(folder / f"{name}.onnx"))


def backbone(g):
    """Features at an eighth and a sixteenth of the frame's size."""

    def block(x, channels_in, channels_out, stride):
        y = g.conv(x, g.noise(channels_out, channels_in, 3, 3), stride)
        return g.op("Mul", y, g.op("Sigmoid", y))

    x = block("images", 3, 16, 2)
    x = block(x, 16, 32, 2)
    x = block(x, 32, 32, 1)
    x = block(x, 32, 64, 2)
    fine = block(x, 64, 64, 1)
    return fine, block(fine, 64, 128, 2)


def classifier(folder):
    g = Graph()
    _, coarse = backbone(g)
    pooled = g.op("ReduceMean", coarse, axes=[2, 3], keepdims=0)
    logits = g.op("MatMul", pooled, g.const(g.random.normal(0, 0.1, (128, 3))))
    # Sure of the first label.
    g.op("Add", logits, g.const([20.0, 0.0, 0.0]), to="logits")
    props = {"names": "{0: 'good', 1: 'scratch', 2: 'stain'}", "task": "classify", "imgsz": "[288, 288]"}
    g.write(folder, "classifier288", {"images": [1, 3, 288, 288]}, {"logits": [1, 3]}, props)


def detector(folder):
    g = Graph()
    fine, coarse = backbone(g)

    def head(x, channels, side):
        y = g.conv(x, g.noise(6, channels, 1, 1), kernel=1)
        return g.op("Reshape", y, g.const([1, 6, side * side], np.int64))

    rows = g.op("Concat", head(fine, 64, 40), head(coarse, 128, 20), axis=2)
    boxes = g.op("Slice", rows, g.const([0], np.int64), g.const([4], np.int64), g.const([1], np.int64))
    scores = g.op("Slice", rows, g.const([4], np.int64), g.const([6], np.int64), g.const([1], np.int64))
    # Boxes of some size about their cell; scores about 0.01.
    centres = [
        np.stack([a.ravel() for a in np.meshgrid(*[(np.arange(n) + 0.5) * 320 / n] * 2)]) for n in (40, 20)
    ]
    middle = np.concatenate([np.concatenate(centres, 1), np.full((2, 2000), 24.0)])[None]
    boxes = g.op("Add", g.op("Tanh", boxes), g.const(middle))
    scores = g.op("Sigmoid", g.op("Sub", g.op("Tanh", scores), g.const(5.0)))
    g.op("Concat", boxes, scores, axis=1, to="output0")
    props = {
        "names": "{0: 'scratch', 1: 'dent'}", "task": "detect", "imgsz": "[320, 320]",
        # What GStreamer 1.26's onnxinference wants to know of each output, by its name.
        "output0": "yolo-v8-out",
    }
    g.write(folder, "detector320", {"images": [1, 3, 320, 320]}, {"output0": [1, 6, 2000]}, props)


def stack(folder, name, fade, gain):
    """Averages and averages again what is `fade` times the frame; `gain` brings it back."""
    g = Graph()
    channels, side = 16, 96
    x = "images"
    for f in fade:
        x = g.op("Mul", x, g.const(f))

    def average(channels_in):
        shape = g.const([channels, channels_in, 3, 3], np.int64)
        value = helper.make_tensor("value", F32, [1], [1 / (9 * channels_in)])
        return g.op("ConstantOfShape", shape, value=value)

    x = g.op("Relu", g.conv(x, average(1)))
    for _ in range(6):
        x = g.op("Relu", g.conv(x, average(channels)))
    x = g.op("ReduceMax", x, axes=[1, 2, 3], keepdims=0)
    for f in gain:
        x = g.op("Mul", x, g.const(f))
    # One box; the score of its one label is half and half of what is left.
    mask = np.array([0, 0, 0, 0, 0.5]).reshape(1, 5, 1)
    rows = np.array([48, 48, 24, 24, 0.5]).reshape(1, 5, 1)
    g.op("Add", g.op("Mul", x, g.const(mask)), g.const(rows), to="output0")
    props = {"names": "{0: 'light'}", "task": "detect", "imgsz": f"[{side}, {side}]"}
    g.write(folder, name, {"images": [1, 1, side, side]}, {"output0": [1, 5, 1]}, props)


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "models"
    folder.mkdir(parents=True, exist_ok=True)
    detector(folder)
    classifier(folder)
    # 1e-20 squared is 1e-40, below the least normal number of 1.2e-38 and well above the least denormal of 1.4e-45.
    stack(folder, "denormal", [1e-20, 1e-20], [1e20, 1e20])
    stack(folder, "normal", [1.0, 1.0], [1.0, 1.0])


main()
