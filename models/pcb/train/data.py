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

COPPER, PIN_HOLE = LABELS.index("copper"), LABELS.index("pin-hole")

MAX_BOXES = 24
IGNORE = -2
"""Class of a box that the crop cuts too much of: neither defect nor background."""

SPLIT = Path(__file__).with_name("split.json")


@dataclass
class Board:
    """One board: pixels (H, W) uint8, its golden template or None, boxes (n, 4) x1 y1 x2 y2 in pixels, classes (n).

    `binary`: black and white. `aligned`: the template is the same picture but for the defects. `clean`: the board without
    its defects, where that is not the template.
    """

    id: str
    image: np.ndarray
    template: np.ndarray | None
    boxes: np.ndarray
    classes: np.ndarray
    binary: bool
    aligned: bool
    clean: np.ndarray | None = None


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


def split_boards(boards, held_out=None):
    """Sorts boards into (train, validation, held out) by their group, the first five digits of the ID.

    `held_out` are groups; by default those of split.json.
    """
    rule = json.loads(SPLIT.read_text())
    groups = held_out or rule["held_out_groups"]
    held = [b for b in boards if b.id[:5] in groups]
    rest = [b for b in boards if b.id[:5] not in groups]
    every = rule["validation_every"]
    train = [b for i, b in enumerate(rest) if i % every != 0]
    validation = [b for i, b in enumerate(rest) if i % every == 0]
    return train, validation, held


class Crops(torch.utils.data.Dataset):
    """Endless augmented crops: index decides nothing but the random stream, so the sampler may count to any number.

    `sources` are lists of boards, drawn by `weights`. With `classes` below 6, boxes of later kinds are background.
    With `template`, a crop has two planes: the board and its golden template, a little shifted and differently lit.
    A binarised board has dark copper; a share `invert` of them is turned into what a camera sees of bright copper.
    The two are told apart by contrast: dark copper stays below 0.15 of the bright level, a dark substrate above 0.2.
    """

    def __init__(self, sources, weights, classes, size=192, seed=0, length=1 << 30, invert=0.15, template=False):
        self.sources, self.classes, self.size, self.seed, self.length = sources, classes, size, seed, length
        self.weights = np.array(weights, np.float64) / sum(weights)
        self.invert, self.template = invert, template
        self.noise = np.random.default_rng(seed).standard_normal((1024, 1024)).astype(np.float32)
        self.by_class, self.families = [], []
        for boards in sources:
            table = [[] for _ in LABELS]
            for i, board in enumerate(boards):
                for j, kind in enumerate(board.classes):
                    table[kind].append((i, j))
            self.by_class.append(table)
            self.families.append({})
            for board in boards:
                self.families[-1].setdefault(board.id[:5], []).append(board)
        self.blots = {kind: _blots(sources[0], kind) for kind in (COPPER, PIN_HOLE)}

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
        twin = board.template
        if self.template and not board.binary and rng.random() < 0.7:
            twin = self._cousin(rng, source, board)
        view = View(rng, board, twin, focus, self.size)
        image, twin, boxes, classes = view.image, view.twin, view.boxes, view.classes
        if board.binary and board.aligned:
            if focus is None and rng.random() < 0.5:
                image, boxes, classes = twin.copy(), boxes[:0], classes[:0]
            elif len(boxes):
                image, boxes, classes = _repair(rng, image, twin, boxes, classes)
            if rng.random() < 0.35:
                image, boxes, classes = self._blot(rng, image, twin, boxes, classes)
            image, twin, classes = _line_width(rng, image, twin, boxes, classes)
        elif focus is None and board.template is not None and rng.random() < 0.5:
            image, boxes, classes = twin.copy(), boxes[:0], classes[:0]
        image, boxes = view.warp(image), view.move(boxes)
        light = self._levels(rng, board.binary)
        planes = [self._light(rng, image, light)]
        if self.template:
            twin = view.warp(twin, _slip(rng))
            if rng.random() < 0.5:
                light = self._levels(rng, board.binary, light[2])
            planes.append(self._light(rng, twin, light))
        target = self._target(boxes, classes)
        return torch.from_numpy(np.stack(planes)), torch.from_numpy(target)

    def _cousin(self, rng, source, board):
        """The template that another part of the same product left: other placement, texture and grey levels."""
        family = self.families[source][board.id[:5]]
        return family[rng.integers(len(family))].template

    def _blot(self, rng, image, twin, boxes, classes):
        """Puts spurious copper and pin-holes of other boards where the design has nothing but ground, or copper."""
        image, added, kinds = image.copy(), [], []
        for _ in range(rng.integers(1, 4)):
            kind = COPPER if rng.random() < 0.4 else PIN_HOLE
            if not self.blots[kind]:
                continue
            blot = self.blots[kind][rng.integers(len(self.blots[kind]))]
            blot = np.rot90(blot, rng.integers(4))
            height, width = blot.shape
            room = np.array(image.shape) - blot.shape - 8
            if room.min() <= 0:
                continue
            for _ in range(6):
                y, x = rng.integers(4, room + 4)
                around = np.s_[y - 4 : y + height + 4, x - 4 : x + width + 4]
                both = np.minimum(image[around], twin[around]) if kind == COPPER else np.maximum(image[around], twin[around])
                if both.min() > 200 if kind == COPPER else both.max() < 50:
                    image[y : y + height, x : x + width][blot] = 0 if kind == COPPER else 255
                    added.append([x, y, x + width, y + height])
                    kinds.append(kind)
                    break
        if not added:
            return image, boxes, classes
        return image, np.concatenate([boxes, np.array(added, np.float32)]), np.concatenate([classes, kinds])

    def _levels(self, rng, binary, inverted=None):
        """How grey levels are drawn: (table of 256 or None for as they are, contrast kept by, turned to bright copper)."""
        plain = rng.random()
        if not binary:
            return (None if plain < 0.3 else ("camera", rng.uniform(0.5, 1.2), rng.uniform(0.75, 1.15))), plain, False
        if inverted is None:
            inverted = rng.random() < self.invert
        if inverted:
            bright = rng.uniform(80, 245)
            dark = bright * rng.uniform(0.2, 0.6)
            ramp = np.arange(255, -1, -1) / 255.0
        else:
            if plain < 0.35:
                return None, plain, False
            bright = 255 * rng.uniform(0.5, 1.0)
            dark = bright * rng.uniform(0, 0.15)
            ramp = np.arange(256) / 255.0
        return dark + (bright - dark) * ramp ** np.exp(rng.uniform(-0.4, 0.4)), plain, inverted

    def _light(self, rng, image, light):
        """Grey levels as a line camera sees them: levels, gain, a slope of light, blur and noise."""
        levels = light[0]
        if levels is None:
            return image
        if isinstance(levels, tuple):
            _, gain, contrast = levels
            levels = np.arange(256) * gain
            middle = levels[int(image.mean())]
            levels = middle + (levels - middle) * contrast
        image = cv2.LUT(image, np.clip(levels, 0, 255).astype(np.uint8))
        if rng.random() < 0.5:
            image = cv2.GaussianBlur(image, (5, 5), rng.uniform(0.3, 1.3))
        sloping, noisy = rng.random() < 0.3, rng.random() < 0.7
        if not sloping and not noisy:
            return image
        out = image.astype(np.float32)
        if sloping:
            line = np.linspace(-1, 1, self.size, dtype=np.float32)
            slope = np.float32(rng.uniform(-0.2, 0.2)) * line
            out *= 1 + slope[None, :] + (np.float32(rng.uniform(-0.2, 0.2)) * line)[:, None]
        if noisy:
            y, x = rng.integers(0, self.noise.shape[0] - self.size, 2)
            out += self.noise[y : y + self.size, x : x + self.size] * np.float32(rng.uniform(1, 9))
        return cv2.convertScaleAbs(np.maximum(out, 0, out=out))

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


