# SPDX-License-Identifier: MPL-2.0
"""Average precision at IoU 0.33 of an exported model, the way the DeepPCB paper counts, by ONNX Runtime alone."""

import argparse
import json
from pathlib import Path

import numpy as np

from data import LABELS, load_folder, split_boards

IOU = 0.33
SUPPRESSION = 0.3
"""IoU above which two boxes of a class are one defect: defects do not lie on top of each other."""


def iou_matrix(a, b):
    """IoU of every box of `a` (n, 4) with every box of `b` (m, 4), x1 y1 x2 y2: (n, m)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = np.clip(high - low, 0, None).prod(2)
    union = (a[:, 2:] - a[:, :2]).prod(1)[:, None] + (b[:, 2:] - b[:, :2]).prod(1)[None] - inter
    return inter / np.maximum(union, 1e-6)


def decode(output, score=0.02, iou=SUPPRESSION, most=300):
    """One image's raw output (4 + nc, N) to (boxes x1 y1 x2 y2, scores, classes) after suppression within a class.

    Only the `most` best cells take part.
    """
    kinds = output[4:].argmax(0)
    best = output[4:].max(0)
    keep = best > score
    cx, cy, w, h = output[:4, keep]
    boxes = np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], 1)
    scores, kinds = best[keep], kinds[keep]
    order = np.argsort(-scores, kind="stable")[:most]
    boxes, scores, kinds = boxes[order], scores[order], kinds[order]
    overlap = (iou_matrix(boxes, boxes) > iou) & (kinds[:, None] == kinds[None])
    alive = np.ones(len(boxes), bool)
    for i in range(len(boxes)):
        if alive[i]:
            alive[i + 1 :] &= ~overlap[i, i + 1 :]
    return boxes[alive], scores[alive], kinds[alive]


def match(found, truth, kind):
    """One class over all images: rows (score, hit, image), best first, and the number of true boxes of each image.

    A detection takes the best true box of its class that is still free; a second one on the same box is a miss.
    """
    rows, totals = [], np.zeros(len(truth))
    for image, ((boxes, scores, kinds), (true_boxes, true_kinds)) in enumerate(zip(found, truth)):
        goal = true_boxes[true_kinds == kind]
        totals[image] = len(goal)
        overlap = iou_matrix(boxes[kinds == kind], goal)
        free = np.ones(len(goal), bool)
        for i, score in enumerate(scores[kinds == kind]):
            candidates = np.where(free, overlap[i], 0) if len(goal) else np.zeros(0)
            hit = len(candidates) > 0 and candidates.max() >= IOU
            if hit:
                free[candidates.argmax()] = False
            rows.append((score, hit, image))
    rows = np.array(rows, np.float64).reshape(-1, 3)
    return rows[np.argsort(-rows[:, 0], kind="stable")], totals


def average_precision(rows, totals, times):
    """Area under the precision-recall curve, all points, precision made monotone; image i counts `times[i]` times."""
    total = (totals * times).sum()
    if total == 0:
        return float("nan")
    weight = times[rows[:, 2].astype(int)]
    hits = np.cumsum(rows[:, 1] * weight)
    recall = np.concatenate([[0], hits / total, [1]])
    precision = np.concatenate([[1], hits / np.maximum(np.cumsum(weight), 1e-9), [0]])
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(((recall[1:] - recall[:-1]) * precision[1:]).sum())


def f1_at(matched, score, times):
    """Precision, recall and F1 over all classes of what scores at least `score`."""
    hits = seen = total = 0.0
    for rows, totals in matched:
        taken = rows[rows[:, 0] >= score]
        weight = times[taken[:, 2].astype(int)]
        hits, seen, total = hits + (taken[:, 1] * weight).sum(), seen + weight.sum(), total + (totals * times).sum()
    return {
        "score": float(score),
        "f1": float(2 * hits / max(seen + total, 1)),
        "precision": float(hits / max(seen, 1)),
        "recall": float(hits / max(total, 1)),
    }


def best_f1(matched):
    """The score at which F1 over all classes is highest, with precision and recall there."""
    pooled = np.concatenate([rows for rows, _ in matched])
    if not len(pooled):
        return {"score": 1.0, "f1": 0.0, "precision": 0.0, "recall": 0.0}
    pooled = pooled[np.argsort(-pooled[:, 0], kind="stable")]
    total = sum(totals.sum() for _, totals in matched)
    f1 = 2 * np.cumsum(pooled[:, 1]) / (np.arange(1, len(pooled) + 1) + total)
    return f1_at(matched, pooled[f1.argmax(), 0], np.ones(len(matched[0][1])))


def bootstrap(matched, score, units=None, draws=1000, seed=0):
    """95 % intervals of the mean AP and of F1 at `score`, by drawing images, or whole `units` (one name an image)."""
    names, unit = np.unique(np.arange(len(matched[0][1])) if units is None else np.array(units), return_inverse=True)
    rng = np.random.default_rng(seed)
    means, f1s = [], []
    for _ in range(draws):
        times = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))[unit].astype(float)
        means.append(np.nanmean([average_precision(*m, times) for m in matched]))
        f1s.append(f1_at(matched, score, times)["f1"])
    return {name: [float(v) for v in np.percentile(x, [2.5, 97.5])] for name, x in (("map", means), ("f1", f1s))}


def summary(found, truth, classes, score=None, intervals=False):
    """Per-class AP, their mean, the best F1 over all classes, and what `score` gives, with intervals where wanted."""
    matched = [match(found, truth, kind) for kind in range(classes)]
    once = np.ones(len(truth))
    per_class = {LABELS[kind]: average_precision(*m, once) for kind, m in enumerate(matched)}
    result = {"map": float(np.nanmean(list(per_class.values()))), "per_class": per_class, "best_f1": best_f1(matched)}
    if score is not None:
        result["at_threshold"] = f1_at(matched, score, once)
    if intervals:
        result["interval"] = bootstrap(matched, score)
    return result


def repaired(board):
    """The board with the template's pixels over its defects: a good board that differs from its template elsewhere."""
    image = board.image.copy()
    for x1, y1, x2, y2 in board.boxes.astype(int):
        part = np.s_[max(y1 - 3, 0) : y2 + 3, max(x1 - 3, 0) : x2 + 3]
        image[part] = board.template[part]
    return image


