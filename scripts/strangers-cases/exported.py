# SPDX-License-Identifier: MPL-2.0
"""Models that public packages make and export themselves, and what each package says of a picture.

The weights are random, of a fixed seed, since no weights come with these packages. So that the numbers are those of a
model that has learnt something, running means are taken over the pictures, and the last layers are scaled until a few
candidates in a hundred are sure: what is tried is how an export is recognised, fed and read, not what it knows.
"""

import math
import os
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

# Nothing is fetched or written outside.
os.environ |= {"YOLO_AUTOINSTALL": "false", "YOLO_OFFLINE": "true", "YOLO_VERBOSE": "false"}
os.environ.setdefault("YOLO_CONFIG_DIR", "/tmp")

import cv2
import numpy as np
import onnxruntime
import torch
from PIL import Image

import shipped
from compare import Answer
from feeding import Feed

WORDS = ["open", "short", "spur", "scratch"]
IMAGENET = shipped.IMAGENET


@dataclass
class Model(shipped.Model):
    """A model that is made here: `make(folder)` writes the file and returns its path and the function `predict`."""

    # No decoder reads what it gives.
    unread: bool = False

    @property
    def refused(self):
        return self.unread

    def prepare(self, folder):
        torch.manual_seed(1)
        self.file, self.predict = self.make(folder)

    @property
    def path(self):
        return self.file

    @property
    def release(self):
        return f"{self.package} {version(self.package)}"


