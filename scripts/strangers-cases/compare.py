# SPDX-License-Identifier: MPL-2.0
"""How far two answers on one picture are apart."""

import math
from dataclasses import dataclass, field


@dataclass
class Answer:
    """What a model says of a picture: finds [(label, score, x, y, width, height)] in pixels of the picture, or a score
    for each label (of a segmentation: the share of the picture), 0..1."""

    finds: list = None
    scores: dict = None

    @staticmethod
    def of(result):
        """Ours, of the JSON of a result."""
        if result["status"] != "ok":
            raise ValueError(f"status {result['status']}")
        if result["classes"]:
            return Answer(scores={c["label"]: c["score"] for c in result["classes"]})
        if "segmentation" in result:
            return Answer(scores={c["label"]: c["share"] for c in result["segmentation"]["shares"]})
        return Answer(
            finds=[(d["label"], d["score"], *upright(*d["box"], d.get("angle"))) for d in result["detections"]]
        )


@dataclass
class Difference:
    """The worst over several pictures; `only` lists finds that one side alone has."""

    pictures: int = 0
    ours: int = 0
    theirs: int = 0
    label: int = 0
    score: float = 0.0
    box: float = 0.0
    only: list = field(default_factory=list)

    def add(self, ours, theirs, frame):
        """Adds the answers on one picture of this width and height."""
        self.pictures += 1
        if theirs.scores is not None:
            both = theirs.scores.keys() & ours.scores.keys()
            self.ours += len(ours.scores)
            self.theirs += len(theirs.scores)
            self.score = max([self.score] + [abs(ours.scores[k] - theirs.scores[k]) for k in both])
            best = [max(a.scores, key=a.scores.get) for a in (ours, theirs)]
            self.label += best[0] != best[1]
        else:
            # Some packages keep what lies beyond the picture, or boxes without an area.
            clipped = [[(*f[:2], *clip(f[2:], frame)) for f in side.finds] for side in (ours, theirs)]
            self.finds(*[[f for f in side if f[4] > 0.01 and f[5] > 0.01] for side in clipped])

    def finds(self, ours, theirs):
        self.ours += len(ours)
        self.theirs += len(theirs)
        # The most alike first: the place, the score and the label tell which two are the same.
        pairs = []
        for i, a in enumerate(ours):
            for k, b in enumerate(theirs):
                if (common := overlap(a[2:], b[2:])) >= 0.5:
                    pairs.append((1 - common + abs(a[1] - b[1]) + (a[0] != b[0]), i, k))
        mine, yours = set(range(len(ours))), set(range(len(theirs)))
        for _, i, k in sorted(pairs):
            if i not in mine or k not in yours:
                continue
            mine.remove(i)
            yours.remove(k)
            a, b = ours[i], theirs[k]
            self.label += a[0] != b[0]
            self.score = max(self.score, abs(a[1] - b[1]))
            self.box = max([self.box] + [abs(p - q) for p, q in zip(corners(a[2:]), corners(b[2:]))])
        self.only += [("ours", *ours[i]) for i in sorted(mine)] + [("theirs", *theirs[k]) for k in sorted(yours)]


def upright(x, y, w, h, angle):
    """The upright bounds of a box that is turned about its centre."""
    if angle is None:
        return x, y, w, h
    c, s = abs(math.cos(angle)), abs(math.sin(angle))
    wide, high = w * c + h * s, w * s + h * c
    return x + (w - wide) / 2, y + (h - high) / 2, wide, high


def clip(box, frame):
    """The part of a box that lies in the picture; inside out stays inside out."""
    x0, y0, x1, y1 = (min(max(v, 0), frame[i % 2]) for i, v in enumerate(corners(box)))
    return x0, y0, x1 - x0, y1 - y0


def corners(box):
    x, y, w, h = box
    return x, y, x + w, y + h


def overlap(a, b):
    """Intersection over union of two boxes x, y, width, height."""
    a, b = corners(a), corners(b)
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    area = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return w * h / (sum(area) - w * h)
