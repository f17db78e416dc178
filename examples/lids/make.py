# SPDX-License-Identifier: MPL-2.0
"""Stand-ins for a product of your own, for docs/tutorial.md and lifecycle.md: pictures of tin lids, and two models that look
for scratches.

    python3 examples/lids/make.py FOLDER [LIDS A DAY]

FOLDER/labelled/{free,scratch}/   pictures that somebody has sorted, for `andon evaluate`
FOLDER/monday/, FOLDER/tuesday/   what the line's camera took on two days, named by the number stamped on each lid
FOLDER/labels.csv                 what an inspector wrote of those, as a spreadsheet program saves it
FOLDER/lid-1.onnx, lid-2.onnx     the first looks for upright scratches only; the second for lying ones, too, but it is shy

Needs nothing but Python; every run writes the same bytes.
"""

import random
import struct
import sys
import zlib
from pathlib import Path

SIZE = 64
RADIUS = 28  # of a lid, pixels
INNER = 21  # where scratches are looked for: away from the rim
NOISE = 0.035  # of the camera: up to so much of the whole range, either way


def lid(rng, scratch):
    """A grey picture as rows of 0..1: a bright disc on a dark belt, not quite in the middle; `scratch` is None, "upright" or
    "lying"."""
    cx, cy = SIZE / 2 + rng.uniform(-1, 1), SIZE / 2 + rng.uniform(-1, 1)
    light = rng.uniform(0.62, 0.7)
    rows = [
        [light if (x - cx) ** 2 + (y - cy) ** 2 < RADIUS**2 else 0.15 for x in range(SIZE)] for y in range(SIZE)
    ]
    if scratch:
        depth = rng.uniform(0.18, 0.3)
        along, across = rng.randint(22, 30), rng.randint(24, 40)
        for k in range(along, along + rng.randint(8, 14)):
            x, y = (across, k) if scratch == "upright" else (k, across)
            rows[y][x] -= depth
    noise = iter(rng.randbytes(SIZE * SIZE))
    return [[min(1.0, max(0.0, v + NOISE * (next(noise) / 127.5 - 1))) for v in row] for row in rows]


def png(rows):
    """A grey PNG of 8 bits."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    raw = b"".join(b"\0" + bytes(round(v * 255) for v in row) for row in rows)
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


# An ONNX file is a message of protocol buffers. These four write what a small graph needs of it.


def number(field, value):
    return varint(field << 3) + varint(value)


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def message(field, *parts):
    data = b"".join(p.encode() if isinstance(p, str) else p for p in parts)
    return varint(field << 3 | 2) + varint(len(data)) + data


def floats(name, dims, values):
    """An initializer of the graph."""
    return message(
        5, *(number(1, d) for d in dims), number(2, 1), message(8, name), message(9, struct.pack(f"<{len(values)}f", *values))
    )


def node(kind, inputs, output, **attributes):
    def attribute(name, value):
        whole = isinstance(value, int)
        values = [number(3, value)] if whole else [number(8, v) for v in value]
        return message(5, message(1, name), *values, number(20, 2 if whole else 7))

    return message(
        1, *(message(1, i) for i in inputs), message(2, output), message(4, kind), *(attribute(*a) for a in attributes.items())
    )


def port(field, name, dims):
    shape = message(2, *(message(1, number(1, d)) for d in dims))
    return message(field, message(1, name), message(2, message(1, number(1, 1), shape)))


def model(kernels, even, steep):
    """A graph that takes the strongest answer of any kernel within the lid for a scratch: half sure at a line that is `even` of the
    range darker than what lies beside it, and the surer the steeper."""
    count = len(kernels)
    middle = (SIZE - 1) / 2
    mask = [float((x - middle) ** 2 + (y - middle) ** 2 < INNER**2) for y in range(SIZE) for x in range(SIZE)]
    graph = message(
        7,
        node("Conv", ["image", "kernels"], "answers", pads=[2, 2, 2, 2], kernel_shape=[5, 5]),
        node("Mul", ["answers", "inside"], "within"),
        node("ReduceMax", ["within"], "strongest", axes=[1, 2, 3], keepdims=1),
        node("Flatten", ["strongest"], "flat", axis=1),
        node("Gemm", ["flat", "weights", "bias"], "logits"),
        node("Softmax", ["logits"], "probabilities", axis=1),
        message(2, "lid"),
        floats("kernels", [count, 1, 5, 5], [v for kernel in kernels for row in kernel for v in row]),
        floats("inside", [1, 1, SIZE, SIZE], mask),
        floats("weights", [1, 2], [-steep, steep]),
        floats("bias", [2], [steep * even, -steep * even]),
        port(11, "image", [1, 1, SIZE, SIZE]),
        port(12, "probabilities", [1, 2]),
    )
    return number(1, 8) + message(2, "examples/lids") + graph + message(8, message(1, ""), number(2, 13))


UPRIGHT = [[0.1, 0.0, -0.2, 0.0, 0.1]] * 5
LYING = [list(column) for column in zip(*UPRIGHT)]


def main(folder, a_day=200):
    rng = random.Random(7)
    names = {"free": None, "upright": "upright", "lying": "lying"}
    for k in range(60):
        kind = ["free", "upright", "free", "lying"][k % 4]
        path = folder / "labelled" / ("free" if kind == "free" else "scratch") / f"{k:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(lid(rng, names[kind])))
    # Saved by a spreadsheet program: a mark of UTF-8, semicolons, and the names without their extension.
    rows = ["\ufeffFile;Verdict;Source;Remark"]
    for d, day in enumerate(["monday", "tuesday"]):
        (folder / day).mkdir(parents=True, exist_ok=True)
        for k in range(a_day):
            kind = rng.choice(["free"] * 4 + ["upright", "lying"])
            name = f"lid-{20000 + d * a_day + k}"
            (folder / day / f"{name}.png").write_bytes(png(lid(rng, names[kind])))
            rows.append(f"{name};{'ok' if kind == 'free' else 'ng'};sample;{'' if kind == 'free' else 'scratched, ' + kind}")
    (folder / "labels.csv").write_text("\r\n".join(rows) + "\r\n", encoding="utf-8")
    (folder / "lid-1.onnx").write_bytes(model([UPRIGHT], 0.125, 30.0))
    (folder / "lid-2.onnx").write_bytes(model([UPRIGHT, LYING], 0.25, 20.0))


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
