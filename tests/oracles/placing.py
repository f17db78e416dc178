# SPDX-License-Identifier: MPL-2.0
"""Writes tests/data/placing.json: where the authors' own steps put a frame in the model's input, and what Pillow and OpenCV
make of its pixels, for crates/andon-inference/src/preprocess/tests.rs to compare.

Each case is placed by the arithmetic of the code that it names, in the floating-point numbers of Python. Pixels are resized
as 32-bit floats (`expected`); where Pillow does the same in 8 bits, which it rounds to after each pass, `rounded` has that.

    pip install opencv-python-headless pillow && python3 tests/oracles/placing.py
"""

import json
from pathlib import Path

import cv2
import numpy as np
from PIL import Image


def pattern(seed, plane, width, height):
    """The bytes of a plane; the test computes the same."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    return ((x * 73 + y * 151 + plane * 199 + seed * 31 + x * y % 251 * 17) % 256).astype(np.uint8)


def components(case):
    w, h, seed = case["width"], case["height"], case["seed"]
    if case["format"] == "GRAY8":
        return [pattern(seed, 0, w, h)]
    if case["format"] == "RGB":
        return list(np.moveaxis(pattern(seed, 0, w * 3, h).reshape(h, w, 3), 2, 0))
    pairs = pattern(seed, 1, w // 2 * 2, h // 2).reshape(h // 2, w // 2, 2)
    return [pattern(seed, 0, w, h), pairs[:, :, 0], pairs[:, :, 1]]


def place(case):
    """The size that the frame is scaled to, and the place of its first pixel in the model's input (negative: cut off)."""
    (mw, mh), w, h = case["size"], case["width"], case["height"]
    by = case["by"]
    if by == "ultralytics":  # LetterBox: round, and round(d -/+ 0.1) of the halved rest.
        r = min(mh / h, mw / w)
        new = round(w * r), round(h * r)
        return new, tuple(round((m - n) / 2 - 0.1) for m, n in zip((mw, mh), new))
    if by == "yolox":  # preproc: int, and the top left corner.
        r = min(mh / h, mw / w)
        return (int(w * r), int(h * r)), (0, 0)
    if by == "mmcv":  # imrescale to fit and Pad to the size: the nearest, and the top left corner.
        r = min(mh / h, mw / w)
        return (int(w * r + 0.5), int(h * r + 0.5)), (0, 0)
    # torchvision's Resize(n), then the middle: CenterCrop rounds its place, Hugging Face's center_crop cuts it down.
    n = case["shorter_side"]
    new = (n, int(n * h / w)) if w <= h else (int(n * w / h), n)
    whole = (lambda v: int(round(v))) if by == "torchvision" else (lambda v: int(v))
    return new, tuple(-whole((s - m) / 2.0) for s, m in zip(new, (mw, mh)))


def resize(plane, size, interpolation, bits):
    if interpolation == "antialias":
        plane = plane if bits == 8 else plane.astype(np.float32)
        return np.asarray(Image.fromarray(plane).resize(size, Image.BILINEAR)).astype(np.float64)
    flag = {"bilinear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA}[interpolation]
    return cv2.resize(plane.astype(np.float32), size, interpolation=flag).astype(np.float64)


def tensor(case, bits):
    new, (left, top) = place(case)
    planes = [resize(np.ascontiguousarray(p), new, case["interpolation"], bits) for p in components(case)]
    if case["format"] == "NV12":  # BT.601, video range.
        y, u, v = (planes[0] - 16) / 219, (planes[1] - 128) / 224, (planes[2] - 128) / 224
        r, b = y + 1.402 * v, y + 1.772 * u
        planes = [np.clip(c, 0, 1) * 255 for c in (r, (y - 0.299 * r - 0.114 * b) / 0.587, b)]
    mw, mh = case["size"]
    out = np.full((len(planes), mh, mw), float(case["pad"]))
    x0, y0 = max(0, left), max(0, top)
    cut = [p[max(0, -top) :, max(0, -left) :][: mh - y0, : mw - x0] for p in planes]
    for o, p in zip(out, cut):
        o[y0 : y0 + p.shape[0], x0 : x0 + p.shape[1]] = p
    return out


def cases():
    said = {
        "ultralytics": {"resize": "letterbox"},
        "yolox": {"resize": "letterbox", "align": "top-left", "rounding": "down"},
        "mmcv": {"resize": "letterbox", "align": "top-left"},
        "torchvision": {"resize": "crop", "shorter_side": 14},
        "hugging-face": {"resize": "crop", "shorter_side": 15, "rounding": "down"},
    }
    seed = 0
    for by, input in said.items():
        for form, interpolation in [("RGB", "antialias"), ("NV12", "antialias"), ("GRAY8", "bilinear"), ("GRAY8", "area")]:
            for size in [[12, 9], [11, 11]]:
                # mmcv rounds a half up: none of these sides comes to one.
                for w, h in [(64, 46), (46, 90), (38, 26), (10, 8)][: 2 if interpolation == "area" else 4]:
                    seed += 1
                    yield {
                        "by": by, "format": form, "width": w, "height": h, "seed": seed, "size": size, "pad": 114,
                        "interpolation": interpolation, "input": input, **input,
                    }
    # Ties: a half is rounded to even, as Python does.
    for w, h in [(32, 25), (32, 27), (25, 32)]:
        yield {
            "by": "ultralytics", "format": "GRAY8", "width": w, "height": h, "seed": w + h, "size": [16, 16], "pad": 0,
            "interpolation": "bilinear", "input": said["ultralytics"], **said["ultralytics"],
        }


def main():
    found, worst = [], 0.0
    for case in cases():
        exact = tensor(case, 32)
        kept = {k: case[k] for k in ("by", "format", "width", "height", "seed", "size", "pad", "interpolation", "input")}
        kept["expected"] = np.round(exact.ravel() * 100).astype(int).tolist()
        if case["interpolation"] == "antialias" and case["format"] == "RGB":
            worst = max(worst, np.abs(tensor(case, 8) - exact).max())
            kept["rounded"] = tensor(case, 8).ravel().astype(int).tolist()
        (mw, mh), new = case["size"], place(case)
        kept["place"] = [*new[0], *new[1]]
        found.append(kept)
    path = Path(__file__).parent.parent / "data" / "placing.json"
    path.write_text("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in found) + "\n]\n")
    print(f"{len(found)} cases; Pillow's 8 bits differ from its floats by up to {worst:.3f} levels")


main()
