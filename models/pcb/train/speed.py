# SPDX-License-Identifier: MPL-2.0
"""Times bundles in bare ONNX Runtime, in turns so that a busy machine is as busy for each: python3 speed.py BUNDLE..."""

import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime

TURNS = 60


def session(bundle, threads):
    """A session on one bundle's graph, and a feed of noise for it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    run = onnxruntime.InferenceSession(str(bundle / "model.onnx"), options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    return run, {i.name: rng.random(i.shape, np.float32) for i in run.get_inputs()}


def main():
    bundles = [Path(name) for name in sys.argv[1:]]
    print("| bundle | threads | fastest ms | median ms |\n|---|---|---|---|")
    for threads in (1, 2):
        sessions = [session(b, threads) for b in bundles]
        times = [[] for _ in bundles]
        for _ in range(TURNS):
            for (run, feed), own in zip(sessions, times):
                begin = time.perf_counter()
                run.run(None, feed)
                own.append((time.perf_counter() - begin) * 1e3)
        for bundle, own in zip(bundles, times):
            print(f"| {bundle.parent.name}/{bundle.name} | {threads} | {min(own):.1f} | {np.median(own[5:]):.1f} |")


if __name__ == "__main__":
    main()
