# SPDX-License-Identifier: MPL-2.0
"""Trains a detector on crops of boards; writes checkpoints (averaged weights) and a log into `--out`."""

import argparse
import copy
import json
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

import evaluate
from course import Course
from data import Crops, load_folder, split_boards
from net import Detector, cell_centres, loss


def torch_predictor(net):
    """A `predict` for `evaluate.evaluate` from a net in memory."""

    def predict(image, template):
        planes = np.stack([image, template][: net.inputs])
        with torch.no_grad():
            x = torch.from_numpy(planes).float()[None] / 255
            return net.forward_export(x)[0].numpy()

    predict.planes = net.inputs
    return predict


def begin_from(net, weights):
    """Takes over a checkpoint's weights; new kinds keep random ones, kinds of too many are dropped."""
    own = net.state_dict()
    for name, value in weights.items():
        if value.ndim == 0:
            own[name].copy_(value)
        else:
            known = min(len(value), len(own[name]))
            own[name][:known].copy_(value[:known])


def train(rank, args):
    """One process of the training; the first one averages weights, validates, saves and logs."""
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    if args.processes > 1:
        store = (args.out / "meeting-point").resolve().as_uri()
        dist.init_process_group("gloo", init_method=store, rank=rank, world_size=args.processes)

    device = torch.device("cuda", rank) if torch.cuda.is_available() else torch.device("cpu")
    boards, validation, held = split_boards(load_folder(args.data), args.held_out)
    synthetic = [board for folder in args.boards for board in load_folder(folder)]
    check = load_folder(args.check_boards, 40) if args.check_boards else []
    sources, weights = [boards], [1.0]
    if synthetic:
        sources, weights = [boards, synthetic], [1 - args.boards_share, args.boards_share]
    count = args.steps * args.batch * args.processes
    crops = Crops(sources, weights, args.classes, args.size, args.seed, count, args.invert, args.template)
    mine = range(rank, count, args.processes)
    loader = torch.utils.data.DataLoader(crops, args.batch, sampler=mine, num_workers=args.workers, prefetch_factor=8)

    net = Detector(args.classes, 2 if args.template else 1)
    if args.start:
        begin_from(net, torch.load(args.start, weights_only=True)["weights"])
    net = net.to(device, memory_format=torch.channels_last)
    centres = cell_centres(crops.size, crops.size, device)
    log = (args.out / "log.jsonl").open("a") if rank == 0 else None

    course, sums = Course(net, args.rate, args.steps, args.minutes, args.warm, args.keep), [0.0, 0.0]
    for images, targets in loader:
        x = (images.to(device).float() / 255).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16):
            logits, sides = net(x)
        total, score_part, box_part = loss(logits, sides, targets.to(device), centres)
        course.advance(total)
        sums[0] += float(score_part) / 100
        sums[1] += float(box_part) / 100
        if rank == 0 and (course.step % 100 == 0 or course.over):
            row = {"step": course.step, "seconds": round(course.seconds, 1), "rate": round(course.rate, 6)}
            row |= {"score": round(sums[0], 4), "box": round(sums[1], 4)}
            sums = [0.0, 0.0]
            plain = copy.deepcopy(course.average).to("cpu", memory_format=torch.contiguous_format)
            saved = {"weights": plain.state_dict(), "classes": args.classes, "inputs": net.inputs, "step": course.step}
            torch.save(saved | {"minutes": course.seconds / 60}, args.out / "last.pt")
            predict = torch_predictor(plain)
            if course.step % args.check_every == 0 or course.over:
                row["validation"] = evaluate.evaluate(predict, validation, args.classes, good=False)
                if check:
                    row["boards"] = evaluate.evaluate(predict, check, args.classes, good=False)
            if course.over and args.held_out:
                row["held_out"] = evaluate.evaluate(predict, held, args.classes, intervals=True, score=0.5)
            print(json.dumps(row), file=log, flush=True)
            print(json.dumps(row), flush=True)
        if course.over:
            break


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="../shared/data/deeppcb", help="the DeepPCB folder")
    parser.add_argument("--boards", nargs="*", default=[], help="folders of synthetic boards, same layout")
    parser.add_argument("--boards-share", type=float, default=0.4, help="share of the crops cut from them, 0..1")
    parser.add_argument("--check-boards", help="a folder of synthetic boards to validate on, not trained on")
    parser.add_argument("--invert", type=float, default=0.15, help="share of DeepPCB crops turned to bright copper")
    parser.add_argument("--classes", type=int, default=6, help="how many kinds to learn, in DeepPCB's order")
    parser.add_argument("--template", action="store_true", help="the golden template goes in as a second plane")
    parser.add_argument("--held-out", nargs="*", help="groups not to train on but to measure at the end (split.json)")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="checkpoint to begin from")
    parser.add_argument("--steps", type=int, default=1000000)
    parser.add_argument("--minutes", type=float, default=1e9, help="the schedule is squeezed to end by then")
    parser.add_argument("--batch", type=int, default=12, help="crops a step in each process")
    parser.add_argument("--size", type=int, default=192, help="side of a crop in pixels")
    parser.add_argument("--processes", type=int, default=2, help="they share gradients; best one a core")
    parser.add_argument("--threads", type=int, default=1, help="threads of each process")
    parser.add_argument("--workers", type=int, default=1, help="processes that cut crops for each process")
    parser.add_argument("--warm", type=int, default=200, help="steps of rising learning rate")
    parser.add_argument("--keep", type=float, default=0.998, help="how slowly the averaged weights follow, 0..1")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--check-every", type=int, default=2000, help="steps between validations")
    args = parser.parse_args()

    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "meeting-point").unlink(missing_ok=True)
    if args.processes > 1:
        torch.multiprocessing.spawn(train, (args,), args.processes)
    else:
        train(0, args)


if __name__ == "__main__":
    main()
