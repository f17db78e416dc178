# SPDX-License-Identifier: MPL-2.0
"""Writes tests/data/preprocess.json and preprocess_formats.json: what OpenCV and numpy make of patterned frames, for tests/preprocess.rs to compare.

Steps and order: every plane is resized (cv2.resize of float32 planes: INTER_LINEAR or INTER_AREA; plain float64 numpy for
regions with fractions, which OpenCV does not take), then cropped or put into its letterbox, then converted to the
model's colours, then normalised and brought to the tensor's type.

    pip install opencv-python-headless && python3 tests/oracles/preprocess.py
"""

import json
from pathlib import Path

import cv2
import numpy as np

# Name, then bytes a pixel and where red, green, blue and alpha lie in it.
PACKED = {
    "RGB": (3, (0, 1, 2), None), "BGR": (3, (2, 1, 0), None),
    "RGBx": (4, (0, 1, 2), None), "BGRx": (4, (2, 1, 0), None), "xRGB": (4, (1, 2, 3), None), "xBGR": (4, (3, 2, 1), None),
    "RGBA": (4, (0, 1, 2), 3), "BGRA": (4, (2, 1, 0), 3), "ARGB": (4, (1, 2, 3), 0), "ABGR": (4, (3, 2, 1), 0),
}
# Of luma and chroma, 8 bits: the columns and rows that a sample of chroma covers, and the plane of U and of V; those of equal
# numbers are interleaved, U first.
PLANAR = {
    "I420": (2, 2, 1, 2), "YV12": (2, 2, 2, 1), "Y42B": (2, 1, 1, 2), "Y444": (1, 1, 1, 2),
    "NV12": (2, 2, 1, 1), "NV21": (2, 2, 1, 1), "NV16": (2, 1, 1, 1), "NV61": (2, 1, 1, 1),
}
# Where Y, U and V lie in four bytes for two pixels.
GROUPED = {"YUY2": (0, 1, 3), "UYVY": (1, 0, 2), "YVYU": (0, 3, 1)}
OLD_YUV = ["NV12", "NV21", "I420", "YUY2", "UYVY"]
NEW_YUV = ["YVYU", "YV12", "Y42B", "Y444", "NV16", "NV61", "AYUV", "P010_10LE", "I420_10LE"]
YUV = OLD_YUV + NEW_YUV
# The first ones keep the numbers of their cases.
FORMATS = ["GRAY8", "GRAY16_LE", *PACKED, "RGBP", *OLD_YUV]
NEW = ["GRAY16_BE", "GRAY10_LE32", "RGB16", *NEW_YUV]


def depth(form):
    """Bits of a sample of luma."""
    return 10 if form.endswith("_10LE") else 8


