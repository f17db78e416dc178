# SPDX-License-Identifier: MPL-2.0
"""Writes tests/data/decoders/FAMILY.json: raw outputs of a model and what the family's own package makes of them.

The raw outputs are seeded and look like those of a trained model: a few objects that overlap each other, lie over the
frame's edge or in each other, each seen by several anchors, and noise everywhere else. What is expected comes from the
package's own post-processing and is in pixels of the frame. tests/decoders.rs compares our decoders with it.

    python3 -m venv VENV && . VENV/bin/activate
    pip install ultralytics transformers scikit-learn lightning 'setuptools<81' 'pyDeprecate<0.10'
    pip install --no-deps --no-build-isolation yolov5 yolox rfdetr anomalib
    python3 tests/oracles/decoders.py [FAMILY…]

The packages are run, never copied. Without one of them its file stays as it is and a line says so.
"""

import json
import sys
import types
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
import torchvision

FOLDER = Path(__file__).parent.parent / "data" / "decoders"
LABELS = ["open", "short", "spur"]
# Width and height of the model's input, of a frame that a letterbox fits exactly, and of one where it rounds.
MODEL, FRAME, ODD = (96, 64), (192, 96), (131, 117)
SCORE, IOU = 0.25, 0.45


def rounded(values, digits=4):
    """Decimals that mean the same f32 here and there."""
    return np.round(np.asarray(values, np.float64), digits).astype(np.float32)


def tensor(name, values, kind="f32"):
    values = np.asarray(values)
    flat = values.ravel().tolist()
    if kind not in ("i64", "i32", "u8", "bool"):
        # The shortest text of a number of four decimals.
        flat = [int(v) if v == int(v) else float(f"{v:.4f}") for v in flat]
    return {"name": name, "type": kind, "shape": list(values.shape), "data": flat}


def runs(mask):
    """Lengths of the runs of equal pixels, row by row, the first of zeros."""
    found, value, length = [], 0, 0
    for pixel in np.asarray(mask).astype(int).ravel():
        if pixel != value:
            found.append(length)
            value, length = pixel, 0
        length += 1
    return found + [length]


def detection(corners, score, label, **more):
    x0, y0, x1, y1 = (float(v) for v in corners)
    box = [round(v, 4) for v in (x0, y0, x1 - x0, y1 - y0)]
    return {"class": int(label), "score": round(float(score), 6), "box": box, **more}


def case(name, outputs, frame=FRAME, resize="letterbox", score=SCORE, iou=IOU, labels=LABELS, **more):
    return {
        "name": name, "frame": frame, "model": MODEL, "resize": resize, "score": score, "iou": iou, "labels": labels,
        "outputs": outputs, **more,
    }


def write(family, package, cases, note=""):
    # A fixture that expects nothing would pass whatever the decoder does.
    for c in cases:
        found = c["expected"]
        assert found.get("detections") or found.get("classes") or found.get("anomaly") or found.get("segmentation"), c["name"]
    head = {"family": family, "package": package, "version": version(package) if package != "paper" else "", "note": note}
    lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
    text = json.dumps(head, indent=1)[:-2] + ',\n "cases": [\n' + lines + "\n]}\n"
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{family}.json").write_text(text)
    shown = ", ".join(f"{c['name']} {len(c['expected'].get('detections') or [])}" for c in cases)
    print(f"{family}: {package} {head['version']}, {len(text) // 1000} kB: {shown}")


# -- what a model might have seen ------------------------------------------------------------------------------------

# Centre, size (pixels of the model's input) and label. Two of one label overlap by about a third, two labels share a
# place, one reaches over the frame's edge (the letterbox of FRAME begins at row 8), one is small.
OBJECTS = [
    (24, 26, 20, 16, 0), (34, 29, 20, 16, 0), (60, 36, 24, 20, 1), (61, 37, 23, 19, 2), (90, 14, 20, 16, 1),
    (12, 52, 9, 7, 2),
]


