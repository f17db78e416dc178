# SPDX-License-Identifier: MPL-2.0
"""Has other people's readers open what `andon dataset export` writes, and count its boxes: pycocotools, Datumaro (COCO, its
own format, YOLO; CVAT reads by it), Label Studio's SDK, whose converter also turns the tasks into COCO again, box by box the
same, and Ultralytics. What Datumaro and Label Studio write then goes through `andon dataset import`, and what Datumaro writes in
the layouts of CVAT (COCO, Pascal VOC, YOLO 1.1, YOLO of Ultralytics) through `andon evaluate`, whose figures have to be the same.

    python3 -m venv VENV && . VENV/bin/activate
    pip install pycocotools datumaro label-studio-sdk ultralytics
    python3 tests/oracles/datasets.py CAPTURES path/to/andon BUNDLE
"""

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from datumaro.components.annotation import AnnotationType
from datumaro.components.dataset import Dataset
from label_studio_sdk.converter import Converter
from label_studio_sdk.label_interface import LabelInterface
from pycocotools.coco import COCO
from ultralytics.data import YOLODataset
from ultralytics.data.utils import check_det_dataset

CAPTURES, ANDON, BUNDLE = Path(sys.argv[1]).resolve(), os.path.abspath(sys.argv[2]), os.path.abspath(sys.argv[3])
SUBSETS = ["train", "val"]

# Of every image without a box the converter says that it has none.
logging.disable(logging.WARNING)