def pattern(seed, plane, width, height):
    """The bytes of a plane; tests/preprocess.rs computes the same."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    return ((x * 73 + y * 151 + plane * 199 + seed * 31 + x * y % 251 * 17) % 256).astype(np.uint8)


def components(case):
    """Float32 planes of samples, 0..255: (grey,) or (red, green, blue[, alpha]) or (luma, U, V)."""
    w, h, seed, form = case["width"], case["height"], case["seed"], case["format"]
    cw, ch = (w + 1) // 2, (h + 1) // 2
    if form == "GRAY8":
        found = [pattern(seed, 0, w, h)]
    elif form in ("GRAY16_LE", "GRAY16_BE"):
        white = 2 ** (case.get("bits") or 16) - 1
        words = pattern(seed, 0, w * 2, h).view("<u2" if form.endswith("LE") else ">u2")
        found = [np.minimum(words.astype(np.float64), white) * 255 / white]
    elif form == "GRAY10_LE32":
        words = pattern(seed, 0, (w + 2) // 3 * 4, h).view("<u4")
        found = [np.stack([words >> 10 * i & 1023 for i in range(3)], axis=2).reshape(h, -1)[:, :w] * 255 / 1023]
    elif form == "RGB16":
        words = pattern(seed, 0, w * 2, h).view("=u2")
        found = [(words >> 11) * 255 / 31, (words >> 5 & 63) * 255 / 63, (words & 31) * 255 / 31]
    elif form in PACKED:
        n, rgb, alpha = PACKED[form]
        pixels = pattern(seed, 0, w * n, h).reshape(h, w, n)
        found = [pixels[:, :, c] for c in (*rgb, *([] if alpha is None else [alpha]))]
    elif form == "RGBP":
        found = [pattern(seed, p, w, h) for p in range(3)]
    elif form == "AYUV":
        pixels = pattern(seed, 0, w * 4, h).reshape(h, w, 4)
        found = [pixels[:, :, c] for c in (1, 2, 3, 0)]
    elif form in ("P010_10LE", "I420_10LE"):
        # In 8-bit levels: a fourth of the number of 10 bits.
        upper = form == "P010_10LE"
        ten = lambda plane, wide, high: (pattern(seed, plane, wide * 2, high).view("<u2") >> (6 if upper else 0) & 1023) / 4
        chroma = ten(1, cw * 2, ch).reshape(ch, cw, 2).transpose(2, 0, 1) if upper else [ten(1, cw, ch), ten(2, cw, ch)]
        found = [ten(0, w, h), *chroma]
    elif form in PLANAR:
        across, down, u, v = PLANAR[form]
        cw, ch = -(-w // across), -(-h // down)
        if u == v:
            pairs = pattern(seed, 1, cw * 2, ch).reshape(ch, cw, 2)
            first = form in ("NV21", "NV61")
            chroma = [pairs[:, :, int(first)], pairs[:, :, int(not first)]]
        else:
            chroma = [pattern(seed, u, cw, ch), pattern(seed, v, cw, ch)]
        found = [pattern(seed, 0, w, h), *chroma]
    else:
        groups = pattern(seed, 0, cw * 4, h).reshape(h, cw, 4)
        y, u, v = GROUPED[form]
        found = [groups[:, :, y::2].reshape(h, cw * 2)[:, :w], groups[:, :, u], groups[:, :, v]]
    return [np.ascontiguousarray(p, dtype=np.float32) for p in found]


def linear(plane, start, length, size):
    """Bilinear of a part with fractions, as if it had been cut out: its outermost pixels are repeated."""
    def axis(samples, start, length, n):
        at = start + (np.arange(n) + 0.5) * length / n - 0.5
        at = np.clip(at, np.floor(start), min(np.ceil(start + length), samples) - 1)
        low = np.floor(at).astype(int)
        return low, np.minimum(low + 1, samples - 1), at - low
    plane = plane.astype(np.float64)
    x0, x1, fx = axis(plane.shape[1], start[0], length[0], size[0])
    y0, y1, fy = axis(plane.shape[0], start[1], length[1], size[1])
    fy = fy[:, None]
    top = plane[y0][:, x0] * (1 - fx) + plane[y0][:, x1] * fx
    bottom = plane[y1][:, x0] * (1 - fx) + plane[y1][:, x1] * fx
    return top * (1 - fy) + bottom * fy


def resized(case, plane, size):
    w, h = case["width"], case["height"]
    flag = {"bilinear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA}[case["interpolation"]]
    if case["region"] is None:
        return cv2.resize(plane, size, interpolation=flag)
    x, y, rw, rh = case["region"]
    # Chroma: half the numbers.
    fx, fy = (1 if plane.shape[1] == w else 0.5), (1 if plane.shape[0] == h else 0.5)
    assert case["interpolation"] == "bilinear"
    part = linear(plane, (x * fx, y * fy), (rw * fx, rh * fy), size)
    whole = [x * fx, y * fy, rw * fx, rh * fy]
    if all(v == int(v) for v in whole):
        # OpenCV says the same of what can be cut out.
        x, y, rw, rh = (int(v) for v in whole)
        cut = cv2.resize(np.ascontiguousarray(plane[y : y + rh, x : x + rw]), size, interpolation=flag)
        assert np.abs(cut - part).max() < 1e-2
    return part


# The weights of red and blue in luma, as ITU-T H.273 (table 4) lists them.
WEIGHTS = {
    "bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593), "smpte240m": (0.212, 0.087),
    "fcc": (0.30, 0.11),
}


def to_rgb(y, u, v, matrix, full, bits):
    kr, kb = WEIGHTS[matrix]
    kg = 1 - kr - kb
    # ITU-T H.273: limited range has the same 8-bit levels whatever the depth; full range ends at the largest number.
    top = (2**bits - 1) / 2 ** (bits - 8)
    y, u, v = (y / top, (u - 128) / top, (v - 128) / top) if full else ((y - 16) / 219, (u - 128) / 224, (v - 128) / 224)
    r = y + 2 * (1 - kr) * v
    b = y + 2 * (1 - kb) * u
    g = (y - kr * r - kb * b) / kg
    return np.clip(np.stack([r, g, b], axis=-1), 0, 1) * 255


def colours(case, planes):
    """(h, w, c) in the model's colours, 0..255."""
    form, wanted = case["format"], case["colour"]
    alpha = np.full(planes[0].shape, 255.0)
    if form.startswith("GRAY"):
        grey = planes[0]
        rgb = np.repeat(grey[:, :, None], 3, axis=2)
    elif form in YUV:
        rgb = to_rgb(*planes[:3], case["matrix"], case["full_range"], depth(form))
        top = 255 / (2 ** depth(form) - 1) * 2 ** (depth(form) - 8)
        grey = np.clip(planes[0] * top if case["full_range"] else (planes[0] - 16) * 255 / 219, 0, 255)
        alpha = planes[3] if len(planes) > 3 else alpha
    else:
        rgb = np.stack(planes[:3], axis=-1)
        grey = rgb @ np.array([0.299, 0.587, 0.114])
        alpha = planes[3] if len(planes) > 3 else alpha
    if wanted == "grey":
        return grey[:, :, None]
    rgb = rgb if wanted.startswith("rgb") else rgb[:, :, ::-1]
    return np.dstack([rgb, alpha]) if wanted.endswith("a") else rgb


