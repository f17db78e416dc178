# SPDX-License-Identifier: MPL-2.0
"""How far two answers on one picture are apart."""

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
        return Answer(finds=[(d["label"], d["score"], *d["box"]) for d in result["detections"]])


@dataclass
class Difference:
    """The worst over several pictures; `only` names finds that one side alone has, with their scores."""

    pictures: int = 0
    ours: int = 0
    theirs: int = 0
    label: int = 0
    score: float = 0.0
    box: float = 0.0
    only: list = field(default_factory=list)

    def add(self, ours, theirs):
        self.pictures += 1
        if theirs.scores is not None:
            both = theirs.scores.keys() & ours.scores.keys()
            self.ours += len(ours.scores)
            self.theirs += len(theirs.scores)
            self.score = max([self.score] + [abs(ours.scores[k] - theirs.scores[k]) for k in both])
            best = [max(a.scores, key=a.scores.get) for a in (ours, theirs)]
            self.label += best[0] != best[1]
        else:
            self.finds(ours.finds, theirs.finds)

    def finds(self, ours, theirs):
        self.ours += len(ours)
        self.theirs += len(theirs)
        left = sorted(theirs, key=lambda f: -f[1])
        for mine in sorted(ours, key=lambda f: -f[1]):
            same = max(left, key=lambda f: overlap(mine[2:], f[2:]), default=None)
            if same is None or overlap(mine[2:], same[2:]) < 0.5:
                self.only.append(("ours", mine[0], round(mine[1], 3)))
                continue
            left.remove(same)
            self.label += mine[0] != same[0]
            self.score = max(self.score, abs(mine[1] - same[1]))
            a, b = corners(mine[2:]), corners(same[2:])
            self.box = max([self.box] + [abs(p - q) for p, q in zip(a, b)])
        self.only += [("theirs", f[0], round(f[1], 3)) for f in left]


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