def detections(predict, boards):
    """What `predict` finds on each board, after suppression."""
    return [decode(predict(b.image, b.template)) for b in boards]


def good_scores(predict, boards):
    """The highest score on each defect-free board, and on each board repaired in place.

    A model that compares is not asked to compare a picture with itself.
    """
    twins = [b for b in boards if b.template is not None]
    clean = [(b.template if b.clean is None else b.clean, b.template) for b in twins]
    clean = [float(predict(good, t)[4:].max()) for good, t in clean if predict.planes == 1 or good is not t]
    mended = [float(predict(repaired(b), b.template)[4:].max()) for b in twins if b.aligned]
    return clean, mended


def evaluate(predict, boards, classes, score=None, good=True, intervals=False):
    """Runs `predict` ((H, W) uint8 and its template to (4 + nc, N)) on boards; adds the alarm rate on good boards.

    `good_with_alarm` and `repaired_with_alarm` are the shares of defect-free boards on which anything reaches `score`;
    without `good` they are not looked at.
    """
    truth = [(b.boxes, b.classes) for b in boards]
    result = summary(detections(predict, boards), truth, classes, score, intervals)
    result["images"] = len(boards)
    if good and score is not None:
        for name, best in zip(("good_with_alarm", "repaired_with_alarm"), good_scores(predict, boards)):
            if best:
                result[name] = float((np.array(best) >= score).mean())
    return result


def onnx_predictor(path, threads=1):
    """A `predict` for `evaluate` from an exported model."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    shape = tuple(session.get_inputs()[0].shape[2:])

    def predict(*images):
        feed = {}
        for name, image in zip(names, images):
            if image.shape != shape:
                raise ValueError(f"image is {image.shape}, the model wants {shape}")
            feed[name] = (image / np.float32(255))[None, None].astype(np.float32)
        return session.run(None, feed)[0][0]

    predict.planes = len(names)
    return predict, session.get_outputs()[0].shape[1] - 4


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="model.onnx, or a bundle folder that holds it")
    parser.add_argument("--data", default="../shared/data/deeppcb", help="folder laid out like DeepPCB")
    parser.add_argument("--part", choices=["held-out", "validation", "all"], default="held-out")
    parser.add_argument("--score", type=float, default=0.5, help="threshold of F1 and of alarms on good boards")
    parser.add_argument("--limit", type=int, help="no more than this many boards")
    args = parser.parse_args()
    path = args.model / "model.onnx" if args.model.is_dir() else args.model
    boards = load_folder(args.data)
    _, validation, held = split_boards(boards)
    boards = {"held-out": held, "validation": validation, "all": boards}[args.part][: args.limit]
    predict, classes = onnx_predictor(path)
    print(json.dumps(evaluate(predict, boards, classes, args.score, intervals=True), indent=1))


if __name__ == "__main__":
    main()
