# SPDX-License-Identifier: MPL-2.0
"""Turns a checkpoint into the bundle: model.onnx, manifest, model card and golden samples, measured by ONNX Runtime."""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import torch

from frames import SIZE, Spoilt, load, load_bad
from unet import Exported, Marker

from bundle import count, rounded, span

LEVELS = 16
"""Grey levels of golden samples: few make small files."""
MARGIN = 0.2
"""By how much a golden sample's score lies off 0.5."""


def auroc(scores, bad, times=None):
    """The probability that a bad one scores above a good one, ties half; entry i counts `times[i]` times."""
    times = np.ones(len(scores)) if times is None else times
    order = np.argsort(scores, kind="stable")
    _, block = np.unique(scores[order], return_inverse=True)
    good = np.bincount(block, times[order] * ~bad[order])
    evil = np.bincount(block, times[order] * bad[order])
    below = np.cumsum(good) - good / 2
    return float((evil * below).sum() / max(evil.sum() * good.sum(), 1e-9))


def middle_of_best(good, bad):
    """The threshold with the best F1 on images; of several, the middle."""
    steps = np.unique(np.concatenate([good, bad]))
    f1 = np.array([2 * (bad >= s).sum() / ((bad >= s).sum() + (good >= s).sum() + len(bad)) for s in steps])
    best = int(f1.argmax())
    below = good[good < steps[best]]
    return float((steps[best] + below.max()) / 2) if len(below) else float(steps[best])


def write_onnx(net, threshold, version, path):
    """Exports at a fixed size, opset 17."""
    torch.onnx.export(
        Exported(net, threshold),
        (torch.zeros(1, 1, SIZE, SIZE),),
        str(path),
        input_names=["input"],
        output_names=["pred_score", "anomaly_map"],
        opset_version=17,
        dynamo=False,
    )
    model = onnx.load(str(path))
    model.ir_version = min(model.ir_version, 10)
    model.producer_name, model.producer_version = "andon-surface", version
    onnx.helper.set_model_props(model, {"version": version, "license": "MPL-2.0"})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def measured(run, folder, skus):
    """What the model does on frames of seeds it did not see: AUROC of images and pixels by product, and rates."""
    table, all_scores, all_bad = {}, [], []
    for sku in skus:
        good = load(folder / f"{sku}.raw")
        bad, masks = load_bad(folder, sku)
        said = [run(frame) for frame in np.concatenate([good, bad])]
        scores = np.array([score for score, _ in said])
        heat = np.stack([h for _, h in said])
        is_bad = np.arange(len(said)) >= len(good)
        truth = np.concatenate([np.zeros_like(masks[:1]).repeat(len(good), 0), masks])
        rng = np.random.default_rng(0)
        draws = [auroc(scores, is_bad, np.bincount(rng.integers(len(said), size=len(said)), minlength=len(said))) for _ in range(1000)]
        table[sku] = {
            "image_auroc": auroc(scores, is_bad),
            "interval": [float(v) for v in np.percentile(draws, [2.5, 97.5])],
            "pixel_auroc": auroc(heat.ravel(), truth.ravel()),
            "escapes": float((scores[is_bad] < 0.5).mean()),
            "overkill": float((scores[~is_bad] >= 0.5).mean()),
            "frames": len(said),
        }
        all_scores.append(scores)
        all_bad.append(is_bad)
    whole = auroc(np.concatenate(all_scores), np.concatenate(all_bad))
    return table, whole


def golden(run, folder, skus, out):
    """Keeps a good and a bad frame of each product of whose verdict the model is sure; answers the manifest's list."""
    (out / "golden").mkdir(exist_ok=True)
    for old in (out / "golden").glob("*.png"):
        old.unlink()
    kept = []
    for sku in skus:
        for verdict, frames in (("ok", load(folder / f"{sku}.raw")), ("ng", load(folder / f"{sku}-bad.raw"))):
            for frame in frames:
                frame = (np.round(frame / 255 * (LEVELS - 1)) * (255 / (LEVELS - 1))).astype(np.uint8)
                score, _ = run(frame)
                if score <= 0.5 - MARGIN if verdict == "ok" else score >= 0.5 + MARGIN:
                    name = f"golden/{sku}-{verdict}.png"
                    cv2.imwrite(str(out / name), frame)
                    kept.append({"image": name, "verdict": verdict, "part": {"sku": sku, "view": 0}})
                    break
            else:
                raise SystemExit(f"no frame of {sku} is clearly {verdict}: draw more, or train longer")
    return kept