def tensor(case):
    mw, mh = case["size"]
    _, _, w, h = case["region"] or [0, 0, case["width"], case["height"]]
    whole = lambda v: int(np.floor(v + 0.5))
    if case["resize"] == "stretch":
        nw, nh = mw, mh
    elif case["resize"] == "letterbox":
        k = min(mw / w, mh / h)
        nw, nh = max(1, whole(w * k)), max(1, whole(h * k))
    else:
        k = max(mw / w, mh / h)
        nw, nh = max(mw, whole(w * k)), max(mh, whole(h * k))
    planes = [resized(case, p, (nw, nh)).astype(np.float64) for p in components(case)]
    left, top = max(0, (nw - mw) // 2), max(0, (nh - mh) // 2)
    image = colours(case, [p[top : top + mh, left : left + mw] for p in planes])
    out = np.empty((mh, mw, image.shape[2]))
    out[:] = case["pad"]
    left, top = max(0, (mw - nw) // 2), max(0, (mh - nh) // 2)
    out[top : top + image.shape[0], left : left + image.shape[1]] = image
    out = (out - case["mean"]) * case["scale"]
    if case["type"] in ("u8", "i8"):
        low, high = (0, 255) if case["type"] == "u8" else (-128, 127)
        out = np.clip(out, low, high)
    return out if case["layout"] == "NHWC" else out.transpose(2, 0, 1)


SIZES = [(37, 23), (16, 12), (13, 31), (32, 24), (5, 7), (64, 36), (21, 9), (48, 12)]


def grid(form, n, bits=0):
    """All resizes, interpolations and strides of a format; `n` is the number of the first."""
    for resize in ["letterbox", "stretch", "crop"]:
        for interpolation in ["bilinear", "area", "region"]:
            for gap in [0, 3, 16]:
                w, h = SIZES[n % len(SIZES)]
                kind = ["f32", "f16", "f32", "u8", "i8"][n % 5]
                colour = ["rgb", "grey", "bgr", "rgba", "bgra"][n // 3 % 5]
                channels = {"grey": 1, "rgb": 3, "bgr": 3, "rgba": 4, "bgra": 4}[colour]
                region = None
                if interpolation == "region":
                    region = [[1.25, 0.5, w - 2.5, h - 1.75], [2.0, 2.0, w - 3.0, h - 4.0], [w / 4, 1.0, w / 2, 3.5]][n % 3]
                mean, scale = {
                    "u8": ([0.0], [1.0]), "i8": ([128.0], [1.0]),
                    "f32": ([0.0], [1 / 255]), "f16": ([10.5, 20.25, 30.0, 0.0], [0.01, 0.005, 0.0078125, 0.004]),
                }[kind]
                yield {
                    "format": form, "resize": resize, "interpolation": interpolation.replace("region", "bilinear"),
                    "region": region, "colour": colour, "width": w, "height": h, "padding": gap,
                    "ahead": [0, 1, 5][n // 2 % 3], "seed": n, "matrix": ["bt601", "bt709"][n // 2 % 2],
                    "full_range": n // 4 % 2 == 1, "layout": ["NCHW", "NHWC"][n // 2 % 2], "type": kind,
                    "size": [12, 8], "pad": [114.0, 0.0, 255.0, 7.0][:channels] if n % 2 else [114.0],
                    "mean": mean[:channels], "scale": scale[:channels], **({"bits": bits} if bits else {}),
                }
                n += 1


def ranges(form, n, matrices):
    """These matrices with both ranges."""
    for matrix in matrices:
        for full in [False, True]:
            w, h = SIZES[n % len(SIZES)]
            colour = ["rgb", "bgr"][n % 2]
            kind, mean, scale = [("f32", 0.0, 1 / 255), ("u8", 0.0, 1.0), ("i8", 128.0, 1.0)][n % 3]
            yield {
                "format": form, "resize": ["letterbox", "stretch", "crop"][n % 3], "interpolation": "bilinear",
                "region": None, "colour": colour, "width": w, "height": h, "padding": [0, 3, 16][n // 2 % 3],
                "ahead": 0, "seed": n, "matrix": matrix, "full_range": full, "layout": ["NCHW", "NHWC"][n // 3 % 2],
                "type": kind, "size": [12, 8], "pad": [114.0], "mean": [mean], "scale": [scale],
            }
            n += 1


def cases():
    """Those of the first formats."""
    found = []
    for form in FORMATS:
        found += grid(form, len(found))
    # Every matrix and range of every format that has one; the grids above are of BT.601 and BT.709.
    for form in OLD_YUV:
        found += ranges(form, len(found), ["bt2020", "smpte240m", "fcc"])
    return found


def further_cases():
    """Those of the formats that came later, and of 16 bits of which a camera uses fewer."""
    found = []
    for form, bits in [*((f, 0) for f in NEW), ("GRAY16_LE", 14), ("GRAY16_BE", 12)]:
        found += grid(form, len(found), bits)
    for form in NEW_YUV:
        found += ranges(form, len(found), WEIGHTS)
    return found


def main():
    for name, all_of_them in [("preprocess", cases()), ("preprocess_formats", further_cases())]:
        found = []
        for case in all_of_them:
            values = tensor(case).ravel()
            # In hundredths of what one pixel value makes of the tensor: far below the tolerance, and short.
            unit = min(case["scale"]) / 100
            found.append({**case, "unit": unit, "expected": np.round(values / unit).astype(int).tolist()})
        path = Path(__file__).parent.parent / "data" / f"{name}.json"
        path.write_text("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in found) + "\n]\n")


main()
