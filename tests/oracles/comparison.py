# SPDX-License-Identifier: MPL-2.0
"""Writes tests/data/comparison.json: the numbers of scikit-learn and numpy for a million pairs, with which
tests/comparison.rs compares the comparison of two arms.

The pairs come from SplitMix64 (Steele, Lea & Flood, OOPSLA 2014), draw by draw as in tests/comparison.rs. All scores and
coordinates are small multiples of powers of two, so that both languages see the same numbers.

    python3 -m venv VENV && . VENV/bin/activate
    pip install numpy scikit-learn
    python3 tests/oracles/comparison.py
"""

import json
from pathlib import Path

import numpy as np
from sklearn.metrics import accuracy_score, cohen_kappa_score

FRAMES, MIDWAY, SPLIT, WINDOW, MOST_DIFFERENT, LABELS = 1_000_000, 400_000, 200_000, 1000, 16, 6
SEED, GAMMA = 0x5EED, 0x9E3779B97F4A7C15
OK, NG, REVIEW, UNJUDGED = range(4)
ANSWERED, FAILED, SKIPPED = range(3)


def draw(n, below):
    """Returns the n-th output of the generator, modulo a bound."""
    z = np.uint64(SEED) + (np.asarray(n, np.uint64) + np.uint64(1)) * np.uint64(GAMMA)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return ((z >> np.uint64(32)) % np.uint64(below)).astype(np.int64)


def make_parts():
    """Returns of each part: its views, whether frames name it, whether it is of production, whether its truth is
    known, and the arm that gets it in a split."""
    p = np.arange(FRAMES)

    def at(j, below):
        return draw((1 << 40) + p * 8 + j, below)

    views = np.array([2, 3, 4, 1, 1, 1, 1, 1])[at(0, 8)]
    told = (views > 1) | (at(1, 2) == 0)
    production = ~(told & (at(2, 100) == 0))
    return views, told, production, at(3, 2) == 0, at(4, 5) == 0


def make_frames(f):
    """Returns of each frame: the results of both arms, and whether the part is bad in this view."""

    def at(j, below):
        return draw(f * 64 + j, below)

    bad = at(0, 16) == 0
    score_a = at(13, 257) / 256
    score_b = np.where(at(14, 4) == 0, at(15, 257) / 256, score_a)
    arms = []
    for j, flips, reviews, latency, score in [
        (0, 32, 64, 1500 + at(7, 1000) + (at(8, 100) == 0) * at(9, 50_000), score_a),
        (1, 24, 48, 1200 + at(10, 1500) + (at(11, 50) == 0) * at(12, 90_000), score_b),
    ]:
        verdict = np.where(bad ^ (at(1 + j, flips) == 0), NG, OK)
        verdict[at(3 + j, reviews) == 0] = REVIEW
        status = np.array([FAILED, FAILED, FAILED, SKIPPED, SKIPPED, ANSWERED])[np.minimum(at(5 + j, 200), 5)]
        verdict[status != ANSWERED] = UNJUDGED
        arms.append({"verdict": verdict, "status": status, "latency": latency, "score": score})

    def stack(make, count):
        return np.stack([make(k) for k in range(count)], axis=1)

    found = np.array([0, 0, 0, 0, 1, 1, 2, 3])[at(16, 8)]
    a = {
        "there": stack(lambda k: k < found, 3),
        "label": stack(lambda k: at(20 + 6 * k, 5), 3),
        "score": stack(lambda k: at(21 + 6 * k, 17) / 16, 3),
        "box": stack(lambda k: np.stack([at(22 + 6 * k, 400) / 4, at(23 + 6 * k, 400) / 4,
                                         8 + at(24 + 6 * k, 129) / 4, 8 + at(25 + 6 * k, 129) / 4], axis=1), 3),
    }
    fate = stack(lambda k: at(40 + 6 * k, 8), 3)
    # Fate 2 makes the later boxes copies of the first, so that overlaps are equal.
    copied = np.where((fate == 2)[:, :, None], a["box"][:, :1], a["box"])
    moved = copied.copy()
    moved[:, :, 0] += stack(lambda k: (at(42 + 6 * k, 33) - 16) / 4, 3)
    moved[:, :, 1] += stack(lambda k: (at(43 + 6 * k, 33) - 16) / 4, 3)
    moved = np.where((fate == 2)[:, :, None], copied, moved)
    label = np.where(fate == 2, a["label"][:, :1], np.where(fate == 1, (a["label"] + 1) % 5, a["label"]))
    other = stack(lambda k: at(41 + 6 * k, 4) == 0, 3)
    score = np.where(other, stack(lambda k: at(44 + 6 * k, 17) / 16, 3), a["score"])
    extra = np.stack([at(61, 400) / 4, at(62, 400) / 4, 0 * f + 16.0, 0 * f + 16.0], axis=1)
    b = {
        "there": np.concatenate([a["there"] & (fate != 0), (at(58, 10) == 0)[:, None]], axis=1),
        "label": np.concatenate([label, at(59, LABELS)[:, None]], axis=1),
        "score": np.concatenate([score, (at(60, 17) / 16)[:, None]], axis=1),
        "box": np.concatenate([moved, extra[:, None]], axis=1),
    }
    return bad, arms, a, b