def andon(*arguments):
    """What the program printed."""
    return subprocess.run([ANDON, "dataset", *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def sidecars():
    """What the sidecars say, counted without the program: boxes and verdicts of each arm."""
    boxes, verdicts = Counter(), Counter()
    for path in CAPTURES.glob("*.json"):
        for result in json.loads(path.read_text())["results"]:
            boxes[result["arm"]] += len(result["detections"])
            verdicts[result["arm"], result["verdict"]] += 1
    return boxes, verdicts


def same(what, found, wanted):
    """Prints a count, and stops where it is not what the sidecars say."""
    print(f"{what:62} {found}")
    if found != wanted:
        sys.exit(f"{what}: {found}, but the sidecars say {wanted}")


def of_type(data, kind):
    """Datumaro's annotations of one kind."""
    return [a for item in data for a in item.annotations if a.type == kind]


def coco(folder, boxes, images):
    cocos = [COCO(folder / f"annotations/instances_{subset}.json") for subset in SUBSETS]
    same("pycocotools: images of COCO", sum(len(c.imgs) for c in cocos), images)
    same("pycocotools: boxes of COCO", sum(len(c.anns) for c in cocos), boxes)
    # Read as detections, which have to have scores, and matched with themselves.
    found = cocos[0].loadRes(list(cocos[0].anns.values()))
    same("pycocotools: boxes of train, read as results with scores", len(found.anns), len(cocos[0].anns))
    for c, subset in zip(cocos, SUBSETS):
        assert all((folder / "images" / subset / i["file_name"]).is_file() for i in c.imgs.values())
    data = Dataset.import_from(str(folder), "coco_instances")
    same("Datumaro: images of COCO", len(data), images)
    read = of_type(data, AnnotationType.bbox)
    same("Datumaro: boxes of COCO", len(read), boxes)
    same("Datumaro: of these with a score and source=auto", sum("score" in a.attributes and a.attributes.get("source") == "auto" for a in read), boxes)
    same("Datumaro: images that it can open", sum(item.media.data is not None for item in data), images)
    return data


def label_studio(folder, boxes, truth):
    interface = LabelInterface((folder / "config.xml").read_text())
    interface.validate()
    tasks = [task for subset in SUBSETS for task in json.loads((folder / f"tasks_{subset}.json").read_text())]
    predictions = [p for task in tasks for p in task["predictions"]]
    errors = [e for p in predictions for e in interface.validate_prediction(p, return_errors=True)]
    print(*errors[:5], sep="\n", end="" if not errors else "\n")
    same("Label Studio SDK: errors in predictions", len(errors), 0)
    # validate_task of SDK 2.1.2 cannot be called for a task that has predictions.
    bare = [{"data": task["data"]} for task in tasks]
    same("Label Studio SDK: tasks that are not valid", sum(not interface.validate_task(t) for t in bare), 0)
    for arm in "ab":
        own = [p for p in predictions if p["model_version"].endswith(f"(arm {arm})")]
        same(f"Label Studio SDK: boxes of arm {arm}", sum(len(p["result"]) for p in own), boxes[arm])
    # As if somebody had taken over arm a's boxes as they are.
    for n, task in enumerate(tasks):
        a = next(p for p in task["predictions"] if p["model_version"].endswith("(arm a)"))
        task.update(id=n, predictions=[], annotations=[{"id": n, "completed_by": 1, "result": a["result"]}])
    with tempfile.TemporaryDirectory() as out:
        exported = Path(out) / "export.json"
        exported.write_text(json.dumps(tasks))
        converter = Converter((folder / "config.xml").read_text(), out, download_resources=False)
        converter.convert_to_coco(str(exported), out, is_dir=False)
        converted = json.loads((Path(out) / "result.json").read_text())
        same("Label Studio's converter: boxes of arm a as COCO", len(converted["annotations"]), boxes["a"])
        names = {i["id"]: Path(i["file_name"]).name for i in converted["images"]}
        apart = 0.0
        for a in converted["annotations"]:
            near = [max(abs(p - q) for p, q in zip(a["bbox"], t)) for t in truth[names[a["image_id"]]]]
            apart = max(apart, min(near))
        print(f"{'  of these from the COCO export, pixels at most':62} {apart:.3f}")
        assert apart < 0.1
        labels = andon("import", exported, "--format=labelstudio", "--into", Path(out) / "labels.jsonl")
        print(f"andon import of Label Studio's JSON: {labels.strip()}")
        lines = [json.loads(line) for line in (Path(out) / "labels.jsonl").read_text().splitlines()]
        return Counter(line["verdict"] for line in lines)


def ultralytics(folder, boxes, images, splits):
    """The trainer's own check and loader, from a current folder that is another one."""
    os.chdir("/")
    data = check_det_dataset(str(folder / "data.yaml"))
    sets = [YOLODataset(img_path=data[split], data=data, task="detect", augment=False) for split in splits]
    same("Ultralytics: images of YOLO", sum(len(s.labels) for s in sets), images)
    same("Ultralytics: boxes of YOLO", sum(len(label["cls"]) for s in sets for label in s.labels), boxes)


def evaluated(path, *more):
    """Layout, boxes and mean average precision of a set."""
    done = subprocess.run([ANDON, "evaluate", BUNDLE, "--data", path, "--json", "--resamples=0", *more], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    report = json.loads(done.stdout)
    model = report["models"][0]
    return report["layout"], sum(model["boxes"].values()), model["figures"]["map_0.5:0.95"]["value"]


def main():
    boxes, verdicts = sidecars()
    images = sum(n for (arm, _), n in verdicts.items() if arm == "a")
    print(f"{CAPTURES.name}: {images} captures, boxes by arm {dict(boxes)}\n")
    with tempfile.TemporaryDirectory() as base:
        base = Path(base)
        for kind in ["coco", "labelstudio", "yolo", "datumaro"]:
            andon("export", CAPTURES, "--format", kind, "--into", base / kind, "--val=0.3")
        data = coco(base / "coco", boxes["a"], images)
        truth = {Path(i.media.path).name: [[a.x, a.y, a.w, a.h] for a in i.annotations if a.type == AnnotationType.bbox] for i in data}
        labels = label_studio(base / "labelstudio", boxes, truth)
        same("  of these ng", labels["ng"], verdicts["a", "ng"])

        own = Dataset.import_from(str(base / "datumaro"), "datumaro")
        same("Datumaro: boxes of its own format", len(of_type(own, AnnotationType.bbox)), boxes["a"])
        names = own.categories()[AnnotationType.label]
        tags = Counter(names[a.label].name for a in of_type(own, AnnotationType.label))
        same("Datumaro: tags NG of its own format", tags["NG"], verdicts["a", "ng"])
        same("Datumaro: tags OK of its own format", tags["OK"], verdicts["a", "ok"])
        yolo = Dataset.import_from(str(base / "yolo"), "yolo")
        same("Datumaro: boxes of YOLO", len(of_type(yolo, AnnotationType.bbox)), boxes["a"])

        ultralytics(base / "yolo", boxes["a"], images, SUBSETS)
        andon("export", CAPTURES, "--format", "yolo", "--into", base / "plain")
        ultralytics(base / "plain", boxes["a"], images, ["train"])
        wanted = evaluated(base / "coco")
        print(f"andon evaluate of our COCO: {wanted}")
        # Datumaro names these layouts as CVAT does; its VOC is the one with boxes alone.
        for kind, layout in [("coco_instances", "coco"), ("voc_detection", "voc"), ("yolo", "yolo"), ("yolo_ultralytics", "yolo")]:
            written = Dataset.import_from(str(base / "coco"), "coco_instances")
            written.export(str(base / f"theirs-{kind}"), kind, save_media=True)
            found = evaluated(base / f"theirs-{kind}")
            same(f"andon evaluate of Datumaro's {kind}: layout and boxes", found[:2], (layout, wanted[1]))
            print(f"{'  mean average precision, difference':62} {abs(found[2] - wanted[2]):.6f}")
            assert abs(found[2] - wanted[2]) < 0.001

        data.export(str(base / "again"), "coco_instances", save_media=False)
        for subset in SUBSETS:
            file = base / f"again/annotations/instances_{subset}.json"
            arguments = ["--captures", CAPTURES, "--into", base / "labels.jsonl"]
            print(f"andon import of Datumaro's COCO: {andon('import', file, '--format=cvat-coco', *arguments).strip()}")
        lines = [json.loads(line) for line in (base / "labels.jsonl").read_text().splitlines()]
        same("  of these ng", sum(line["verdict"] == "ng" for line in lines), verdicts["a", "ng"])


main()
