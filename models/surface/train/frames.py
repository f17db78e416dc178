# SPDX-License-Identifier: MPL-2.0
"""Frames of `defecttestsrc`: drawn by GStreamer, scaled to the model's input, and normal ones spoilt for training.

A set is a folder of `SKU.raw` (and `SKU-bad.raw`): 640 x 640 GRAY8 frames one after the other. Equal seeds draw equal
parts with and without defects, so that the difference of the two files is the exact mask of the defects.
"""

import argparse
import subprocess
from pathlib import Path

import cv2
import numpy as np
import torch

cv2.setNumThreads(1)

DRAWN, SIZE = 640, 256
VISIBLE = 10
"""Grey levels by which a pixel must differ to count as spoilt."""


def draw(path, sku, seed, count, defect_rate):
    """Writes `count` frames of a product; GST_PLUGIN_PATH must lead to the plugin."""
    caps = f"video/x-raw,format=GRAY8,width={DRAWN},height={DRAWN}"
    source = ["defecttestsrc", f"num-buffers={count}", f"seed={seed}", f"sku={sku}", f"defect-rate={defect_rate}"]
    subprocess.run(["gst-launch-1.0", "-q", *source, "!", caps, "!", "filesink", f"location={path}"], check=True)


def load(path):
    """Frames (n, SIZE, SIZE) uint8, scaled by area as OpenCV's INTER_AREA does."""
    frames = np.fromfile(path, np.uint8).reshape(-1, DRAWN, DRAWN)
    return np.stack([cv2.resize(f, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for f in frames])


def load_bad(folder, sku):
    """Frames with defects (n, SIZE, SIZE) and their masks, true where over a quarter of a pixel is defect."""
    good, bad = (np.fromfile(folder / f"{sku}{end}.raw", np.uint8).astype(np.int16) for end in ("", "-bad"))
    differs = (np.abs(good - bad) >= VISIBLE).astype(np.uint8).reshape(-1, DRAWN, DRAWN) * 255
    masks = np.stack([cv2.resize(d, (SIZE, SIZE), interpolation=cv2.INTER_AREA) > 64 for d in differs])
    return load(folder / f"{sku}-bad.raw"), masks


def write_mvtec(frames, folder, skus):
    """Lays the test set out like MVTec AD, a category a product, for `andon evaluate`."""
    for sku in skus:
        good, bad = (np.fromfile(frames / f"{sku}{end}.raw", np.uint8).reshape(-1, DRAWN, DRAWN) for end in ("", "-bad"))
        masks = (cv2.absdiff(good, bad) >= VISIBLE).astype(np.uint8) * 255
        parts = {"test/good/{:04}.png": good, "test/defect/{:04}.png": bad, "ground_truth/defect/{:04}_mask.png": masks}
        for name, images in parts.items():
            (folder / sku / name).parent.mkdir(parents=True, exist_ok=True)
            for i, image in enumerate(images):
                cv2.imwrite(str(folder / sku / name.format(i)), image)


class Spoilt(torch.utils.data.Dataset):
    """Normal frames, three in four of them spoilt: (frame (1, SIZE, SIZE) uint8, mask (1, SIZE/2, SIZE/2) of 0 and 1).

    Spots, scratches and pieces of other places are put where nothing of the kind belongs; no true defect is seen.
    """

    def __init__(self, frames, seed=0, length=1 << 30):
        self.frames, self.seed, self.length = frames, seed, length
        rng = np.random.default_rng(seed)
        noise = rng.standard_normal((512, 512)).astype(np.float32)
        self.noise = noise
        smooth = [cv2.GaussianBlur(noise, (0, 0), s) for s in (1.0, 1.6, 2.5)]
        self.shapes = [s / s.std() for s in smooth]

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        rng = np.random.default_rng((self.seed, index))
        clean = self.frames[rng.integers(len(self.frames))]
        shift = np.float32([[1, 0, rng.uniform(-2, 2)], [0, 1, rng.uniform(-2, 2)]])
        clean = cv2.warpAffine(clean, shift, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
        image = clean.copy()
        if rng.random() < 0.75:
            for _ in range(rng.integers(1, 5)):
                self._spoil(rng, image, clean)
        mask = (np.abs(image - clean) >= VISIBLE).astype(np.float32)
        image = image * np.float32(rng.uniform(0.85, 1.15)) + np.float32(rng.uniform(-8, 8))
        if rng.random() < 0.3:
            image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 0.8))
        if rng.random() < 0.5:
            v, u = rng.integers(0, 512 - SIZE, 2)
            image += self.noise[v : v + SIZE, u : u + SIZE] * np.float32(rng.uniform(0.5, 4))
        mask = mask.reshape(SIZE // 2, 2, SIZE // 2, 2).max((1, 3))
        return torch.from_numpy(np.clip(image, 0, 255).astype(np.uint8))[None], torch.from_numpy(mask)[None]

    def _spoil(self, rng, image, clean):
        """One spot, scratch or misplaced piece, with soft edges."""
        side = int(rng.integers(6, 29))
        y, x = rng.integers(0, SIZE - side, 2)
        kind = rng.random()
        if kind < 0.6:
            shape = self.shapes[rng.integers(len(self.shapes))]
            v, u = rng.integers(0, 512 - side, 2)
            part = shape[v : v + side, u : u + side]
            away = np.hypot(*np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j])
            alpha = (part - rng.uniform(2.0, 3.5) * away + rng.uniform(0.3, 1.5) > 0).astype(np.float32)
        else:
            alpha = np.zeros((side, side), np.float32)
            ends = rng.integers(1, side - 1, 4)
            cv2.line(alpha, tuple(map(int, ends[:2])), tuple(map(int, ends[2:])), 1.0, int(rng.integers(1, 4)))
        alpha = cv2.GaussianBlur(alpha, (0, 0), rng.uniform(0.35, 0.8))
        if rng.random() < 0.35:
            other = self.frames[rng.integers(len(self.frames))]
            v, u = rng.integers(0, SIZE - side, 2)
            fill = other[v : v + side, u : u + side].astype(np.float32)
        else:
            v, u = rng.integers(0, SIZE, 2)
            fill = clean[v, u] + rng.uniform(-12, 12)
        here = image[y : y + side, x : x + side]
        here += alpha * (fill - here)


def main():
    parser = argparse.ArgumentParser(description="Draws the sets: train and validation of normal frames, test of both.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--skus", nargs="*", default=["A", "B"])
    args = parser.parse_args()
    for name, seed, count in (("train", 1, 150), ("validation", 2, 40), ("test", 3, 150)):
        folder = args.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        for sku in args.skus:
            draw(folder / f"{sku}.raw", sku, seed, count, 0)
            if name == "test":
                draw(folder / f"{sku}-bad.raw", sku, seed, count, 1)
        print(f"{folder}: {count} frames of each of {', '.join(args.skus)}", flush=True)
    write_mvtec(args.folder / "test", args.folder / "mvtec", args.skus)


if __name__ == "__main__":
    main()