def iou(a, b):
    low, high = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    inter = np.prod(np.maximum(high - low, 0), axis=-1)
    return inter / (np.prod(a[..., 2:], axis=-1) + np.prod(b[..., 2:], axis=-1) - inter)


def match(a, b, both):
    """Pairs boxes greedily, frame by frame. Returns lists of (frame, label, iou, difference), of (frame, label) of a
    only and of b only, the highest unmatched score (-1 for none) and the greatest difference of scores."""
    frames = np.arange(len(both))
    a_left, b_left = a["there"] & both[:, None], b["there"] & both[:, None]
    order = np.argsort(np.where(a_left, -a["score"], np.inf), axis=1, kind="stable")
    matched, greatest = [], np.zeros(len(both))
    for rank in range(3):
        i = order[:, rank]
        label, score = a["label"][frames, i], a["score"][frames, i]
        overlap = iou(a["box"][frames, i][:, None], b["box"])
        fits = b_left & a_left[frames, i][:, None] & (b["label"] == label[:, None]) & (overlap >= 0.5)
        overlap = np.where(fits, overlap, -1)
        best = fits & (overlap == overlap.max(axis=1, keepdims=True))
        scores = np.where(best, b["score"], -1)
        j = scores.argmax(axis=1)
        hit = best.any(axis=1)
        h, jh = frames[hit], j[hit]
        difference = b["score"][h, jh] - score[hit]
        matched.append((h, label[hit], overlap[h, jh], difference))
        greatest[hit] = np.maximum(greatest[hit], np.abs(difference))
        a_left[h, i[hit]] = False
        b_left[h, jh] = False
    unmatched = np.maximum(np.where(a_left, a["score"], -1).max(axis=1), np.where(b_left, b["score"], -1).max(axis=1))
    matched = [np.concatenate(column) for column in zip(*matched)]
    only = [(np.nonzero(left)[0], x["label"][left]) for left, x in [(a_left, a), (b_left, b)]]
    return matched, only, unmatched, greatest


def boxes(found, frames, label=None):
    (mf, ml, overlap, difference), (a, b) = found

    def of(f, labels):
        return frames[f] & ((labels == label) if label is not None else True)

    here = of(mf, ml)
    return {
        "matched": int(here.sum()),
        "a_only": int(of(*a).sum()),
        "b_only": int(of(*b).sum()),
        "mean_iou": float(overlap[here].mean()) if here.any() else 0.0,
        "mean_score_difference": float(difference[here].mean()) if here.any() else 0.0,
    }


def of_frames(arms, masks):
    """Returns latencies, errors and skipped frames of the frames in each arm's mask."""
    each = [dict(zip("ab", values)) for values in zip(*[
        (
            {f"p{q}": int(np.quantile(x["latency"][m & (x["status"] == ANSWERED)], q / 100, method="inverted_cdf"))
             for q in (50, 95, 99)},
            int((m & (x["status"] == FAILED)).sum()),
            int((m & (x["status"] == SKIPPED)).sum()),
        )
        for x, m in zip(arms, masks)
    ])]
    return dict(zip(("latency_us", "errors", "skipped"), each))


def summary(arms, found, frames, a, b):
    """Returns what AgreementReport and its window have in common, for some frames and some parts."""
    decided = (a <= NG) & (b <= NG)
    x, y = a[decided], b[decided]
    classes = {f"c{k}": boxes(found, frames, k) for k in range(LABELS)}
    return {
        "parts": {f"{s}_{t}": int(((x == i) & (y == j)).sum())
                  for i, s in ((OK, "ok"), (NG, "ng")) for j, t in ((OK, "ok"), (NG, "ng"))},
        "compared": len(x),
        "agreement": float(accuracy_score(x, y)),
        "kappa": float(cohen_kappa_score(x, y)),
        "prevalence": float((np.mean(x == NG) + np.mean(y == NG)) / 2),
        "boxes": boxes(found, frames),
        "classes": {label: c for label, c in classes.items() if c["matched"] + c["a_only"] + c["b_only"]},
        **of_frames(arms, (frames, frames)),
    }


def counted(verdicts):
    return {name: int((verdicts == v).sum()) for v, name in enumerate(("ok", "ng", "review", "unjudged"))}


def scored(truth, said):
    names = {(NG, NG): "caught", (NG, OK): "escapes", (OK, NG): "overkill", (OK, OK): "passed"}
    cells = {name: int(((truth == t) & (said == s)).sum()) for (t, s), name in names.items()}
    return {**cells, "undecided": int(((truth <= NG) & (said > NG)).sum())}