def card(manifest, table, facts):
    """The model card."""
    lines = [
        f"# surface {manifest['version']}",
        "",
        manifest["description"],
        "",
        f"- Input `input`: 1 x 1 x {SIZE} x {SIZE}, float32, grey, pixel / 255; frames are scaled by area.",
        f"- Outputs in anomalib's convention: `pred_score` (1) and `anomaly_map` (1 x 1 x {SIZE} x {SIZE}), both 0..1 with"
        " 0.5 where a frame begins to be bad.",
        f"- {facts['parameters']:,} parameters, {facts['macs'] / 1e9:.2f} GMAC an image, {facts['bytes']:,} bytes.",
        f"- Trained from random weights by `models/surface/train` on normal frames of `defecttestsrc` alone ("
        f"{facts['trained']} of the products {', '.join(table)}): {facts['training']}. Spots, scratches and misplaced pieces"
        " were drawn on them; it marks these, and so whatever does not belong. No true defect was seen.",
        "- The threshold is the best F1 of normal validation frames against spoilt ones.",
        "",
        "On seeds that training did not see (half of the frames with one to three defects), with 95 % intervals of 1,000"
        " draws of frames; pixels at the model's resolution:",
        "",
        "| product | frames | image AUROC | pixel AUROC | escapes | overkill |",
        "|---|---|---|---|---|---|",
    ]
    for sku, r in table.items():
        rates = f"{r['pixel_auroc']:.4f} | {r['escapes']:.1%} | {r['overkill']:.1%}"
        lines.append(f"| {sku} | {r['frames']} | {span(r['image_auroc'], r['interval'], 4)} | {rates} |")
    lines += ["", "Limits: it knows the layouts of these products alone; any other board is an anomaly to it.", ""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("frames", type=Path, help="the folder that frames.py drew")
    parser.add_argument("--version", default="1")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    saved = torch.load(args.checkpoint, weights_only=True)
    net = Marker().eval()
    net.load_state_dict(saved["weights"])
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "model.onnx"
    validation = [load(p) for p in sorted((args.frames / "validation").glob("*.raw"))]
    normal = np.concatenate(validation)
    skus = [p.stem for p in sorted((args.frames / "validation").glob("*.raw"))]
    spoilt = (item for item in map(Spoilt(normal, 99).__getitem__, range(1000)) if item[1].sum() >= 2)
    write_onnx(net, 0.0, args.version, path)

    def runner():
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

        def run(frame):
            score, heat = session.run(None, {"input": (frame / np.float32(255))[None, None].astype(np.float32)})
            return float(score[0]), heat[0, 0]

        return run

    run = runner()
    logit = lambda p: np.log(np.clip(p, 1e-7, 1 - 1e-7) / (1 - np.clip(p, 1e-7, 1 - 1e-7)))  # noqa: E731
    good = logit(np.array([run(f)[0] for f in normal]))
    bad = logit(np.array([run(next(spoilt)[0][0].numpy())[0] for _ in range(len(normal))]))
    write_onnx(net, middle_of_best(good, bad), args.version, path)
    run = runner()
    table, whole = measured(run, args.frames / "test", skus)
    trained = sum(len(load(p)) for p in sorted((args.frames / "train").glob("*.raw")))
    manifest = {
        "schema": "andon.model/1",
        "name": "surface",
        "version": args.version,
        "task": "anomaly",
        "description": "Marks whatever does not belong on boards of known products; trained on normal frames alone.",
        "model": "model.onnx",
        "inputs": [
            {
                "name": "input",
                "source": "image",
                "layout": "NCHW",
                "type": "f32",
                "colour": "grey",
                "resize": "letterbox",
                "interpolation": "area",
                "pad": [0],
                "size": [SIZE, SIZE],
                "mean": [0.0],
                "scale": [1 / 255],
            }
        ],
        "outputs": [
            {"name": "pred_score", "decoder": "anomalib"},
            {"name": "anomaly_map", "decoder": "anomalib"},
        ],
        "thresholds": {"score": 0.5},
        "verdict": {"rule": "anomaly-score"},
        "quality": rounded({"image_auroc": whole, "by_product": table}),
        "golden": golden(run, args.frames / "test", skus, args.out),
    }
    (args.out / "model.json").write_text(json.dumps(manifest, indent=2) + "\n")
    parameters, macs = count(path)
    facts = {"parameters": parameters, "macs": macs, "bytes": path.stat().st_size, "trained": trained}
    facts["training"] = f"{saved['step']:,} steps, {saved['minutes']:.0f} minutes"
    (args.out / "README.md").write_text(card(manifest, table, facts))
    print(json.dumps(rounded({"image_auroc": whole, "by_product": table}), indent=1))


if __name__ == "__main__":
    main()