def batch(side, folder):
    """The pictures as a batch of squares, RGB, 0..1, padded in grey."""
    found = []
    for path in sorted(folder.glob("pictures/fit-*.png")):
        canvas = np.full((320, 320, 3), 114, np.uint8)
        picture = cv2.imread(str(path))
        h, w = picture.shape[:2]
        canvas[(320 - h) // 2 :, (320 - w) // 2 :][:h, :w] = picture
        found.append(cv2.resize(canvas, (side, side))[:, :, ::-1])
    return torch.from_numpy(np.stack(found).transpose(0, 3, 1, 2) / np.float32(255)).float()


def settle(model, pictures):
    """Running means of the pictures in all normalisations."""
    for m in model.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            m.reset_running_stats()
            m.momentum = None
    model.train()
    with torch.no_grad():
        model(pictures)
    model.eval()


def spread(model, layers, pictures, mean, deviation):
    """Scales the weights and the bias of layers: what they give for the pictures gets this mean and deviation."""
    for layer in layers:
        seen = []
        hook = layer.register_forward_hook(lambda m, i, o: seen.append(o.detach()))
        with torch.no_grad():
            model(pictures)
            hook.remove()
            if seen:
                scale = deviation / seen[-1].std()
                shift = seen[-1].mean() * scale
                layer.weight.mul_(scale)
                layer.bias.mul_(scale).add_(mean - shift)


# Ultralytics


def ultralytics(config, labels, side=320, task=None, **export):
    """An export of Ultralytics' by its own exporter, and its own predict with that file."""

    def make(folder):
        from ultralytics import YOLO, RTDETR
        from ultralytics.nn.tasks import yaml_model_load
        from ultralytics.utils import YAML

        name = "-".join([config, str(labels), *sorted(export)])
        home = folder / "made" / name
        home.mkdir(parents=True, exist_ok=True)
        source = home / f"{config}.yaml"
        YAML.save(source, {**yaml_model_load(f"{config}.yaml"), "nc": labels, "yaml_file": str(source)})
        kind = RTDETR if "rtdetr" in config else YOLO
        file = source.with_suffix(".onnx")
        if not file.exists():
            yolo = kind(str(source), **({} if kind is RTDETR else {"task": task}))
            net, pictures = yolo.model, batch(side, folder)
            net.names = dict(
                enumerate(WORDS[:labels] if labels <= len(WORDS) else map("label{}".format, range(labels)))
            )
            liven(net, pictures)
            made = yolo.export(format="onnx", imgsz=side, opset=17, simplify=False, **export)
            shutil.move(made, file)
        them = kind(str(file), **({} if kind is RTDETR else {"task": task}))
        score = 0.5 if kind is RTDETR else 0.25

        def predict(path):
            settings = {"imgsz": side, "rect": False, "conf": score, "iou": 0.45, "max_det": 300}
            r = them.predict(str(path), **settings, verbose=False, save=False)[0]
            if r.probs is not None:
                return Answer(scores=dict(zip(r.names.values(), r.probs.data.tolist())))
            if r.obb is not None:
                found = [(*c, *xy) for xy, *c in zip(bounds(r.obb.xyxyxyxy), r.obb.conf.tolist(), r.obb.cls.tolist())]
            elif r.boxes is not None:
                found = [
                    (c, l, *b) for c, l, b in zip(r.boxes.conf.tolist(), r.boxes.cls.tolist(), r.boxes.xyxy.tolist())
                ]
            else:
                classes = r.semantic_mask.data.flatten().long()
                shares = torch.bincount(classes, minlength=labels) / classes.numel()
                return Answer(scores=dict(zip(r.names.values(), shares.tolist())))
            return Answer(finds=[(r.names[int(l)], c, x, y, z - x, w - y) for c, l, x, y, z, w in found])

        return file, predict

    return make


def bounds(corners):
    """Upright bounds of oriented boxes, given by their corners."""
    return torch.cat([corners.min(1).values, corners.max(1).values], 1).tolist()


def liven(net, pictures):
    """Gives a model of Ultralytics' the numbers of one that has learnt something."""
    settle(net, pictures)
    head = net.model[-1]
    if hasattr(head, "dec_score_head"):
        spread(net, [head.dec_score_head[-1]], pictures, -3.0, 1.7)
    elif hasattr(head, "linear"):
        spread(net, [head.linear], pictures, 0.0, 2.0)
    elif hasattr(head, "cv3"):
        last = lambda *names: [m[-1] for name in names for m in getattr(head, name, None) or []]
        # The best of many labels is to be no surer than one alone.
        spread(net, last("cv3", "one2one_cv3"), pictures, -4.5 - 0.5 * math.log(head.nc), 1.2)
        # Sides of boxes: a distribution over bins, or (YOLO26) a number of cells.
        spread(net, last("cv2", "one2one_cv2"), pictures, *((0.0, 2.0) if head.reg_max > 1 else (6.0, 0.5)))


# torchvision and timm


def torchvision_detector(build, labels=4, **settings):
    """A detector of torchvision: takes an image of three axes, 0..1, resizes and suppresses by itself."""

    def make(folder):
        import torchvision

        net = getattr(torchvision.models.detection, build)(
            weights=None, weights_backbone=None, num_classes=labels, **settings
        )
        pictures = list(batch(320, folder))
        settle(net.backbone, torch.stack(pictures))
        net.eval()
        if hasattr(net, "roi_heads"):
            spread(net, [net.rpn.head.cls_logits], pictures, 0.0, 2.0)
            spread(net, [net.rpn.head.bbox_pred], pictures, 0.0, 0.3)
            last = [net.roi_heads.box_predictor.cls_score]
        else:
            last = [m[-1] for m in net.head.classification_head.module_list]
        spread(net, last, pictures, 0.0, 1.5)
        file = folder / "made" / f"{build}.onnx"
        file.parent.mkdir(exist_ok=True)
        if not file.exists():
            torch.onnx.export(
                net,
                ([pictures[0]],),
                str(file),
                opset_version=17,
                input_names=["image"],
                # As the network's own dictionary has them.
                output_names=list(net(pictures[:1])[0]),
                dynamic_axes={
                    "image": {1: "height", 2: "width"},
                    "boxes": {0: "n"},
                    "labels": {0: "n"},
                    "scores": {0: "n"},
                },
                dynamo=False,
            )

        # The export, not the network: what tracing makes of its resizing is torchvision's.
        run = onnxruntime.InferenceSession(str(file)).run

        def predict(path):
            rgb = np.asarray(Image.open(path).convert("RGB"))
            boxes, of, scores = run(["boxes", "labels", "scores"], {"image": rgb.transpose(2, 0, 1) / np.float32(255)})
            found = zip(boxes.tolist(), of.tolist(), scores.tolist())
            return Answer(finds=[(WORDS[l - 1], s, x, y, z - x, w - y) for (x, y, z, w), l, s in found if s >= 0.5])

        return file, predict

    return make


def classifier(build):
    """A classifier with its package's own preparation: the shorter side to 256, then the middle 224."""

    def make(folder):
        if build.startswith("timm/"):
            import timm

            net = timm.create_model(build[5:], pretrained=False, num_classes=4)
            prepare = timm.data.create_transform(
                (3, 224, 224), interpolation="bilinear", crop_pct=0.875, is_training=False
            )
            last = net.get_classifier()
        else:
            import torchvision

            net = getattr(torchvision.models, build)(weights=None, num_classes=4)
            prepare = torchvision.transforms._presets.ImageClassification(crop_size=224)
            last = net.fc
        settle(net, batch(224, folder))
        spread(net, [last], batch(224, folder), 0.0, 2.0)
        file = folder / "made" / f"{build.replace('/', '-')}.onnx"
        file.parent.mkdir(exist_ok=True)
        if not file.exists():
            torch.onnx.export(net, (torch.zeros(1, 3, 224, 224),), str(file), opset_version=17, dynamo=False)

        def predict(path):
            with torch.no_grad():
                logits = net(prepare(Image.open(path).convert("RGB"))[None])[0]
            return Answer(scores=dict(zip(WORDS, logits.softmax(0).tolist())))

        return file, predict

    return make


# transformers


class Heads(torch.nn.Module):
    """What exporters of DETRs write: logits and boxes."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, pixel_values):
        out = self.net(pixel_values=pixel_values)
        return out.logits, out.pred_boxes


def detr(kind, side=320):
    """A DETR of transformers', small, with the preparation and the reading of its own processor."""

    def make(folder):
        import transformers as t

        few = {"num_labels": 3, "id2label": dict(enumerate(WORDS[:3]))}
        if kind == "detr":
            backbone = t.ResNetConfig(
                depths=[1, 1, 1, 1], hidden_sizes=[32, 64, 96, 128], embedding_size=16, out_features=["stage4"]
            )
            config = t.DetrConfig(
                use_timm_backbone=False,
                backbone=None,
                backbone_config=backbone,
                use_pretrained_backbone=False,
                d_model=64,
                encoder_layers=2,
                decoder_layers=2,
                encoder_ffn_dim=128,
                decoder_ffn_dim=128,
                num_queries=50,
                **few,
            )
            net = t.DetrForObjectDetection(config)
            processor = t.DetrImageProcessor(size={"height": side, "width": side})
        else:
            config = {"rtdetr": t.RTDetrConfig, "dfine": t.DFineConfig}[kind](num_queries=100, decoder_layers=2, **few)
            net = {"rtdetr": t.RTDetrForObjectDetection, "dfine": t.DFineForObjectDetection}[kind](config)
            processor = t.RTDetrImageProcessor(size={"height": side, "width": side})
        pictures = batch(side, folder)
        settle(net, pictures) if kind != "detr" else net.eval()
        layer = net.class_labels_classifier if kind == "detr" else net.class_embed[-1]
        spread(net, [layer], pictures, *((0.0, 1.5) if kind == "detr" else (-3.0, 1.7)))
        with torch.no_grad():
            # No label is likelier than another; for DETR nothing is, by its last number, as after training.
            logits = net(pixel_values=pictures).logits
            layer.bias.sub_(logits.mean((0, 1)) - logits.mean())
            if kind == "detr":
                layer.bias[-1] += 3.0
        file = folder / "made" / f"{kind}.onnx"
        file.parent.mkdir(exist_ok=True)
        if not file.exists():
            torch.onnx.export(
                Heads(net),
                (pictures[:1],),
                str(file),
                opset_version=17,
                dynamo=False,
                input_names=["pixel_values"],
                output_names=["logits", "pred_boxes"],
                dynamic_axes={
                    "pixel_values": {0: "batch", 1: "channels", 2: "height", 3: "width"},
                    "logits": {0: "batch", 1: "queries"},
                    "pred_boxes": {0: "batch", 1: "queries"},
                },
            )

        run = onnxruntime.InferenceSession(str(file)).run

        def predict(path):
            picture = Image.open(path).convert("RGB")
            pixels = processor(images=picture, return_tensors="np")["pixel_values"]
            logits, boxes = (torch.from_numpy(o) for o in run(["logits", "pred_boxes"], {"pixel_values": pixels}))
            out = SimpleNamespace(logits=logits, pred_boxes=boxes)
            r = processor.post_process_object_detection(out, threshold=0.5, target_sizes=[picture.size[::-1]])[0]
            found = zip(r["boxes"].tolist(), r["labels"].tolist(), r["scores"].tolist())
            return Answer(finds=[(WORDS[l], s, x, y, z - x, w - y) for (x, y, z, w), l, s in found])

        return file, predict

    return make


def ul(name, config, labels, what, **more):
    why = more.pop("why", "")
    good, unread = more.pop("good", ()), more.pop("unread", False)
    # Ultralytics' RT-DETR takes stretched pictures.
    pictures = "small" if more.get("task") == "classify" else "even" if "rtdetr" in config else "fit"
    return Model(
        name,
        "ultralytics",
        None,
        what,
        make=ultralytics(config, labels, **more),
        good=good,
        pictures=pictures,
        why=why,
        unread=unread,
    )


def nudenet(folder):
    """A trained file of Ultralytics', read by Ultralytics."""
    from ultralytics import YOLO

    file = Path(find_spec("nudenet").submodule_search_locations[0], "320n.onnx")
    them = YOLO(str(file), task="detect")

    def predict(path):
        r = them.predict(str(path), imgsz=320, rect=False, conf=0.25, iou=0.45, verbose=False, save=False)[0]
        found = zip(r.boxes.conf.tolist(), r.boxes.cls.tolist(), r.boxes.xyxy.tolist())
        return Answer(finds=[(r.names[int(l)], c, x, y, z - x, w - y) for c, l, (x, y, z, w) in found])

    return file, predict


MODELS = [
    Model(
        "nudenet, bare", "ultralytics", None, "trained; by Ultralytics", pictures="people", make=nudenet, tolerance=0.05
    ),
    ul("YOLOv8", "yolov8n", 3, "three labels"),
    ul("YOLO11 of one", "yolo11n", 1, "one label"),
    ul("YOLO11 nms", "yolo11n", 2, "two labels, nms=True", nms=True, conf=0.25, iou=0.45, max_det=300),
    ul("YOLO11 dynamic", "yolo11n", 80, "80 labels, dynamic=True", dynamic=True),
    ul("YOLO11 segment", "yolo11n-seg", 2, "two labels, masks", task="segment"),
    ul("YOLO11 obb", "yolo11n-obb", 2, "two labels, oriented", task="obb"),
    ul("YOLO11 classify", "yolo11n-cls", 3, "three labels", task="classify", side=224, good=("open",)),
    ul("YOLOv10", "yolov10n", 2, "two labels, in-graph"),
    ul("YOLO26", "yolo26n", 2, "two labels, in-graph"),
    ul("YOLO26 semantic", "yolo26n-sem", 3, "labels a pixel", task="semantic", good=("open",)),
    ul("RT-DETR", "yolov8-rtdetr", 2, "two labels, Ultralytics"),
    ul("YOLOv5", "yolov5n", 2, "Ultralytics' YOLOv5u"),
    ul("YOLO11 pose", "yolo11n-pose", 1, "key points", task="pose", unread=True),
    ul("YOLO26 depth", "yolo26n-depth", 1, "metres", task="depth", unread=True),
    Model(
        "Faster R-CNN",
        "torchvision",
        None,
        "three axes, names",
        labels=WORDS[:3],
        make=torchvision_detector(
            "fasterrcnn_mobilenet_v3_large_320_fpn", box_score_thresh=0.3, box_detections_per_img=20
        ),
    ),
    Model(
        "SSDlite",
        "torchvision",
        None,
        "three axes, names",
        labels=WORDS[:3],
        make=torchvision_detector("ssdlite320_mobilenet_v3_large", score_thresh=0.3, detections_per_img=20),
    ),
    Model(
        "ResNet-18",
        "torchvision",
        None,
        "shorter side 256, middle 224",
        labels=WORDS,
        good=("open",),
        make=classifier("resnet18"),
        changes={"inputs": {**IMAGENET, "resize": "crop", "shorter_side": 256, "interpolation": "antialias"}},
    ),
    Model(
        "ResNet-18 of timm",
        "timm",
        None,
        "timm's preparation",
        labels=WORDS,
        good=("open",),
        make=classifier("timm/resnet18"),
        changes={"inputs": {**IMAGENET, "resize": "crop", "shorter_side": 256, "interpolation": "antialias"}},
    ),
    Model(
        "DETR",
        "transformers",
        None,
        "logits and boxes, open axes",
        labels=WORDS[:3],
        pictures="even",
        make=detr("detr"),
        decoder="detr",
        changes={
            "thresholds": {"score": 0.5},
            "inputs": {"size": [320, 320], "resize": "stretch", "interpolation": "antialias"},
        },
    ),
    Model(
        "RT-DETR of transformers",
        "transformers",
        None,
        "the same",
        labels=WORDS[:3],
        pictures="even",
        make=detr("rtdetr"),
        decoder="rtdetr",
        changes={
            "thresholds": {"score": 0.5},
            "inputs": {
                "size": [320, 320],
                "resize": "stretch",
                "mean": [0],
                "scale": [1 / 255],
                "interpolation": "antialias",
            },
        },
    ),
    Model(
        "D-FINE",
        "transformers",
        None,
        "the same",
        labels=WORDS[:3],
        pictures="even",
        make=detr("dfine"),
        changes={
            "inputs": {
                "size": [320, 320],
                "resize": "stretch",
                "mean": [0],
                "scale": [1 / 255],
                "interpolation": "antialias",
            }
        },
    ),
]


def letterbox_tensor(path):
    from ultralytics.data.augment import LetterBox

    return LetterBox((320, 320), auto=False)(image=cv2.imread(str(path)))[:, :, ::-1].transpose(2, 0, 1) / 255


def classify_tensor(path):
    from ultralytics.data.augment import classify_transforms

    return classify_transforms(224)(Image.open(path).convert("RGB")).numpy()


def torchvision_tensor(path):
    import torchvision

    prepare = torchvision.transforms._presets.ImageClassification(crop_size=224, mean=(0, 0, 0), std=(1, 1, 1))
    return prepare(Image.open(path).convert("RGB")).numpy()


def timm_tensor(path):
    import timm

    config = {
        "input_size": (3, 224, 224),
        "interpolation": "bilinear",
        "crop_pct": 0.875,
        "mean": (0, 0, 0),
        "std": (1, 1, 1),
    }
    return timm.data.create_transform(**config, is_training=False)(Image.open(path).convert("RGB")).numpy()


def detr_tensor(path):
    import transformers

    processor = transformers.DetrImageProcessor(size={"height": 320, "width": 320}, do_normalize=False)
    return processor(images=Image.open(path).convert("RGB"), return_tensors="np")["pixel_values"][0]


MIDDLE = {"resize": "crop", "shorter_side": 256, "interpolation": "antialias"}
FEEDS = [
    Feed("Ultralytics' LetterBox", (320, 320), {}, letterbox_tensor),
    Feed("Ultralytics' classifiers", (224, 224), {**MIDDLE, "shorter_side": 224}, classify_tensor),
    Feed("torchvision's classifiers", (224, 224), MIDDLE, torchvision_tensor),
    Feed("timm, bilinear", (224, 224), MIDDLE, timm_tensor),
    Feed("transformers' DETR", (320, 320), {"resize": "stretch", "interpolation": "antialias"}, detr_tensor),
]
