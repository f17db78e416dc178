# SPDX-License-Identifier: MPL-2.0
"""Average precision at IoU 0.33 of an exported model, the way the DeepPCB paper counts, by ONNX Runtime alone."""

import argparse
import json
from pathlib import Path

import numpy as np

from data import LABELS, load_folder, split_boards

IOU = 0.33


def iou_matrix(a, b):
    """IoU of every box of `a` (n, 4) with every box of `b` (m, 4), x1 y1 x2 y2: (n, m)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = np.clip(high - low, 0, None).prod(2)
    union = (a[:, 2:] - a[:, :2]).prod(1)[:, None] + (b[:, 2:] - b[:, :2]).prod(1)[None] - inter
    return inter / np.maximum(union, 1e-6)


def decode(output, score=0.02, iou=0.45, most=300):
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
    """Scores and hits of one class over all images, best first, and the number of true boxes.

    A detection takes the best true box of its class that is still free; a second one on the same box is a miss.
    """
    rows, total = [], 0
    for (boxes, scores, kinds), (true_boxes, true_kinds) in zip(found, truth):
        goal = true_boxes[true_kinds == kind]
        total += len(goal)
        mine = boxes[kinds == kind]
        overlap = iou_matrix(mine, goal)
        free = np.ones(len(goal), bool)
        for i, score in enumerate(scores[kinds == kind]):
            candidates = np.where(free, overlap[i], 0) if len(goal) else np.zeros(0)
            hit = len(candidates) > 0 and candidates.max() >= IOU
            if hit:
                free[candidates.argmax()] = False
            rows.append((score, hit))
    rows = np.array(rows, np.float64).reshape(-1, 2)
    return rows[np.argsort(-rows[:, 0], kind="stable")], total


def average_precision(rows, total):
    """Area under the precision-recall curve, all points, precision made monotone."""
    if total == 0:
        return float("nan")
    hits = np.cumsum(rows[:, 1])
    recall = np.concatenate([[0], hits / total, [1]])
    precision = np.concatenate([[1], hits / np.arange(1, len(rows) + 1), [0]])
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(((recall[1:] - recall[:-1]) * precision[1:]).sum())


def summary(found, truth, classes):
    """Per-class AP, their mean, and the score with the best F1 over all classes (with its precision and recall)."""
    per_class, pooled, total = {}, [], 0
    for kind in range(classes):
        rows, count = match(found, truth, kind)
        per_class[LABELS[kind]] = average_precision(rows, count)
        pooled.append(rows)
        total += count
    pooled = np.concatenate(pooled)
    pooled = pooled[np.argsort(-pooled[:, 0], kind="stable")]
    hits = np.cumsum(pooled[:, 1])
    f1 = 2 * hits / (np.arange(1, len(pooled) + 1) + total)
    at = int(f1.argmax()) if len(f1) else 0
    best = {"score": 1.0, "f1": 0.0, "precision": 0.0, "recall": 0.0}
    if len(f1):
        best = {
            "score": float(pooled[at, 0]),
            "f1": float(f1[at]),
            "precision": float(hits[at] / (at + 1)),
            "recall": float(hits[at] / total),
        }
    return {"map": float(np.nanmean(list(per_class.values()))), "per_class": per_class, "best_f1": best}


def evaluate(predict, boards, classes, thresholds=(0.3, 0.4, 0.5), good=True):
    """Runs `predict` ((H, W) uint8 to (4 + nc, N)) on boards and their twins; adds the false-alarm rate on good boards.

    `good_with_alarm` maps a score threshold to the share of defect-free boards on which anything is found;
    without `good` they are not looked at.
    """
    found = [decode(predict(b.image)) for b in boards]
    truth = [(b.boxes, b.classes) for b in boards]
    result = summary(found, truth, classes)
    best = []
    for board in boards:
        if good and board.template is not None:
            best.append(float(predict(board.template)[4:].max()))
    result["good_with_alarm"] = {str(t): float((np.array(best) > t).mean()) for t in thresholds} if best else {}
    result["images"] = len(boards)
    return result


def onnx_predictor(path, threads=1):
    """A `predict` for `evaluate` from an exported model."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    height, width = session.get_inputs()[0].shape[2:]

    def predict(image):
        if image.shape != (height, width):
            raise ValueError(f"image is {image.shape}, the model wants {(height, width)}")
        return session.run(None, {"images": (image / np.float32(255))[None, None].astype(np.float32)})[0][0]

    return predict, session.get_outputs()[0].shape[1] - 4


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="model.onnx, or a bundle folder that holds it")
    parser.add_argument("--data", default="../shared/data/deeppcb", help="folder laid out like DeepPCB")
    parser.add_argument("--part", choices=["held-out", "validation", "all"], default="held-out")
    parser.add_argument("--limit", type=int, help="no more than this many boards")
    args = parser.parse_args()
    path = args.model / "model.onnx" if args.model.is_dir() else args.model
    boards = load_folder(args.data)
    _, validation, held = split_boards(boards)
    boards = {"held-out": held, "validation": validation, "all": boards}[args.part][: args.limit]
    predict, classes = onnx_predictor(path)
    print(json.dumps(evaluate(predict, boards, classes), indent=1))


if __name__ == "__main__":
    main()
