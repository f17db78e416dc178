# SPDX-License-Identifier: MPL-2.0
"""Trains the anomaly net on spoilt normal frames; writes the averaged weights into `--out`."""

import argparse
import copy
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from frames import Spoilt, load
from unet import Marker

from course import Course


def loss(logits, mask):
    """Focal cross entropy, and one minus the overlap (Dice) of what is marked with what is spoilt."""
    chance = logits.sigmoid()
    entropy = F.binary_cross_entropy_with_logits(logits, mask, reduction="none")
    focal = (entropy * (chance - mask).abs().pow(2)).sum() / mask.sum().clamp(min=1)
    dice = 1 - (2 * (chance * mask).sum() + 1) / (chance.sum() + mask.sum() + 1)
    return focal + dice


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("frames", type=Path, help="the folder that frames.py drew")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="checkpoint to begin from")
    parser.add_argument("--minutes", type=float, default=16)
    parser.add_argument("--steps", type=int, default=1000000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    normal = np.concatenate([load(p) for p in sorted((args.frames / "train").glob("*.raw"))])
    spoilt = Spoilt(normal, args.seed, args.steps * args.batch)
    net = Marker()
    if args.start:
        net.load_state_dict(torch.load(args.start, weights_only=True)["weights"])
    net = net.to(device, memory_format=torch.channels_last)
    course = Course(net, args.rate, args.steps, args.minutes)
    args.out.mkdir(parents=True, exist_ok=True)
    total = 0.0
    for images, masks in torch.utils.data.DataLoader(spoilt, args.batch, num_workers=1, prefetch_factor=8):
        x = (images.to(device).float() / 255).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16):
            logits = net(x)
        value = loss(logits, masks.to(device))
        course.advance(value)
        total += float(value.detach()) / 100
        if course.step % 100 == 0 or course.over:
            print(json.dumps({"step": course.step, "seconds": round(course.seconds, 1), "loss": round(total, 4)}), flush=True)
            total = 0.0
        if course.over:
            break
    plain = copy.deepcopy(course.average).to("cpu", memory_format=torch.contiguous_format)
    saved = {"weights": plain.state_dict(), "step": course.step, "minutes": course.seconds / 60}
    torch.save(saved, args.out / "last.pt")


if __name__ == "__main__":
    main()
