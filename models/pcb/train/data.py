# SPDX-License-Identifier: MPL-2.0
"""Boards on disk and the crops a detector is trained on.

A data folder is laid out like DeepPCB: `images/ID_test.*` (the board, grey), `images/ID_temp.*` (its defect-free
twin) and `labels/ID.txt` with `x1 y1 x2 y2 class` a line, classes counted from 1 in the order of `LABELS`.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

cv2.setNumThreads(1)

LABELS = ["open", "short", "mousebite", "spur", "copper", "pin-hole"]
"""The six DeepPCB kinds, in the order of their numbers; "copper" is spurious copper."""

MAX_BOXES = 20
IGNORE = -2
"""Class of a box that the crop cuts too much of: neither defect nor background."""

SPLIT = Path(__file__).with_name("split.json")


@dataclass
class Board:
    """One board: pixels (H, W) uint8, its defect-free twin or None, boxes (n, 4) x1 y1 x2 y2 in pixels, classes (n)."""

    id: str
    image: np.ndarray
    template: np.ndarray | None
    boxes: np.ndarray
    classes: np.ndarray
    binary: bool
    aligned: bool


def _grey(path):
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ValueError(f"{path}: not an image that OpenCV reads")
    return image


def load_folder(folder, limit=None):
    """Reads every board under `folder`, sorted by ID; raises FileNotFoundError where there is none."""
    folder = Path(folder)
    tests = sorted((folder / "images").glob("*_test.*"))[:limit]
    if not tests:
        raise FileNotFoundError(f"{folder}/images holds no *_test.* image; name a folder laid out like DeepPCB")
    boards = []
    for path in tests:
        board_id = path.name.split("_test")[0]
        image = _grey(path)
        twins = list((folder / "images").glob(f"{board_id}_temp.*"))
        template = _grey(twins[0]) if twins else None
        label_file = folder / "labels" / f"{board_id}.txt"
        rows = [list(map(int, line.split()[:5])) for line in label_file.read_text().splitlines() if line.strip()]
        table = np.array(rows, np.float32).reshape(-1, 5)
        extremes = ((image < 20) | (image > 235)).mean()
        aligned = template is not None and template.shape == image.shape
        if aligned:
            aligned = (np.abs(image.astype(np.int16) - template) > 60).mean() < 0.05
        boards.append(
            Board(
                board_id,
                image,
                template,
                table[:, :4],
                table[:, 4].astype(np.int64) - 1,
                bool(extremes > 0.98),
                bool(aligned),
            )
        )
    return boards


def split_boards(boards, split=SPLIT):
    """Sorts boards into (train, validation, held out) by their group, the first five digits of the ID."""
    rule = json.loads(Path(split).read_text())
    held = [b for b in boards if b.id[:5] in rule["held_out_groups"]]
    rest = [b for b in boards if b.id[:5] not in rule["held_out_groups"]]
    every = rule["validation_every"]
    train = [b for i, b in enumerate(rest) if i % every != 0]
    validation = [b for i, b in enumerate(rest) if i % every == 0]
    return train, validation, held


class Crops(torch.utils.data.Dataset):
    """Endless augmented crops: index decides nothing but the random stream, so the sampler may count to any number.

    `sources` are lists of boards, drawn by `weights`. With `classes` below 6, boxes of later kinds are background.
    A binarised board has dark copper; a share `invert` of them is turned into what a camera sees of bright copper.
    The two are told apart by contrast: dark copper stays below 0.15 of the bright level, a dark substrate above 0.2.
    """

    def __init__(self, sources, weights, classes, size=192, seed=0, length=1 << 30, invert=0.15, negatives=0.12):
        self.sources, self.classes, self.size, self.seed, self.length = sources, classes, size, seed, length
        self.weights = np.array(weights, np.float64) / sum(weights)
        self.invert, self.negatives = invert, negatives
        self.noise = np.random.default_rng(seed).standard_normal((1024, 1024)).astype(np.float32)
        self.by_class = []
        for boards in sources:
            table = [[] for _ in LABELS]
            for i, board in enumerate(boards):
                for j, kind in enumerate(board.classes):
                    table[kind].append((i, j))
            self.by_class.append(table)

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        rng = np.random.default_rng((self.seed, index))
        source = rng.choice(len(self.sources), p=self.weights)
        boards, table = self.sources[source], self.by_class[source]
        focus = None
        kinds = [k for k in range(len(LABELS)) if table[k]]
        if kinds and rng.random() < 0.75:
            picks = table[kinds[rng.integers(len(kinds))]]
            which, box = picks[rng.integers(len(picks))]
            board = boards[which]
            focus = board.boxes[box]
        else:
            board = boards[rng.integers(len(boards))]
        image, boxes, classes = board.image, board.boxes, board.classes
        if focus is None and board.template is not None and rng.random() < self.negatives / 0.25:
            image, boxes, classes = board.template, boxes[:0], classes[:0]
        elif board.binary and board.aligned and len(boxes):
            image, boxes, classes = self._repair(rng, board)
        image, boxes = self._crop(rng, image, boxes, focus)
        image, boxes = _turn(rng, image, boxes)
        image = self._light(rng, image, board.binary)
        target = self._target(boxes, classes)
        return torch.from_numpy(np.ascontiguousarray(image))[None], torch.from_numpy(target)

    @staticmethod
    def _repair(rng, board):
        """Puts the defect-free twin's pixels over some defects: the same place, good and bad."""
        gone = rng.random(len(board.boxes)) < 0.25
        if not gone.any():
            return board.image, board.boxes, board.classes
        image = board.image.copy()
        for i in np.flatnonzero(gone):
            x1, y1, x2, y2 = board.boxes[i].astype(int)
            others = np.delete(board.boxes, i, 0)
            apart = (others[:, 0] > x2) | (others[:, 2] < x1) | (others[:, 1] > y2) | (others[:, 3] < y1)
            if apart.all():
                image[y1:y2, x1:x2] = board.template[y1:y2, x1:x2]
            else:
                gone[i] = False
        return image, board.boxes[~gone], board.classes[~gone]

    def _crop(self, rng, image, boxes, focus):
        """Cuts a square at a random place (around `focus` where given) and scale, with a black rim now and then."""
        height, width = image.shape
        scale = 1.0 if rng.random() < 0.3 else float(np.exp(rng.uniform(np.log(0.8), np.log(1.25))))
        side = min(int(round(self.size / scale)), height, width)
        slack = 40 if rng.random() < 0.1 else 0
        low = np.array([-slack, -slack])
        high = np.array([width - side + slack, height - side + slack])
        if focus is not None:
            centre = np.array([focus[0] + focus[2], focus[1] + focus[3]]) / 2
            reach = max(side / 2 - 20, 1)
            low = np.maximum(low, np.floor(centre - side / 2 - reach))
            high = np.minimum(high, np.ceil(centre - side / 2 + reach))
        x, y = (int(rng.integers(int(a), int(max(a, b)) + 1)) for a, b in zip(low, high))
        cut = image[max(y, 0) : y + side, max(x, 0) : x + side]
        if cut.shape != (side, side):
            top, left = max(-y, 0), max(-x, 0)
            bottom, right = side - cut.shape[0] - top, side - cut.shape[1] - left
            cut = cv2.copyMakeBorder(cut, top, bottom, left, right, cv2.BORDER_CONSTANT, value=0)
        if side != self.size:
            how = cv2.INTER_AREA if side > self.size else cv2.INTER_LINEAR
            cut = cv2.resize(cut, (self.size, self.size), interpolation=how)
        return cut, (boxes - np.array([x, y, x, y], np.float32)) * (self.size / side)

    def _light(self, rng, image, binary):
        """Grey levels as a line camera sees them: levels, gamma, gain, a slope of light, blur and noise."""
        plain = rng.random()
        if binary:
            if rng.random() < self.invert:
                bright = rng.uniform(80, 245)
                dark = bright * rng.uniform(0.2, 0.6)
                image, plain = 255 - image, 1.0
            else:
                bright = 255 * rng.uniform(0.5, 1.0)
                dark = bright * rng.uniform(0, 0.15)
            if plain < 0.4:
                return image
            ramp = (np.arange(256) / 255.0) ** np.exp(rng.uniform(-0.4, 0.4))
            levels = dark + (bright - dark) * ramp
        else:
            if plain < 0.3:
                return image
            levels = np.arange(256) * rng.uniform(0.5, 1.2)
            middle = levels[int(image.mean())]
            levels = middle + (levels - middle) * rng.uniform(0.75, 1.15)
        image = cv2.LUT(image, np.clip(levels, 0, 255).astype(np.uint8))
        if rng.random() < 0.5:
            image = cv2.GaussianBlur(image, (5, 5), rng.uniform(0.3, 1.2))
        out = image.astype(np.float32)
        if rng.random() < 0.3:
            line = np.linspace(-1, 1, self.size, dtype=np.float32)
            out *= 1 + rng.uniform(-0.2, 0.2) * line[None, :] + rng.uniform(-0.2, 0.2) * line[:, None]
        if rng.random() < 0.7:
            y, x = rng.integers(0, self.noise.shape[0] - self.size, 2)
            out += self.noise[y : y + self.size, x : x + self.size] * np.float32(rng.uniform(1, 9))
        return np.clip(out, 0, 255).astype(np.uint8)

    def _target(self, boxes, classes):
        """Rows of x1 y1 x2 y2 class, padded with class -1; boxes half out of the crop are IGNORE, unknown kinds go."""
        target = np.full((MAX_BOXES, 5), -1, np.float32)
        inside = np.clip(boxes, 0, self.size)
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        seen = (inside[:, 2] - inside[:, 0]) * (inside[:, 3] - inside[:, 1]) / np.maximum(area, 1)
        keep = (seen > 0.02) & (classes < self.classes)
        rows = np.concatenate([inside, np.where(seen > 0.5, classes, IGNORE)[:, None]], 1)[keep][:MAX_BOXES]
        target[: len(rows)] = rows
        return target


def _turn(rng, image, boxes):
    """One of the eight turns and flips of a square."""
    size = image.shape[0]
    x1, y1, x2, y2 = boxes.T
    if rng.random() < 0.5:
        image, (x1, x2) = image[:, ::-1], (size - x2, size - x1)
    if rng.random() < 0.5:
        image, (y1, y2) = image[::-1], (size - y2, size - y1)
    if rng.random() < 0.5:
        image, (x1, y1, x2, y2) = image.T, (y1, x1, y2, x2)
    return np.ascontiguousarray(image), np.stack([x1, y1, x2, y2], 1)