def anchors(strides=(8, 16, 32)):
    """Centre and stride of every anchor, as YOLO heads order them."""
    found = []
    for stride in strides:
        for y in range(MODEL[1] // stride):
            for x in range(MODEL[0] // stride):
                found.append(((x + 0.5) * stride, (y + 0.5) * stride, stride))
    return np.array(found)


def seen(seed, centres, labels=len(LABELS)):
    """Boxes (n, 4) as cx, cy, w, h in pixels, scores (n, labels) and the object (n) that each anchor sees, or -1."""
    rng = np.random.default_rng(seed)
    n = len(centres)
    boxes = np.concatenate([centres[:, :2] + rng.normal(0, 3, (n, 2)), rng.uniform(4, 40, (n, 2))], axis=1)
    scores, objects = rng.uniform(0, 0.2, (n, labels)), np.full(n, -1)
    for i, (x, y, *_) in enumerate(centres):
        near = [o for o, b in enumerate(OBJECTS) if abs(x - b[0]) <= b[2] / 2 and abs(y - b[1]) <= b[3] / 2]
        if not near:
            continue
        objects[i] = o = rng.choice(near)
        boxes[i] = np.array(OBJECTS[o][:4]) + rng.normal(0, 1.2, 4)
        scores[i] = rng.uniform(0, 0.6, labels)
        scores[i, OBJECTS[o][4]] = rng.uniform(0.35, 0.97)
    return rounded(boxes, 3), rounded(scores), objects


# -- Ultralytics -----------------------------------------------------------------------------------------------------


def corners_of(boxes):
    return np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)


def yolo_detections(rows, frame, mask=None):
    """Rows of corners in the model's input, score, label, as the package's predictor places them in the frame."""
    from ultralytics.utils import ops

    boxes = ops.scale_boxes(MODEL[::-1], rows[:, :4].clone(), frame[::-1])
    return [detection(b, r[4], r[5], **(mask(i) if mask else {})) for i, (b, r) in enumerate(zip(boxes, rows))]


def yolov8():
    from ultralytics.utils.nms import non_max_suppression

    cases = []
    variants = [
        ("plain", 1, FRAME, {}, {}),
        ("letterbox-that-rounds", 2, ODD, {}, {}),
        ("agnostic", 3, FRAME, {"agnostic": True}, {"agnostic": True}),
        ("at-most-three", 4, FRAME, {"max_det": 3}, {"max_detections": 3}),
        ("loose-overlap", 5, FRAME, {"iou_thres": 0.7}, {"iou": 0.7}),
        ("transposed", 6, FRAME, {}, {}),
        ("f16", 7, FRAME, {}, {}),
    ]
    for name, seed, frame, theirs, ours in variants:
        boxes, scores, _ = seen(seed, anchors())
        raw = np.concatenate([boxes, scores], axis=1).T[None]
        if name == "f16":
            raw = raw.astype(np.float16)
        rows = non_max_suppression(torch.tensor(raw).float(), **{"conf_thres": SCORE, "iou_thres": IOU, **theirs})[0]
        shown = raw.transpose(0, 2, 1) if name == "transposed" else raw
        cases.append(case(name, [tensor("output0", shown, "f16" if name == "f16" else "f32")], frame, **ours))
        cases[-1]["expected"] = {"detections": yolo_detections(rows, frame)}
    # Two boxes of one label at the edge, most of each outside: suppression looks at whole boxes, before any clipping.
    raw = np.zeros((1, 7, 4), np.float32)
    raw[0, :5, :2] = np.array([[90, 30, 40, 20, 0.9], [104, 30, 40, 20, 0.8]]).T
    raw[0, :4, 2:] = 5
    rows = non_max_suppression(torch.tensor(raw), conf_thres=SCORE, iou_thres=0.6)[0]
    cases.append(case("over-the-edge", [tensor("output0", raw)], iou=0.6))
    cases[-1]["expected"] = {"detections": yolo_detections(rows, FRAME)}
    write("yolov8", "ultralytics", cases)


def yolov8_segment():
    from ultralytics.utils import ops
    from ultralytics.utils.nms import non_max_suppression

    cases, count, size = [], 8, (MODEL[1] // 4, MODEL[0] // 4)
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    waves = [np.sin(x * a / 7 + b) + np.cos(y * c / 5 - b) for a, b, c in np.random.default_rng(1).uniform(0.2, 3, (count, 3))]
    protos = rounded(np.stack(waves)[None], 2)
    for name, seed, frame in [("plain", 11, FRAME), ("letterbox-that-rounds", 12, ODD)]:
        boxes, scores, _ = seen(seed, anchors())
        weights = rounded(np.random.default_rng(seed).normal(0, 1, (len(boxes), count)), 2)
        raw = np.concatenate([boxes, scores, weights], axis=1).T[None]
        rows = non_max_suppression(torch.tensor(raw), SCORE, IOU, nc=len(LABELS))[0]
        masks = ops.process_mask(torch.tensor(protos)[0], rows[:, 6:], rows[:, :4], MODEL[::-1], upsample=False)
        found = yolo_detections(rows, frame, lambda i: {"mask": {"size": size[::-1], "runs": runs(masks[i])}})
        cases.append(case(name, [tensor("output0", raw), tensor("output1", protos)], frame))
        cases[-1]["expected"] = {"detections": found}
    write("yolov8-segment", "ultralytics", cases, "masks at the prototypes' resolution, cropped to their boxes")


def yolov8_oriented():
    from ultralytics.utils import ops
    from ultralytics.utils.nms import non_max_suppression

    cases = []
    for name, seed, frame, more in [
        ("plain", 21, FRAME, {}), ("letterbox-that-rounds", 22, ODD, {}), ("agnostic", 23, FRAME, {"agnostic": True}),
    ]:
        boxes, scores, objects = seen(seed, anchors())
        rng = np.random.default_rng(seed)
        # The head's range is -π/4 … 3π/4.
        angles = rng.uniform(-np.pi / 4, 3 * np.pi / 4, (len(boxes), 1))
        for o in range(len(OBJECTS)):
            angles[objects == o] = rng.uniform(-0.7, 2.3) + rng.normal(0, 0.04, (np.sum(objects == o), 1))
        raw = np.concatenate([boxes, scores, rounded(angles)], axis=1).T[None]
        rows = non_max_suppression(torch.tensor(raw), SCORE, IOU, nc=len(LABELS), rotated=True, **more)[0]
        places = ops.scale_boxes(MODEL[::-1], rows[:, :4].clone(), frame[::-1], xywh=True)
        found = [
            detection(corners_of(p[None].numpy())[0], r[4], r[5], angle=round(float(r[6]), 6)) for p, r in zip(places, rows)
        ]
        cases.append(case(name, [tensor("output0", raw)], frame, **more))
        if frame == ODD:
            # The package scales the sides of a turned box as if it were upright; where both axes have not quite the same
            # scale that is off by as much.
            cases[-1]["off"] = {"pixels": 0.2, "radians": 0.005}
        cases[-1]["expected"] = {"detections": found}
    write("yolov8-oriented", "ultralytics", cases, "boxes before the turn; the angle is clockwise, about the centre")


def yolo_end_to_end():
    from ultralytics.nn.modules.head import Detect
    from ultralytics.utils.nms import non_max_suppression

    head = Detect(nc=len(LABELS), ch=(8, 8, 8))
    cases, most = [], 100
    for name, seed, frame, extra in [
        ("plain", 31, FRAME, 0), ("letterbox-that-rounds", 32, ODD, 0), ("segment", 33, FRAME, 8), ("oriented", 34, FRAME, 1),
    ]:
        boxes, scores, _ = seen(seed, anchors())
        rng, head.max_det = np.random.default_rng(seed), most
        more = rounded(rng.uniform(-0.7, 2.3, (len(boxes), 1)) if extra == 1 else rng.normal(0, 1, (len(boxes), extra)), 2)
        places = boxes if extra == 1 else corners_of(boxes)
        raw = head.postprocess(torch.tensor(np.concatenate([places, scores, more], axis=1)[None])).numpy()
        raw = rounded(raw)
        rows = non_max_suppression(torch.tensor(raw), SCORE, IOU, nc=len(LABELS), end2end=True)[0]
        outputs = [tensor("output0", raw)]
        cases.append(case(name, outputs, frame))
        if extra == 8:
            from ultralytics.utils import ops

            size = (MODEL[1] // 4, MODEL[0] // 4)
            protos = rounded(rng.normal(0, 1, (1, extra, *size)), 1)
            outputs.append(tensor("output1", protos))
            masks = ops.process_mask(torch.tensor(protos)[0], rows[:, 6:], rows[:, :4], MODEL[::-1], upsample=False)
            found = yolo_detections(rows, frame, lambda i: {"mask": {"size": size[::-1], "runs": runs(masks[i])}})
        elif extra == 1:
            from ultralytics.utils import ops

            places = ops.scale_boxes(MODEL[::-1], rows[:, :4].clone(), frame[::-1], xywh=True).numpy()
            found = [
                detection(c, r[4], r[5], angle=round(float(r[6]), 6)) for c, r in zip(corners_of(places), rows)
            ]
        else:
            found = yolo_detections(rows, frame)
        cases[-1]["expected"] = {"detections": found}
    write("yolo-end-to-end", "ultralytics", cases, "YOLOv10 and YOLO26: the head's own top-k, no suppression")


def rtdetr_ultralytics():
    """Ultralytics' RT-DETR: the whole input is the frame (stretched); centres and sizes 0..1."""
    from ultralytics.nn.modules.head import RTDETRDecoder
    from ultralytics.utils import ops

    cases = []
    for name, seed in [("scores-by-label", 41), ("best-first", 42)]:
        boxes, scores, _ = seen(seed, anchors())
        boxes, scores = rounded(boxes / np.array([*MODEL, *MODEL]), 4)[None], scores[None]
        if name == "best-first":
            head = SimpleNamespace(
                num_queries=40, max_det=40, export=True, dynamic=False, format="onnx", nc=len(LABELS),
            )
            raw = rounded(RTDETRDecoder.postprocess(head, torch.tensor(boxes), torch.tensor(scores)).numpy())
            rows = torch.tensor(raw)[0]
        else:
            raw = np.concatenate([boxes, scores], axis=2)
            top, label = torch.tensor(raw)[0, :, 4:].max(1)
            order = top.argsort(descending=True)
            rows = torch.cat([torch.tensor(raw)[0, :, :4], top[:, None], label[:, None].float()], 1)[order]
        rows = rows[rows[:, 4] > 0.5]
        places = ops.xywh2xyxy(rows[:, :4]) * torch.tensor([*FRAME, *FRAME])
        places = ops.clip_boxes(places, FRAME[::-1])
        cases.append(case(name, [tensor("output0", raw)], resize="stretch", score=0.5))
        cases[-1]["expected"] = {"detections": [detection(p, r[4], r[5]) for p, r in zip(places, rows)]}
    write("rtdetr-ultralytics", "ultralytics", cases, "scores-by-label is what versions before 8.4 export")


# -- YOLOv5 and YOLOv7 -----------------------------------------------------------------------------------------------


def yolov5():
    # Old helpers of setuptools and of matplotlib's times that the package imports and that are not needed here.
    if "pkg_resources" not in sys.modules:
        try:
            import pkg_resources  # noqa: F401
        except ImportError:
            from packaging import version as parsed

            sys.modules["pkg_resources"] = types.SimpleNamespace(parse_version=parsed.parse)
    from yolov5.utils.general import non_max_suppression, scale_boxes

    cases = []
    for name, seed, theirs in [
        ("plain", 51, {}), ("agnostic", 52, {"agnostic": True}), ("at-most-three", 53, {"max_det": 3}), ("segment", 54, {}),
    ]:
        boxes, scores, objects = seen(seed, anchors())
        rng = np.random.default_rng(seed)
        sure = rounded(np.where(objects >= 0, rng.uniform(0.6, 1, len(boxes)), rng.uniform(0, 0.3, len(boxes))))[:, None]
        more = rounded(rng.normal(0, 1, (len(boxes), 8)), 2)[:, : 8 * (name == "segment")]
        raw = np.concatenate([boxes, sure, scores, more], axis=1)[None]
        rows = non_max_suppression(torch.tensor(raw), SCORE, IOU, nm=more.shape[1], **theirs)[0]
        outputs, mask = [tensor("output0", raw)], None
        if name == "segment":
            from yolov5.utils.segment.general import process_mask

            size = (MODEL[1] // 4, MODEL[0] // 4)
            protos = rounded(rng.normal(0, 1, (1, 8, *size)), 1)
            outputs.append(tensor("output1", protos))
            masks = process_mask(torch.tensor(protos)[0], rows[:, 6:], rows[:, :4], MODEL[::-1], upsample=False)
            mask = [{"mask": {"size": size[::-1], "runs": runs(m)}} for m in masks]
        places = scale_boxes(MODEL[::-1], rows[:, :4].clone(), FRAME[::-1])
        found = [detection(p, r[4], r[5], **(mask[i] if mask else {})) for i, (p, r) in enumerate(zip(places, rows))]
        more = {"agnostic": True} if "agnostic" in theirs else {"max_detections": 3} if "max_det" in theirs else {}
        cases.append(case(name, outputs, **more))
        cases[-1]["expected"] = {"detections": found}
    write("yolov5", "yolov5", cases, "YOLOv7 without its end-to-end layer has the same outputs")


def yolov7_end_to_end():
    """Rows (n, 7): batch, corners, label, score, after torchvision's suppression, as its exporter places it."""
    from ultralytics.utils import ops

    boxes, scores, _ = seen(61, anchors())
    places, top, label = torch.tensor(corners_of(boxes)), *torch.tensor(scores).max(1)
    kept = top > 0.1
    places, top, label = places[kept], top[kept], label[kept]
    order = torchvision.ops.batched_nms(places, top, label, IOU)
    raw = rounded(torch.cat([torch.zeros(len(order), 1), places[order], label[order, None], top[order, None]], 1).numpy())
    rows = torch.tensor(raw)
    rows = rows[rows[:, 6] > SCORE]
    found = ops.scale_boxes(MODEL[::-1], rows[:, 1:5].clone(), FRAME[::-1])
    c = case("plain", [tensor("output", raw)])
    c["expected"] = {"detections": [detection(p, r[6], r[5]) for p, r in zip(found, rows)]}
    write("yolov7-end-to-end", "torchvision", [c], "YOLOv7 is no package: its layer is torchvision's batched_nms")


# -- YOLOX -----------------------------------------------------------------------------------------------------------


def yolox():
    from yolox.utils.boxes import postprocess
    from yolox.utils.demo_utils import demo_postprocess

    cases = []
    for name, seed, decoded, agnostic in [("on-the-grid", 71, False, False), ("in-pixels", 72, True, False), ("agnostic", 73, False, True)]:
        points = anchors()
        # YOLOX's grid begins at the corner of a cell.
        boxes, scores, objects = seen(seed, points)
        rng = np.random.default_rng(seed)
        sure = rounded(np.where(objects >= 0, rng.uniform(0.6, 1, len(boxes)), rng.uniform(0, 0.3, len(boxes))))[:, None]
        strides = points[:, 2:]
        grid = np.concatenate([(boxes[:, :2] - points[:, :2]) / strides + 0.5, np.log(np.abs(boxes[:, 2:]) / strides)], axis=1)
        raw = np.concatenate([boxes if decoded else rounded(grid), sure, scores], axis=1)[None].astype(np.float32)
        pixels = raw.copy() if decoded else demo_postprocess(raw.astype(np.float64), MODEL[::-1]).astype(np.float32)
        rows = postprocess(torch.tensor(pixels), len(LABELS), SCORE, IOU, class_agnostic=agnostic)[0]
        rows = rows[(rows[:, 4] * rows[:, 5]).argsort(descending=True)]
        # The package pads at the right and below; a frame of the model's shape needs no padding.
        frame = (MODEL[0] * 2, MODEL[1] * 2)
        places = (rows[:, :4] / (MODEL[0] / frame[0])).clamp(min=0)
        places = torch.minimum(places, torch.tensor([*frame, *frame]))
        cases.append(case(name, [tensor("output", raw)], frame, **({"agnostic": True} if agnostic else {})))
        cases[-1]["expected"] = {"detections": [detection(p, r[4] * r[5], r[6]) for p, r in zip(places, rows)]}
    write("yolox", "yolox", cases)


# -- SSD -------------------------------------------------------------------------------------------------------------


def ssd():
    """torchvision's SSD, its own anchors and coder: what its export answers, and what its head says before that."""
    from torchvision.models.detection.ssd import SSD
    from torchvision.models.detection.anchor_utils import DefaultBoxGenerator

    generator = DefaultBoxGenerator([[2], [2]], scales=[0.2, 0.4, 0.6])
    backbone = torch.nn.Module()
    backbone.out_channels = [1, 1]
    net = SSD(backbone, generator, MODEL[::-1], len(LABELS) + 1, score_thresh=0.05, nms_thresh=IOU, head=torch.nn.Module())
    shapes = [(MODEL[1] // 8, MODEL[0] // 8), (MODEL[1] // 16, MODEL[0] // 16)]
    images = SimpleNamespace(tensors=torch.zeros(1, 3, MODEL[1], MODEL[0]), image_sizes=[MODEL[::-1]])
    priors = generator(images, [torch.zeros(1, 1, *s) for s in shapes])
    centres = priors[0].numpy()
    centres = np.stack([(centres[:, 0] + centres[:, 2]) / 2, (centres[:, 1] + centres[:, 3]) / 2], axis=1)
    boxes, scores, _ = seen(81, centres)
    logits = np.concatenate([np.full((len(boxes), 1), 1.0), np.log(scores + 1e-3) + 1.5], axis=1)
    wanted = torch.tensor(corners_of(boxes))
    offsets = net.box_coder.encode([wanted], priors)[0]
    heads = {"bbox_regression": offsets[None].float(), "cls_logits": torch.tensor(logits, dtype=torch.float32)[None]}
    found = net.postprocess_detections(heads, priors, [MODEL[::-1]])[0]
    across = np.array([FRAME[0] / MODEL[0], FRAME[1] / MODEL[1]] * 2)
    def expected(score, places, scores_, labels):
        # Background is 0 there: our labels begin after it.
        rows = [(p * across, s, l - 1) for p, s, l in zip(places, scores_, labels) if s > score]
        return {"detections": [detection(*r) for r in rows]}

    boxes_, scores_, labels_ = (found[k].numpy() for k in ("boxes", "scores", "labels"))
    boxes_, scores_ = rounded(boxes_), rounded(scores_)
    more = {"resize": "stretch", "background": True}
    torchvision_ = case("torchvision-export", [
        tensor("boxes", boxes_), tensor("scores", scores_), tensor("labels", labels_, "i64"),
    ], **more)
    torchvision_["expected"] = expected(SCORE, boxes_, scores_, labels_)
    # The same detections as TensorFlow's detection API answers them: normalised, y first, a count beside.
    turned = rounded(boxes_[:, [1, 0, 3, 2]] / np.array([MODEL[1], MODEL[0]] * 2))
    padded = np.zeros((1, len(turned) + 5, 4), np.float32)
    padded[0, : len(turned)] = turned
    fill = lambda v: np.concatenate([v, np.zeros(5)])[None].astype(np.float32)  # noqa: E731
    tensorflow = case("tensorflow", [
        tensor("detection_boxes", padded), tensor("detection_classes", fill(labels_)),
        tensor("detection_scores", fill(scores_)), tensor("num_detections", np.array([len(turned)], np.float32)),
    ], **more)
    back = padded[0, : len(turned)][:, [1, 0, 3, 2]] * np.array([*MODEL, *MODEL])
    tensorflow["expected"] = expected(SCORE, back, scores_, labels_)
    write("ssd", "torchvision", [torchvision_, tensorflow], "labels begin after the background")


# -- DETR ------------------------------------------------------------------------------------------------------------


def queries(seed, labels, count=30):
    """Logits (1, count, labels) and normalised boxes (1, count, 4) of a set predictor."""
    points = np.random.default_rng(seed).uniform(0, 1, (count, 2)) * MODEL
    points[: len(OBJECTS)] = np.array(OBJECTS)[:, :2]
    boxes, scores, objects = seen(seed, points, len(LABELS))
    logits = np.full((count, labels), -4.0)
    logits[:, : len(LABELS)] = np.log(scores + 1e-3) - np.log(1 - scores)
    return rounded(logits)[None], rounded(boxes / np.array([*MODEL, *MODEL]), 4)[None], objects


def hf(processor, logits, boxes, score, **more):
    outputs = SimpleNamespace(logits=torch.tensor(logits), pred_boxes=torch.tensor(boxes))
    found = processor.post_process_object_detection(outputs, score, target_sizes=[FRAME[::-1]], **more)[0]
    rows = sorted(zip(found["scores"], found["labels"], found["boxes"]), key=lambda r: -float(r[0]))
    inside = torch.tensor([*FRAME, *FRAME])
    # The package leaves boxes beyond the frame; ours end at its edge.
    return {"detections": [detection(torch.minimum(b.clamp(min=0), inside), s, l) for s, l, b in rows]}


def detr():
    from transformers import DetrImageProcessor

    logits, boxes, objects = queries(91, len(LABELS) + 1)
    logits[0, :, -1] = np.where(objects >= 0, -1.5, 2.5)
    c = case("plain", [tensor("logits", logits), tensor("pred_boxes", boxes)], resize="stretch", score=0.5)
    c["expected"] = hf(DetrImageProcessor(), logits, boxes, 0.5)
    write("detr", "transformers", [c], "the last label is 'no object'")


def rtdetr():
    from transformers import RTDetrImageProcessor

    logits, boxes, _ = queries(92, len(LABELS))
    c = case("plain", [tensor("logits", logits), tensor("pred_boxes", boxes)], resize="stretch", score=0.5)
    c["expected"] = hf(RTDetrImageProcessor(), logits, boxes, 0.5)
    low = case("low-threshold", [tensor("logits", logits), tensor("pred_boxes", boxes)], resize="stretch", score=0.02)
    low["expected"] = hf(RTDetrImageProcessor(), logits, boxes, 0.02)
    # More pairs of query and label than there are queries.
    assert np.sum(1 / (1 + np.exp(-logits)) > 0.02) > logits.shape[1] == len(low["expected"]["detections"])
    write("rtdetr", "transformers", [c, low], "sigmoid scores; a query may speak for several labels")


def rfdetr():
    from rfdetr.models.postprocess import PostProcess

    cases = []
    for name, seed, masks in [("plain", 93, False), ("segment", 94, True)]:
        logits, boxes, _ = queries(seed, len(LABELS) + 1)
        outputs = {"pred_logits": torch.tensor(logits), "pred_boxes": torch.tensor(boxes)}
        tensors = [tensor("dets", boxes), tensor("labels", logits)]
        size = (MODEL[1] // 4, MODEL[0] // 4)
        if masks:
            rng = np.random.default_rng(seed)
            raw = torchvision.transforms.functional.resize(torch.tensor(rng.normal(0, 2, (1, boxes.shape[1], 4, 6))), size)
            raw = rounded(raw.numpy(), 1)
            outputs["pred_masks"] = torch.tensor(raw)
            tensors.append(tensor("masks", raw))
        post = PostProcess(num_select=boxes.shape[1], upsample_masks_to_image_size=False)
        found = post(outputs, torch.tensor([FRAME[::-1]]))[0]
        kept = [i for i, s in enumerate(found["scores"]) if s > 0.5]
        mask = lambda i: {"mask": {"size": size[::-1], "runs": runs(found["masks"][i, 0])}} if masks else {}  # noqa: E731
        c = case(name, tensors, resize="stretch", score=0.5)
        c["expected"] = {
            "detections": [detection(found["boxes"][i], found["scores"][i], found["labels"][i], **mask(i)) for i in kept]
        }
        cases.append(c)
    write("rfdetr", "rfdetr", cases, "one logit more than labels; masks at the head's resolution")


# -- whole-frame answers ---------------------------------------------------------------------------------------------


def classification():
    rng = np.random.default_rng(101)
    cases = []
    for name, activation in [("softmax", lambda t: t.softmax(1)), ("sigmoid", lambda t: t.sigmoid()), ("probabilities", None)]:
        logits = torch.tensor(rounded(rng.normal(0, 2, (1, 3))))
        raw = logits if activation else torch.tensor(rounded(logits.softmax(1).numpy(), 6))
        scores = activation(logits)[0] if activation else raw[0]
        order = scores.argsort(descending=True)
        output = tensor("logits", raw.numpy())
        if not activation:
            output["data"] = [round(float(v), 6) for v in raw[0]]
        c = case(name, [output], resize="stretch", score=0.5)
        c["expected"] = {"classes": [{"class": int(i), "score": round(float(scores[i]), 6)} for i in order]}
        cases.append(c)
    write("classification", "torch", cases)


def semantic():
    from transformers import SegformerImageProcessor

    rng = np.random.default_rng(111)
    size = (MODEL[1] // 4, MODEL[0] // 4)
    coarse = torch.tensor(rng.normal(0, 2, (1, 3, 4, 6)))
    logits = rounded(torchvision.transforms.functional.resize(coarse, size).numpy(), 2)
    found = SegformerImageProcessor().post_process_semantic_segmentation(SimpleNamespace(logits=torch.tensor(logits)))[0]
    classes = found.numpy().astype(int)
    many = case("logits", [tensor("logits", logits)], resize="stretch", score=0.5)
    many["expected"] = {"segmentation": {"size": size[::-1], "classes": classes.ravel().tolist()}}
    # What an export with the argmax inside answers.
    done = case("classes", [tensor("classes", classes[None], "i64")], resize="stretch", score=0.5)
    done["expected"] = many["expected"]
    write("semantic", "transformers", [many, done], "at the model's resolution")


def anomalib():
    from anomalib.data import InferenceBatch
    from anomalib.post_processing import PostProcessor

    rng = np.random.default_rng(121)
    size = (16, 16)
    cases = []
    for name, level in [("defect", 9.0), ("good", 3.0)]:
        post = PostProcessor()
        for field, value in [
            ("image_min", 2.0), ("image_max", 12.0), ("pixel_min", 1.0), ("pixel_max", 12.0), ("_image_threshold", 6.5),
            ("_pixel_threshold", 6.0),
        ]:
            getattr(post, field).fill_(value)
        y, x = np.mgrid[0:16, 0:16]
        raw = level * np.exp(-((x - 9) ** 2 + (y - 5) ** 2) / 9) + rng.uniform(0.5, 2, size)
        raw = torch.tensor(raw, dtype=torch.float32)[None, None]
        out = post(InferenceBatch(pred_score=raw.amax((1, 2, 3)), anomaly_map=raw))
        heat = rounded(out.anomaly_map.numpy())
        score = rounded(out.pred_score.numpy())
        c = case(name, [
            tensor("pred_score", score), tensor("pred_label", out.pred_label.numpy().astype(int), "bool"),
            tensor("anomaly_map", heat), tensor("pred_mask", out.pred_mask.numpy().astype(int), "bool"),
        ], resize="stretch", score=0.5, labels=[])
        c["expected"] = {"anomaly": {
            "score": float(f"{score[0]:.4f}"), "bad": bool(out.pred_label[0]), "size": size,
            "map": [float(f"{v:.4f}") for v in heat.ravel()], "runs": runs(out.pred_mask[0, 0]),
        }}
        cases.append(c)
    write("anomalib", "anomalib", cases)


FAMILIES = {
    "yolov8": yolov8, "yolov8-segment": yolov8_segment, "yolov8-oriented": yolov8_oriented,
    "yolo-end-to-end": yolo_end_to_end, "rtdetr-ultralytics": rtdetr_ultralytics, "yolov5": yolov5,
    "yolov7-end-to-end": yolov7_end_to_end, "yolox": yolox, "ssd": ssd, "detr": detr, "rtdetr": rtdetr, "rfdetr": rfdetr,
    "classification": classification, "semantic": semantic, "anomalib": anomalib,
}


def main():
    for family in sys.argv[1:] or FAMILIES:
        try:
            FAMILIES[family]()
        except ImportError as e:
            print(f"{family}: left as it is, {e}")


if __name__ == "__main__":
    main()
