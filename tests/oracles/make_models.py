# SPDX-License-Identifier: MPL-2.0
"""Writes the tiny graphs in tests/data that the tests of modelinfer run. Needs onnx and numpy.

    python3 tests/oracles/make_models.py [FOLDER]
"""

import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, checker, external_data_helper, helper, load, numpy_helper, save

F32, I64, U8 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.UINT8


def const(name, value, kind=np.float32):
    return numpy_helper.from_array(np.asarray(value, dtype=kind), name)


def write(folder, name, nodes, inputs, outputs, constants=(), props=None, opsets=(("", 17),), check=True, ir=8):
    infos = [[helper.make_tensor_value_info(n, t, s) for n, t, s in side] for side in (inputs, outputs)]
    graph = helper.make_graph(nodes, name, *infos, initializer=list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid(*o) for o in opsets], producer_name="andon-tests")
    model.ir_version = ir
    if props:
        helper.set_model_props(model, props)
    if check:
        checker.check_model(model, full_check=True)
    save(model, str(folder / f"{name}.onnx"))


def detector(folder, name, box, gain, size=32, props=None, row=None, transposed=False):
    """Two labels, two anchors. Anchor 0 has `box`; its score for label 1 is gain * mean pixel. Anchor 1 scores 0.01."""
    rows = np.zeros((1, 6, 2), np.float32)
    rows[0, :4, 0] = box
    rows[0, :4, 1] = [4, 4, 4, 4]
    rows[0, 4:, 1] = 0.01
    mask = np.zeros((1, 6, 2), np.float32)
    mask[0, 5 if row is None else row, 0] = gain
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "mask"], ["scores"]),
        helper.make_node("Add", ["rows", "scores"], ["plain" if transposed else "output0"]),
    ]
    shape = [1, 6, 2]
    if transposed:
        nodes.append(helper.make_node("Transpose", ["plain"], ["output0"], perm=[0, 2, 1]))
        shape = [1, 2, 6]
    write(
        folder, name, nodes, [("images", F32, [1, 1, size, size])], [("output0", F32, shape)],
        [const("rows", rows), const("mask", mask)], props,
    )


