# SPDX-License-Identifier: MPL-2.0
"""Writes tests/data/preprocess.json: what plain numpy makes of patterned frames, for tests/preprocess.rs to compare.

Steps and order: every plane is resized to its place in the model's input (bilinear between half-pixel centres, edges
repeated, no low-pass), then converted to the model's colours, then normalised. Float64 all the way.

    python3 tests/oracles/preprocess.py
"""

import json
from pathlib import Path

import numpy as np


def pattern(seed, plane, width, height):
    """The bytes of a plane; tests/preprocess.rs computes the same."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    return ((x * 73 + y * 151 + plane * 199 + seed * 31 + x * y % 251 * 17) % 256).astype(np.uint8)


def resize(plane, width, height):
    """(h, w) or (h, w, c) to (height, width[, c])."""
    plane = plane.astype(np.float64)
    h, w = plane.shape[:2]
    x = np.clip((np.arange(width) + 0.5) * w / width - 0.5, 0, w - 1)
    y = np.clip((np.arange(height) + 0.5) * h / height - 0.5, 0, h - 1)
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    x1, y1 = np.minimum(x0 + 1, w - 1), np.minimum(y0 + 1, h - 1)
    extra = (1,) * (plane.ndim - 2)
    fx, fy = (x - x0).reshape(1, -1, *extra), (y - y0).reshape(-1, 1, *extra)
    top = plane[y0][:, x0] * (1 - fx) + plane[y0][:, x1] * fx
    bottom = plane[y1][:, x0] * (1 - fx) + plane[y1][:, x1] * fx
    return top * (1 - fy) + bottom * fy


def planes(case):
    """Unpadded planes as (h, w) or (h, w, c)."""
    w, h, seed = case["width"], case["height"], case["seed"]
    cw, ch = (w + 1) // 2, (h + 1) // 2
    bytes_of = {"RGB": 3, "BGR": 3, "RGBx": 4, "BGRx": 4}
    form = case["format"]
    if form in bytes_of:
        n = bytes_of[form]
        return [pattern(seed, 0, w * n, h).reshape(h, w, n)[:, :, :3]]
    luma = pattern(seed, 0, w, h)
    if form == "GRAY8":
        return [luma]
    if form == "NV12":
        return [luma, pattern(seed, 1, cw * 2, ch).reshape(ch, cw, 2)]
    return [luma, pattern(seed, 1, cw, ch), pattern(seed, 2, cw, ch)]


def to_rgb(y, u, v, matrix, full):
    kr, kb = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}[matrix]
    kg = 1 - kr - kb
    y, u, v = (y / 255, (u - 128) / 255, (v - 128) / 255) if full else ((y - 16) / 219, (u - 128) / 224, (v - 128) / 224)
    r = y + 2 * (1 - kr) * v
    b = y + 2 * (1 - kb) * u
    g = (y - kr * r - kb * b) / kg
    return np.clip(np.stack([r, g, b], axis=-1), 0, 1) * 255


def colours(case, resized):
    """(h, w, c) in the model's colours, 0..255."""
    form, wanted = case["format"], case["colour"]
    if form == "GRAY8":
        rgb = np.repeat(resized[0][:, :, None], 3, axis=2)
        grey = resized[0]
    elif form in ("NV12", "I420"):
        y = resized[0]
        u, v = (resized[1][:, :, 0], resized[1][:, :, 1]) if form == "NV12" else resized[1:]
        rgb = to_rgb(y, u, v, case["matrix"], case["full_range"])
        grey = y if case["full_range"] else np.clip((y - 16) * 255 / 219, 0, 255)
    else:
        rgb = resized[0] if form.startswith("RGB") else resized[0][:, :, ::-1]
        grey = rgb @ np.array([0.299, 0.587, 0.114])
    return {"grey": grey[:, :, None] if wanted == "grey" else None, "rgb": rgb, "bgr": rgb[:, :, ::-1]}[wanted]


def tensor(case):
    (mw, mh), w, h = case["size"], case["width"], case["height"]
    if case["resize"] == "letterbox":
        k = min(mw / w, mh / h)
        nw, nh = max(1, int(np.floor(w * k + 0.5))), max(1, int(np.floor(h * k + 0.5)))
    else:
        nw, nh = mw, mh
    image = colours(case, [resize(p, nw, nh) for p in planes(case)])
    out = np.full((mh, mw, image.shape[2]), float(case["pad"]))
    left, top = (mw - nw) // 2, (mh - nh) // 2
    out[top : top + nh, left : left + nw] = image
    out = (out - case["mean"]) * case["scale"]
    return out if case["layout"] == "NHWC" else out.transpose(2, 0, 1)


def cases():
    sizes = [(37, 23), (16, 12), (13, 31), (64, 48), (5, 7)]
    n = 0
    for form in ["GRAY8", "RGB", "BGR", "RGBx", "BGRx", "NV12", "I420"]:
        for resize_ in ["letterbox", "stretch"]:
            for colour in ["grey", "rgb"]:
                w, h = sizes[n % len(sizes)]
                yield {
                    "format": form, "resize": resize_, "colour": "bgr" if colour == "rgb" and n % 3 == 0 else colour,
                    "width": w, "height": h, "padding": [0, 3, 16][n % 3], "seed": n,
                    "matrix": ["bt601", "bt709"][n // 2 % 2], "full_range": n // 4 % 2 == 1,
                    "layout": ["NCHW", "NHWC"][n % 5 == 4], "size": [16, 12], "pad": 114, "mean": 0.0, "scale": 1 / 255,
                }
                n += 1


def main():
    found = []
    for case in cases():
        values = tensor(case).ravel()
        assert 0 <= values.min() and values.max() <= 1
        # In steps of 1/65535: far below the tolerance, and short.
        found.append({**case, "expected": np.round(values * 65535).astype(int).tolist()})
    path = Path(__file__).parent.parent / "data" / "preprocess.json"
    path.write_text("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in found) + "\n]\n")


main()