class Parts:
    """Returns the production parts among the first frames, in the order in which they close."""

    def __init__(self, count, first, views, keep, ended):
        seen = np.minimum(views, count - first)
        complete = seen == views
        # Before the end of the stream, a part that lacks views is still open.
        use = keep & (first < count) & (complete | ended)
        self.first, self.seen, self.complete, self.at = first[use], seen[use], complete[use], np.nonzero(use)[0]

    def any(self, frames):
        sums = np.concatenate([[0], np.cumsum(frames)])
        return sums[self.first + self.seen] > sums[self.first]

    def verdict(self, v):
        return np.where(self.any(v == NG), NG, np.where(~self.complete | self.any(v == UNJUDGED), UNJUDGED,
                        np.where(self.any(v == REVIEW), REVIEW, OK)))

    def window(self, production, count):
        """Returns the frames of the last parts and of parts that are still open."""
        since = self.first[-WINDOW - 1] + self.seen[-WINDOW - 1] if len(self.first) > WINDOW else 0
        frames = production.copy()
        frames[:since] = frames[count:] = False
        return frames


def main():
    views, told, production, known, to_b = make_parts()
    first = np.cumsum(views) - views
    part_of = np.repeat(np.arange(FRAMES), views)[:FRAMES]
    production_frame = production[part_of]
    bad, arms, a, b = make_frames(np.arange(FRAMES))
    both = (arms[0]["status"] == ANSWERED) & (arms[1]["status"] == ANSWERED) & production_frame
    *found, unmatched, greatest = match(a, b, both)

    def paired(count, ended):
        parts = Parts(count, first, views, production, ended)
        va, vb = (parts.verdict(x["verdict"]) for x in arms)
        # A part that lacks views has no truth unless one of its views is bad.
        truth = np.where(known[parts.at], parts.verdict(np.where(bad, NG, OK)), UNJUDGED)
        frames = production_frame & (np.arange(FRAMES) < count)
        recent = parts.window(frames, count)
        unjudged = (va == UNJUDGED) | (vb == UNJUDGED)
        return {
            "mode": "paired",
            **summary(arms, found, frames, va, vb),
            "aside": {
                "unjudged": int(unjudged.sum()),
                "review": int((~unjudged & ((va == REVIEW) | (vb == REVIEW))).sum()),
                "not_production": int((~production_frame[:count]).sum()),
            },
            "arms": {"a": counted(va), "b": counted(vb)},
            "truth": {"a": scored(truth, va), "b": scored(truth, vb)},
            "window": {**summary(arms, found, recent, va[-WINDOW:], vb[-WINDOW:]), "of": min(WINDOW, len(va))},
            "different": different(frames),
        }

    def different(frames):
        va, vb = arms[0]["verdict"], arms[1]["verdict"]
        scores = np.abs(arms[0]["score"] - arms[1]["score"])
        review = (va == REVIEW) | (vb == REVIEW)
        how = np.select([va != vb, unmatched >= 0], [np.where(review, 0.5, 0.75) + scores / 4, 0.25 + unmatched / 4],
                        np.maximum(scores, greatest) / 4)
        why = np.select([va != vb, unmatched >= 0], [0, 1], 2)
        how = np.where(both & frames, how, -1)
        return [
            {
                "frame_id": int(f),
                "part": f"P{part_of[f]}" if told[part_of[f]] else None,
                "difference": float(how[f]),
                "why": ("verdict", "boxes", "score")[why[f]],
                "a": {"score": float(arms[0]["score"][f]), "detections": int(a["there"][f].sum())},
                "b": {"score": float(arms[1]["score"][f]), "detections": int(b["there"][f].sum())},
            }
            for f in np.lexsort((np.arange(FRAMES), -how))[:MOST_DIFFERENT]
        ]

    def split(count):
        parts = Parts(count, first, views, production, True)
        is_b = to_b[parts.at]
        said = np.where(is_b, *[parts.verdict(x["verdict"]) for x in arms[::-1]])
        truth = np.where(known[parts.at], parts.verdict(np.where(bad, NG, OK)), UNJUDGED)
        frames = production_frame & (np.arange(FRAMES) < count)
        recent = parts.window(frames, count)

        def mine(which):
            return [which & ~to_b[part_of], which & to_b[part_of]]

        return {
            "mode": "split",
            "compared": 0,
            "kappa": None,
            "arms": {"a": counted(said[~is_b]), "b": counted(said[is_b])},
            "truth": {"a": scored(truth[~is_b], said[~is_b]), "b": scored(truth[is_b], said[is_b])},
            "aside": {"unjudged": 0, "review": 0, "not_production": int((~production_frame[:count]).sum())},
            **of_frames(arms, mine(frames)),
            "window": {"compared": 0, **of_frames(arms, mine(recent)), "of": WINDOW},
        }

    out = {"midway": paired(MIDWAY, False), "end": paired(FRAMES, True), "split": split(SPLIT)}
    path = Path(__file__).parent.parent / "data/comparison.json"
    path.write_text(json.dumps(out, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes")


main()
