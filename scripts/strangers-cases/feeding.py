# SPDX-License-Identifier: MPL-2.0
"""How far the tensor that modelinfer feeds is from the one that a package feeds, pixel by pixel."""

import json
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from line import play

# How many numbers of a tensor are compared.
SAMPLE = 4000


@dataclass
class Feed:
    """A package's preparation: `tensor(path)` is what it feeds, as CHW before mean and deviation, 0..1."""

    name: str
    size: tuple
    # The fields of an input that say the same.
    fields: dict
    tensor: object
    why: str = ""


def difference(feed, paths, work):
    """The largest and the mean difference over the pictures, in grey levels (255ths)."""
    folder = work / "feeding"
    chosen = dump(folder, feed)
    found = []
    for path in paths:
        scores = {c["class"]: c["score"] for c in play(folder, path, work)["classes"]}
        theirs = np.ascontiguousarray(feed.tensor(path)).ravel()[chosen]
        found.append(np.abs(np.array([scores[i] for i in range(SAMPLE)]) - theirs) * 255)
    return max(f.max() for f in found), float(np.mean([f.mean() for f in found]))


def dump(folder, feed):
    """A bundle whose scores are the numbers of the tensor; returns their places."""
    folder.mkdir(parents=True, exist_ok=True)
    w, h = feed.size
    chosen = np.sort(np.random.default_rng(0).choice(3 * w * h, SAMPLE, replace=False))
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["x", "flat"], ["f"]), helper.make_node("Gather", ["f", "chosen"], ["y"], axis=1)],
        "dump",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, h, w])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, SAMPLE])],
        [
            helper.make_tensor("flat", TensorProto.INT64, [2], [1, -1]),
            helper.make_tensor("chosen", TensorProto.INT64, [SAMPLE], chosen.tolist()),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, folder / "model.onnx")
    labels = [f"n{i}" for i in range(SAMPLE)]
    manifest = {
        "schema": "andon.model/1",
        "name": "dump",
        "version": "1",
        "task": "classification",
        "inputs": [{"name": "x", "source": "image", "size": [w, h], **feed.fields}],
        "outputs": [{"name": "y", "decoder": "classification", "labels": labels, "activation": "none"}],
        "verdict": {"rule": "any-label"},
    }
    (folder / "model.json").write_text(json.dumps(manifest))
    return chosen
