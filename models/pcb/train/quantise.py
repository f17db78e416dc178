# SPDX-License-Identifier: MPL-2.0
"""Makes an int8 bundle of a float one by static quantisation; what decodes boxes and scores stays in float."""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

import bundle
from bundle import INPUTS
from data import load_folder, split_boards


class Pictures(CalibrationDataReader):
    """Boards of the training groups, as they are and as bright copper, and synthetic ones, one feed after the other."""

    def __init__(self, boards, planes):
        self.rest, self.planes = iter(boards), planes

    def get_next(self):
        board = next(self.rest, None)
        if board is None:
            return None
        pictures = zip(INPUTS[: self.planes], [board.image, board.template])
        return {name: (p / np.float32(255))[None, None].astype(np.float32) for name, p in pictures}


def float_layers(graph):
    """Nodes that stay in float: the two last convolutions and all after them, and what lays the template on the board."""
    kept, wanted = [], {o.name for o in graph.output}
    for node in reversed(graph.node):
        if wanted & set(node.output):
            kept.append(node.name)
            if node.op_type != "Conv":
                wanted |= set(node.input)
    return kept + [node.name for node in graph.node if node.name.startswith("/align/")]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("champion", type=Path, help="the float bundle")
    parser.add_argument("--calibration", type=int, default=64, help="pictures to calibrate on")
    parser.add_argument("--calibration-boards", help="a folder of synthetic boards for it")
    bundle.add_arguments(parser)
    args = parser.parse_args()

    source = args.champion / "model.onnx"
    graph = onnx.load(str(source)).graph
    train, _, _ = split_boards(load_folder(args.data))
    step = max(len(train) * 3 // args.calibration, 1)
    boards = train[::step] + [bundle.bright_copper(b) for b in train[1::step]]
    if args.calibration_boards:
        drawn = bundle.of_another_part(load_folder(args.calibration_boards))
        boards += drawn[:: max(len(drawn) * 3 // args.calibration, 1)]
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "model.onnx"
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.onnx"
        quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
        quantize_static(
            str(ready),
            str(path),
            Pictures(boards, len(graph.input)),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_exclude=float_layers(onnx.load(str(ready)).graph),
        )
    model = onnx.load(str(path))
    props = {p.key: p.value for p in onnx.load(str(source)).metadata_props} | {"version": args.version}
    used = {node.domain for node in model.graph.node}
    versions = [onnx.helper.make_opsetid(o.domain, o.version) for o in model.opset_import if o.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(versions)
    model.producer_name, model.producer_version = "andon-pcb", args.version
    onnx.helper.set_model_props(model, props)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))

    manifest = json.loads((args.champion / "model.json").read_text())
    origin = f"Version {manifest['version']} in int8: static quantisation, calibrated on {len(boards)} boards"
    bundle.write(args, manifest["outputs"][0]["labels"], origin, source)


if __name__ == "__main__":
    main()