class View:
    """Where a crop looks: the part of a board that it needs, and the turn, scale and flip that bring it to the crop.

    `image`, `twin`: that part of the board and of the template; `boxes` and `classes`: defects in the part's pixels.
    """

    def __init__(self, rng, board, twin, focus, size):
        height, width = board.image.shape
        scale = 1.0 if rng.random() < 0.5 else float(np.exp(rng.uniform(np.log(0.62), np.log(1.6))))
        angle = np.deg2rad(rng.uniform(-7, 7)) if rng.random() < 0.3 else 0.0
        half = size / scale / 2
        slack = 40 if rng.random() < 0.1 else 0
        low = np.array([half - slack, half - slack])
        high = np.array([width - half + slack, height - half + slack])
        if focus is not None:
            middle = np.array([focus[0] + focus[2], focus[1] + focus[3]]) / 2
            reach = max(half - 20 / min(scale, 1), 1)
            low, high = np.maximum(low, middle - reach), np.minimum(high, middle + reach)
        centre = np.round(low + (np.maximum(high, low) - low) * rng.random(2))
        if size % 2 == 1:
            centre += 0.5
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        if rng.random() < 0.5:
            turn = turn @ np.diag([-1.0, 1.0])
        if rng.random() < 0.5:
            turn = turn @ np.diag([1.0, -1.0])
        if rng.random() < 0.5:
            turn = turn[:, ::-1]
        reach = int(np.ceil(half * (abs(np.cos(angle)) + abs(np.sin(angle))))) + 8
        x1, y1 = np.maximum(centre.astype(int) - reach, 0)
        x2, y2 = np.minimum(centre.astype(int) + reach, [width, height])
        corner = np.array([x1, y1])
        self.size, self.scale, self.turn, self.centre = size, scale, turn, centre - corner
        self.image = board.image[y1:y2, x1:x2]
        self.twin = None if twin is None else twin[y1:y2, x1:x2]
        self.boxes = board.boxes - np.tile(corner, 2).astype(np.float32)
        self.classes = board.classes

    def warp(self, image, slip=None):
        """The crop of `image`, black beyond the board; `slip` is a further 2x2 turn and a shift in crop pixels."""
        matrix = self.turn / self.scale
        offset = np.zeros(2)
        if slip is not None:
            matrix, offset = matrix @ slip[0], slip[1]
        middle = np.full(2, (self.size - 1) / 2)
        shift = self.centre - 0.5 - matrix @ (middle + offset)
        if self.scale < 0.85:
            image = cv2.GaussianBlur(image, (3, 3), 0.45 / self.scale)
        return cv2.warpAffine(
            image, np.column_stack([matrix, shift]), (self.size, self.size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )

    def move(self, boxes):
        """Boxes of the part in pixels of the crop. A tilt of a few degrees does not widen them: defects are round."""
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2
        halves = (boxes[:, 2:] - boxes[:, :2]) / 2 * self.scale
        if abs(self.turn[0, 0]) < 0.5:
            halves = halves[:, ::-1]
        middles = (middles - self.centre) @ self.turn * self.scale + self.size / 2
        return np.concatenate([middles - halves, middles + halves], 1).astype(np.float32)


def _slip(rng):
    """How far a golden template lies off once the model has aligned it: (2x2 turn and scale, shift in pixels)."""
    angle = np.deg2rad(rng.uniform(-0.4, 0.4)) if rng.random() < 0.3 else 0.0
    scale = rng.uniform(0.997, 1.003) if rng.random() < 0.3 else 1.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * scale
    kind = rng.random()
    reach = 0.0 if kind < 0.3 else 1.2 if kind < 0.92 else 3.0
    return turn, rng.uniform(-reach, reach, 2)


def _blots(boards, kind):
    """Shapes of the defects of one kind on binarised boards, as masks of their boxes."""
    shapes = []
    for board in boards:
        if not (board.binary and board.aligned):
            continue
        for x1, y1, x2, y2 in board.boxes[board.classes == kind].astype(int):
            mask = np.abs(board.image[y1:y2, x1:x2].astype(np.int16) - board.template[y1:y2, x1:x2]) > 128
            if mask.sum() >= 12:
                shapes.append(mask)
    return shapes


def _repair(rng, image, twin, boxes, classes):
    """Puts the defect-free twin's pixels over some defects: the same place, good and bad."""
    gone = rng.random(len(boxes)) < 0.25
    if not gone.any():
        return image, boxes, classes
    image = image.copy()
    for i in np.flatnonzero(gone):
        x1, y1, x2, y2 = np.maximum(boxes[i].astype(int), 0)
        others = np.delete(boxes, i, 0)
        apart = (others[:, 0] > x2) | (others[:, 2] < x1) | (others[:, 1] > y2) | (others[:, 3] < y1)
        if apart.all():
            image[y1:y2, x1:x2] = twin[y1:y2, x1:x2]
        else:
            gone[i] = False
    return image, boxes[~gone], classes[~gone]


def _line_width(rng, image, twin, boxes, classes):
    """Makes copper wider or narrower by a pixel or two a side; a defect that this closes is IGNORE."""

    def grown(picture, steps):
        if steps == 0:
            return picture
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(steps) + 1,) * 2)
        return cv2.erode(picture, kernel) if steps > 0 else cv2.dilate(picture, kernel)

    steps = int(rng.choice([-2, -1, 1, 2], p=[0.15, 0.35, 0.35, 0.15])) if rng.random() < 0.35 else 0
    other = steps + (int(rng.choice([-1, 1])) if rng.random() < 0.1 else 0)
    if steps:
        classes = classes.copy()
        image, same = grown(image, steps), grown(twin, steps)
        for i, (x1, y1, x2, y2) in enumerate(np.maximum(boxes.astype(int), 0)):
            part = np.s_[y1:y2, x1:x2]
            if (cv2.absdiff(image[part], same[part]) > 128).sum() < 10 if image[part].size else False:
                classes[i] = IGNORE
        twin = same if other == steps else grown(twin, other)
    elif other:
        twin = grown(twin, other)
    return image, twin, classes