def of_any_batch(folder, names):
    """The detector with an open batch axis; one that fails where any frame of the batch is bright."""
    rows = np.zeros((1, 6, 2), np.float32)
    rows[0, :4, 0] = 16
    rows[0, :4, 1] = 4
    rows[0, 4:, 1] = 0.01
    mask = np.zeros((1, 6, 2), np.float32)
    mask[0, 5, 0] = 1
    level = [
        helper.make_node("ReduceMean", ["images"], ["mean4"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Reshape", ["mean4", "column"], ["mean"]),
        helper.make_node("Mul", ["mean", "mask"], ["scores"]),
    ]
    constants = [const("rows", rows), const("mask", mask), const("column", [-1, 1, 1], np.int64)]
    face = [("images", F32, ["n", 1, 32, 32])], [("output0", F32, ["n", 6, 2])]
    write(folder, "batch", [*level, helper.make_node("Add", ["rows", "scores"], ["output0"])], *face, constants, names)
    # The same with a field a frame, which is added to the score.
    write(
        folder, "batch-field",
        [
            *level,
            helper.make_node("Add", ["rows", "scores"], ["judged"]),
            helper.make_node("Reshape", ["speed", "column"], ["offset"]),
            helper.make_node("Mul", ["offset", "mask"], ["offsets"]),
            helper.make_node("Add", ["judged", "offsets"], ["output0"]),
        ],
        [*face[0], ("speed", F32, ["n", 1])], face[1], constants, names,
    )
    # The same in another type of numbers.
    write(
        folder, "batch-f16",
        [*level, helper.make_node("Add", ["rows", "scores"], ["wide"]),
         helper.make_node("Cast", ["wide"], ["output0"], to=TensorProto.FLOAT16)],
        face[0], [("output0", TensorProto.FLOAT16, ["n", 6, 2])], constants, names,
    )
    write(
        folder, "batch-fails",
        [
            *level,
            helper.make_node("ReduceMax", ["images"], ["top"], axes=[0, 1, 2, 3], keepdims=0),
            helper.make_node("Mul", ["top", "hundred"], ["many"]),
            helper.make_node("Cast", ["many"], ["index"], to=I64),
            helper.make_node("Gather", ["zeros", "index"], ["zero"], axis=0),
            helper.make_node("Add", ["rows", "scores"], ["sum"]),
            helper.make_node("Add", ["sum", "zero"], ["output0"]),
        ],
        *face, [*constants, const("hundred", 100.0), const("zeros", np.zeros(90))], names,
    )
    # One that goes on for ever where any frame is bright, to be ended from outside.
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Add", ["x", "step"], ["y"])], "body",
        [
            helper.make_tensor_value_info("i", I64, []), helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", F32, []),
        ],
        [helper.make_tensor_value_info("go_on", TensorProto.BOOL, []), helper.make_tensor_value_info("y", F32, [])],
        initializer=[const("step", 0.0)],
    )
    write(
        folder, "batch-endless",
        [
            *level,
            helper.make_node("ReduceMax", ["images"], ["top"], axes=[0, 1, 2, 3], keepdims=0),
            helper.make_node("Sub", ["top", "almost"], ["over"]),
            helper.make_node("Relu", ["over"], ["rest"]),
            helper.make_node("Mul", ["rest", "many"], ["level"]),
            helper.make_node("Cast", ["level"], ["steps"], to=I64),
            helper.make_node("Loop", ["steps", "yes", "none"], ["zero"], body=body),
            helper.make_node("Add", ["rows", "scores"], ["sum"]),
            helper.make_node("Add", ["sum", "zero"], ["output0"]),
        ],
        *face,
        [*constants, const("many", 1e12), const("almost", 0.99), const("yes", True, bool), const("none", 0.0)], names,
    )


def of_any_type(folder):
    """Fields of every type; the score is their sum. Numbers of every type come out, too."""
    kinds = {
        "f32": F32, "f16": TensorProto.FLOAT16, "f64": TensorProto.DOUBLE, "i64": I64, "i32": TensorProto.INT32,
        "u8": U8, "i8": TensorProto.INT8, "bool": TensorProto.BOOL,
    }
    nodes = [helper.make_node("ReduceMean", ["image"], ["mean"], axes=[0, 1, 2, 3], keepdims=0)]
    nodes += [helper.make_node("Cast", [f"in_{k}"], [f"as_{k}"], to=F32) for k in kinds]
    nodes.append(helper.make_node("Sum", ["mean", *(f"as_{k}" for k in kinds)], ["sum"]))
    nodes.append(helper.make_node("Reshape", ["sum", "row"], ["out_f32"]))
    nodes += [helper.make_node("Cast", ["out_f32"], [f"out_{k}"], to=t) for k, t in kinds.items() if k != "f32"]
    write(
        folder, "types", nodes,
        [("image", F32, [1, 1, 8, 8]), *((f"in_{k}", t, [1]) for k, t in kinds.items())],
        [(f"out_{k}", t, [1, 1]) for k, t in kinds.items()], [const("row", [1, 1], np.int64)],
    )


def of_any_size(folder, names):
    """Boxes in pixels of what the graph is told, a size that follows the frame, and a template beside the frame."""
    write(
        folder, "told-size",
        [
            helper.make_node("ReduceMean", ["images"], ["mean"], axes=[0, 1, 2, 3], keepdims=0),
            helper.make_node("Cast", ["size"], ["wh"], to=F32),
            helper.make_node("Concat", ["wh", "wh"], ["whwh"], axis=1),
            helper.make_node("Reshape", ["whwh", "one_box"], ["spread"]),
            helper.make_node("Mul", ["spread", "half"], ["boxes"]),
            helper.make_node("Reshape", ["mean", "one"], ["scores"]),
        ],
        [("images", F32, [1, 1, 32, 64]), ("size", I64, [1, 2])],
        [("labels", I64, [1, 1]), ("boxes", F32, [1, 1, 4]), ("scores", F32, [1, 1])],
        [
            const("half", [[[0.25, 0.25, 0.75, 0.75]]]), const("one_box", [1, 1, 4], np.int64),
            const("one", [1, 1], np.int64), const("labels", [[0]], np.int64),
        ],
        check=False,
    )
    # torchvision's detectors: a picture of any size without a batch, and a box of label 1, after the background.
    write(
        folder, "unbatched",
        [
            helper.make_node("ReduceMean", ["image"], ["mean"], axes=[0, 1, 2], keepdims=0),
            helper.make_node("Reshape", ["mean", "one"], ["scores"]),
        ],
        [("image", F32, [3, "h", "w"])],
        [("boxes", F32, ["n", 4]), ("labels", I64, ["n"]), ("scores", F32, ["n"])],
        [const("one", [1], np.int64), const("boxes", [[8, 8, 16, 24]]), const("labels", [1], np.int64)],
        check=False,
    )
    write(
        folder, "any-size",
        [
            helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Shape", ["images"], ["shape"]),
            helper.make_node("Cast", ["shape"], ["numbers"], to=F32),
            helper.make_node("Concat", ["mean", "numbers"], ["flat"], axis=0),
            helper.make_node("Reshape", ["flat", "row"], ["vector"]),
        ],
        [("images", F32, ["n", 1, "h", "w"])], [("vector", F32, ["k", "d"])], [const("row", [1, 5], np.int64)],
    )
    write(
        folder, "template",
        [
            helper.make_node("Sub", ["board", "golden"], ["difference"]),
            helper.make_node("Abs", ["difference"], ["anomaly_map"]),
        ],
        [("board", F32, [1, 1, 8, 8]), ("golden", F32, [1, 1, 8, 8])], [("anomaly_map", F32, [1, 1, 8, 8])],
    )


def faded(folder, names):
    """Two nets of the same work: in one the numbers fade into denormals, in the other they stay where they are."""
    rng = np.random.default_rng(3)
    weights = rng.uniform(0.5, 1.5, (8, 8, 3, 3)).astype(np.float32) / 72
    for name, gain in [("fading", 1e-4), ("lasting", 1.0)]:
        nodes = [helper.make_node("Conv", ["images", "first"], ["x0"], pads=[1, 1, 1, 1])]
        for i in range(12):
            nodes.append(helper.make_node("Conv", [f"x{i}", "weights"], [f"y{i}"], pads=[1, 1, 1, 1]))
            nodes.append(helper.make_node("Mul", [f"y{i}", "gain"], [f"x{i + 1}"]))
        nodes += [
            helper.make_node("ReduceMean", ["x12"], ["mean"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Mul", ["mean", "mask"], ["scores"]),
            helper.make_node("Add", ["rows", "scores"], ["output0"]),
        ]
        write(
            folder, name, nodes, [("images", F32, [1, 1, 64, 64])], [("output0", F32, [1, 6, 2])],
            [
                const("first", np.full((8, 1, 3, 3), 1 / 9)), const("weights", weights), const("gain", gain),
                const("mask", np.eye(6)[5].reshape(1, 6, 1) * np.array([1, 0])),
                const("rows", np.array([16, 16, 16, 16, 0, 0]).reshape(1, 6, 1) * np.array([1, 1])),
            ],
            {**names, "imgsz": "[64, 64]"},
        )


def bad(folder, names):
    """Graphs that must be refused, each with a reason that one can act on."""
    image = [("images", F32, [1, 1, 32, 32])]
    output = [("output0", F32, [1, 6, 2])]
    rows = const("rows", np.zeros((1, 6, 2)))
    mean = helper.make_node("ReduceMean", ["images"], ["mean"], axes=[0, 1, 2, 3], keepdims=0)
    add = helper.make_node("Add", ["rows", "mean"], ["output0"])
    write(
        folder, "custom-op",
        [helper.make_node("EfficientNMS_TRT", ["images"], ["output0"], domain="trt.plugins")], image, output, (), names,
        (("", 17), ("trt.plugins", 1)), False,
    )
    write(
        folder, "unknown-op", [helper.make_node("Frobnicate", ["images"], ["output0"])], image, output, (), names,
        check=False,
    )
    write(folder, "future-opset", [mean, add], image, output, [rows], names, (("", 99),), False)
    all_of_five = helper.make_node("ReduceMean", ["images"], ["mean"], axes=[0, 1, 2, 3, 4], keepdims=0)
    write(folder, "rank5", [all_of_five, add], [("images", F32, [1, 1, 1, 32, 32])], output, [rows], names, check=False)
    write(folder, "text-input", [helper.make_node("Shape", ["images"], ["output0"])],
          [("images", TensorProto.STRING, [1, 1, 32, 32])], [("output0", I64, [4])], (), names)
    write(
        folder, "text-output",
        [mean, helper.make_node("Add", ["rows", "mean"], ["sum"]),
         helper.make_node("Cast", ["sum"], ["output0"], to=TensorProto.STRING)],
        image, [("output0", TensorProto.STRING, [1, 6, 2])], [rows], names,
    )
    write(
        folder, "batch-of-two", [mean, add], [("images", F32, [2, 1, 32, 32])], output, [rows], names,
    )
    write(
        folder, "two-channels", [mean, add], [("images", F32, [1, 2, 32, 32])], output, [rows], names,
    )
    write(
        folder, "no-image", [helper.make_node("Identity", ["rows"], ["output0"])], [], output, [rows], names,
    )
    # More zeros than there are addresses, whatever the frame.
    write(
        folder, "hungry",
        [
            mean, helper.make_node("Mul", ["mean", "none"], ["zero"]),
            helper.make_node("Cast", ["zero"], ["index"], to=I64),
            helper.make_node("Add", ["lengths", "index"], ["shape"]),
            helper.make_node("ConstantOfShape", ["shape"], ["desert"]),
            helper.make_node("ReduceSum", ["desert"], ["sum"], keepdims=0),
            helper.make_node("Add", ["rows", "sum"], ["output0"]),
        ],
        image, output, [rows, const("none", 0.0), const("lengths", [1 << 22, 1 << 23], np.int64)], names,
    )
    # Weights in a file beside it that is not there.
    weights = const("rows", np.zeros((1, 6, 2)))
    external_data_helper.set_external_data(weights, "weights.bin", 0, 48)
    weights.ClearField("raw_data")
    write(folder, "external", [mean, add], image, output, [weights], names, check=False)


def refused(folder, names):
    """Graphs of strangers, each of which some advice leads to a running model."""
    face = [("images", F32, [1, 1, 32, 32])], [("output0", F32, [1, 6, 2])]
    rows, mean = const("rows", np.zeros((1, 6, 2))), helper.make_node("ReduceMean", ["images"], ["mean"], axes=[0, 1, 2, 3], keepdims=0)
    add = helper.make_node("Add", ["rows", "mean"], ["output0"])
    write(folder, "new-ir", [mean, add], *face, [rows], names, check=False, ir=99)
    # Whole, but with numbers for which the runtime has no convolution.
    for name, kind in [("conv-f64", TensorProto.DOUBLE), ("conv-f32", F32)]:
        write(
            folder, name,
            [
                helper.make_node("Cast", ["images"], ["wide"], to=kind), helper.make_node("Cast", ["weights"], ["w"], to=kind),
                helper.make_node("Conv", ["wide", "w"], ["edges"]), helper.make_node("Cast", ["edges"], ["plain"], to=F32),
                helper.make_node("ReduceMean", ["plain"], ["mean"], axes=[0, 1, 2, 3], keepdims=0), add,
            ],
            *face, [rows, const("weights", np.ones((1, 1, 3, 3)) / 9)], names,
        )
    # Custom Vision's classifier, as far as its outputs go: a label as a text beside the probabilities.
    write(
        folder, "text-beside",
        [
            helper.make_node("ReduceMean", ["data"], ["level"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Cast", ["level"], ["label"], to=TensorProto.STRING),
            helper.make_node("Reshape", ["level", "column"], ["bright"]), helper.make_node("Sub", ["one", "bright"], ["dark"]),
            helper.make_node("Concat", ["dark", "bright"], ["probabilities"], axis=1),
        ],
        [("data", F32, [1, 3, 32, 32])], [("label", TensorProto.STRING, [1]), ("probabilities", F32, [1, 2])],
        [const("one", 1.0), const("column", [1, 1], np.int64)],
    )
    # A picture and a temperature; rows of five axes, which no family has.
    write(
        folder, "with-number",
        [mean, helper.make_node("Mul", ["mean", "warmth"], ["score"]), helper.make_node("Add", ["rows", "score"], ["output0"])],
        [*face[0], ("warmth", F32, [1])], face[1], [rows], names,
    )
    write(
        folder, "five-axes", [mean, add], face[0], [("output0", F32, [1, 2, 3, 4, 5])],
        [const("rows", np.zeros((1, 2, 3, 4, 5)))], {"names": names["names"]},
    )
    # A loop without an end, whatever the frame.
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Add", ["x", "step"], ["y"])], "body",
        [
            helper.make_tensor_value_info("i", I64, []), helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", F32, [1, 6, 2]),
        ],
        [helper.make_tensor_value_info("go_on", TensorProto.BOOL, []), helper.make_tensor_value_info("y", F32, [1, 6, 2])],
        initializer=[const("step", 0.0)],
    )
    write(
        folder, "forever",
        [mean, helper.make_node("Add", ["rows", "mean"], ["begin"]),
         helper.make_node("Loop", ["", "yes", "begin"], ["output0"], body=body)],
        *face, [rows, const("yes", True, bool)], names,
    )


def scratches(folder):
    """What Ultralytics exports, with its notes: 165 anchors on a grid of 8 pixels, each 16 pixels wide and high.

    An anchor's place is a scratch as far as its darkest pixel is white, and a dent as far as all of it is mid-grey.
    """
    high, wide = 11, 15
    y, x = np.mgrid[0:high, 0:wide] * 8 + 8.0
    boxes = np.stack([x.ravel(), y.ravel(), np.full(x.size, 16.0), np.full(x.size, 16.0)])[None]
    pool = {"kernel_shape": [16, 16], "strides": [8, 8]}
    grey = lambda side: [  # noqa: E731
        helper.make_node("Sub", [side, "half"], [f"{side}_off"]),
        helper.make_node("Abs", [f"{side}_off"], [f"{side}_far"]),
        helper.make_node("Mul", [f"{side}_far", "minus_five"], [f"{side}_less"]),
        helper.make_node("Add", [f"{side}_less", "one"], [f"{side}_near"]),
        helper.make_node("Relu", [f"{side}_near"], [f"{side}_grey"]),
    ]
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["light"], axes=[1], keepdims=1),
        helper.make_node("MaxPool", ["light"], ["top"], **pool),
        helper.make_node("Neg", ["light"], ["dark"]),
        helper.make_node("MaxPool", ["dark"], ["depth"], **pool),
        helper.make_node("Neg", ["depth"], ["bottom"]),
        helper.make_node("Mul", ["bottom", "four"], ["steep"]),
        helper.make_node("Add", ["steep", "minus_three"], ["lifted"]),
        helper.make_node("Relu", ["lifted"], ["scratch"]),
        *grey("top"), *grey("bottom"),
        helper.make_node("Mul", ["top_grey", "bottom_grey"], ["dent"]),
        helper.make_node("Concat", ["scratch", "dent"], ["both"], axis=1),
        helper.make_node("Reshape", ["both", "rows"], ["scores"]),
        helper.make_node("Concat", ["boxes", "scores"], ["output0"], axis=1),
    ]
    write(
        folder, "ultralytics", nodes, [("images", F32, [1, 3, 96, 128])], [("output0", F32, [1, 6, high * wide])],
        [
            const("half", 0.5), const("one", 1.0), const("four", 4.0), const("minus_three", -3.0), const("minus_five", -5.0),
            const("rows", [1, 2, -1], np.int64), const("boxes", boxes),
        ],
        {
            "description": "A model that sees scratches", "author": "Andon", "version": "8.4.190", "stride": "32",
            "task": "detect", "head": "Detect", "batch": "1", "imgsz": "[96, 128]", "channels": "3",
            "names": "{0: 'scratch', 1: 'dent'}", "args": "{'batch': 1, 'half': False, 'dynamic': False, 'nms': False}",
            "end2end": "False",
        },
    )


def many_fields(folder, count, names):
    """The detector whose score is the mean of so many fields, whatever the frame."""
    rows = np.zeros((1, 6, 2), np.float32)
    rows[0, :4, 0] = 16
    rows[0, :4, 1] = 4
    mask = np.zeros((1, 6, 2), np.float32)
    mask[0, 5, 0] = 1
    fields = [f"f{i}" for i in range(count)]
    nodes = [
        helper.make_node("Concat", fields, ["all"], axis=0),
        helper.make_node("ReduceMean", ["all"], ["mean"], axes=[0], keepdims=0),
        helper.make_node("ReduceMean", ["images"], ["light"], axes=[0, 1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["light", "none"], ["dark"]),
        helper.make_node("Add", ["mean", "dark"], ["score"]),
        helper.make_node("Mul", ["score", "mask"], ["scores"]),
        helper.make_node("Add", ["rows", "scores"], ["output0"]),
    ]
    write(
        folder, f"fields{count}", nodes,
        [("images", F32, [1, 1, 32, 32]), *[(f, F32, [1]) for f in fields]], [("output0", F32, [1, 6, 2])],
        [const("rows", rows), const("mask", mask), const("none", 0.0)], names,
    )


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent / "data")
    folder.mkdir(parents=True, exist_ok=True)
    names = {"names": "{0: 'dark', 1: 'bright'}", "task": "detect", "imgsz": "[32, 32]"}

    # A box in the middle half; the brighter the frame, the surer.
    detector(folder, "detector", [16, 16, 16, 16], 1.0, props=names)
    # The same without its labels, and transposed.
    detector(folder, "detector-plain", [16, 16, 16, 16], 1.0, transposed=True)
    # Another box, whatever the frame: the successor that one can tell from the first.
    detector(folder, "detector-left", [4, 16, 8, 32], 1.0, props=names)

    # What a model needed yesterday, and what it needs today.
    many_fields(folder, 5, names)
    many_fields(folder, 8, names)

    # Logits: bright frames are good.
    write(
        folder, "classifier",
        [
            helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Reshape", ["mean", "one"], ["level"]),
            helper.make_node("Mul", ["level", "gain"], ["scaled"]),
            helper.make_node("Add", ["scaled", "bias"], ["logits"]),
        ],
        [("image", F32, [1, 3, 16, 16])], [("logits", F32, [1, 2])],
        [const("one", [1, 1], np.int64), const("gain", [[8.0, -8.0]]), const("bias", [[-4.0, 4.0]])],
        {"names": "{0: 'good', 1: 'bad'}", "task": "classify", "imgsz": "[16, 16]"},
    )

    # A classifier that says nothing of what it takes: its first logit is four times the mean of what comes in, beyond 0..1 on
    # noise, so that it is no probability.
    write(
        folder, "silent",
        [
            helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Reshape", ["mean", "one"], ["level"]),
            helper.make_node("Mul", ["level", "gain"], ["logits"]),
        ],
        [("image", F32, [1, 1, 16, 16])], [("logits", F32, [1, 2])],
        [const("one", [1, 1], np.int64), const("gain", [[4.0, 0.0]])],
    )

    # As anomalib exports: an image score of shape (1), a map, a label and a mask.
    write(
        folder, "anomalib",
        [
            helper.make_node("ReduceMean", ["input"], ["anomaly_map"], axes=[1], keepdims=1),
            helper.make_node("ReduceMax", ["anomaly_map"], ["top"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Identity", ["top"], ["pred_score"]),
            helper.make_node("Greater", ["top", "half"], ["pred_label"]),
            helper.make_node("Greater", ["anomaly_map", "half"], ["pred_mask"]),
        ],
        [("input", F32, [1, 3, 16, 16])],
        [
            ("pred_score", F32, [1]), ("pred_label", TensorProto.BOOL, [1]), ("anomaly_map", F32, [1, 1, 16, 16]),
            ("pred_mask", TensorProto.BOOL, [1, 1, 16, 16]),
        ],
        [const("half", 0.5)],
    )

    # 0 / 0 on a black frame, finite on any other.
    write(
        folder, "nan",
        [
            helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Div", ["mean", "mean"], ["ratio"]),
            helper.make_node("Mul", ["ratio", "rows"], ["output0"]),
        ],
        [("images", F32, [1, 1, 32, 32])], [("output0", F32, [1, 6, 2])],
        [const("rows", np.full((1, 6, 2), 0.01))], names,
    )

    # The score comes from fields: speed times limit[0] plus recipe; the frame is looked at and ignored.
    write(
        folder, "fields",
        [
            helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
            helper.make_node("Cast", ["recipe"], ["recipe_f"], to=F32),
            helper.make_node("Slice", ["limit", "from", "until"], ["first"]),
            helper.make_node("Mul", ["speed", "first"], ["product"]),
            helper.make_node("Add", ["product", "recipe_f"], ["sum"]),
            helper.make_node("Add", ["sum", "nothing"], ["score"]),
            helper.make_node("Mul", ["score", "mask"], ["scores"]),
            helper.make_node("Add", ["rows", "scores"], ["output0"]),
        ],
        [("images", F32, [1, 1, 32, 32]), ("speed", F32, [1]), ("limit", F32, [3]), ("recipe", I64, [1])],
        [("output0", F32, [1, 6, 2])],
        [
            const("zero", 0.0), const("from", [0], np.int64), const("until", [1], np.int64),
            const("mask", np.eye(6)[5].reshape(1, 6, 1) * np.array([1, 0])),
            const("rows", np.array([16, 16, 16, 16, 0, 0]).reshape(1, 6, 1) * np.array([1, 1])),
        ],
    )

    # An input that is no image, one of another type, and one that is left open.
    for name, kind, shape in [("rank2", F32, [1, 1024]), ("bytes", U8, [1, 1, 32, 32]), ("open", F32, [1, 1, "h", "w"])]:
        nodes = [
            helper.make_node("Cast", ["images"], ["numbers"], to=F32),
            helper.make_node("Flatten", ["numbers"], ["flat"]),
            helper.make_node("ReduceMean", ["flat"], ["mean"], axes=[1], keepdims=1),
            helper.make_node("Reshape", ["mean", "shape"], ["level"]),
            helper.make_node("Mul", ["level", "rows"], ["output0"]),
        ]
        # Its scores are within 0..1, whatever its pixels are.
        rows = np.full((1, 6, 2), 1 / 255 if kind == U8 else 1)
        constants = [const("shape", [1, 1, 1], np.int64), const("rows", rows)]
        write(folder, name, nodes, [("images", kind, shape)], [("output0", F32, [1, 6, 2])], constants, {
            "names": names["names"], "task": "detect",
        })

    # Fails when it is run on a bright frame: an index out of bounds.
    write(
        folder, "fails",
        [
            helper.make_node("ReduceMean", ["images"], ["mean"], axes=[0, 1, 2, 3], keepdims=0),
            helper.make_node("Mul", ["mean", "hundred"], ["level"]),
            helper.make_node("Cast", ["level"], ["index"], to=I64),
            helper.make_node("Gather", ["rows", "index"], ["output0"], axis=0),
        ],
        [("images", F32, [1, 1, 32, 32])], [("output0", F32, [1, 6, 2])],
        [const("hundred", 100.0), const("rows", np.zeros((1, 1, 6, 2)))], names,
    )

    # Never comes to an end on a bright frame: a loop of as many steps as the frame is bright.
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Add", ["x", "step"], ["y"])],
        "body",
        [
            helper.make_tensor_value_info("i", I64, []), helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", F32, [1, 6, 2]),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y", F32, [1, 6, 2]),
        ],
        initializer=[const("step", 0.0)],
    )
    write(
        folder, "endless",
        [
            helper.make_node("ReduceMean", ["images"], ["mean"], axes=[0, 1, 2, 3], keepdims=0),
            helper.make_node("Mul", ["mean", "many"], ["level"]),
            helper.make_node("Cast", ["level"], ["steps"], to=I64),
            helper.make_node("Loop", ["steps", "yes", "rows"], ["output0"], body=body),
        ],
        [("images", F32, [1, 1, 32, 32])], [("output0", F32, [1, 6, 2])],
        [const("many", 1e12), const("yes", True, bool), const("rows", np.zeros((1, 6, 2)))], names,
    )

    of_any_batch(folder, names)
    of_any_type(folder)
    of_any_size(folder, names)
    faded(folder, names)
    bad(folder, names)
    refused(folder, names)
    scratches(folder)

    # The same as detector, with its weights in a file beside it, as newer exporters leave them.
    outside = load(str(folder / "detector.onnx"))
    place = {"save_as_external_data": True, "all_tensors_to_one_file": True, "size_threshold": 0}
    (folder / "outside.onnx.data").unlink(missing_ok=True)
    save(outside, str(folder / "outside.onnx"), location="outside.onnx.data", **place)


main()
