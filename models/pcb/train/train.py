# SPDX-License-Identifier: MPL-2.0
"""Trains a detector on crops of boards; writes checkpoints (averaged weights) and a log into `--out`."""

import argparse
import copy
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors

import evaluate
from data import Crops, load_folder, split_boards
from net import Detector, cell_centres, loss


def torch_predictor(net):
    """A `predict` for `evaluate.evaluate` from a net in memory."""

    def predict(image, template):
        planes = np.stack([image, template][: net.inputs])
        with torch.no_grad():
            x = torch.from_numpy(planes).float()[None] / 255
            return net.forward_export(x.to(net.score.weight.device))[0].cpu().numpy()

    predict.planes = net.inputs
    return predict


def parameter_groups(net, decay):
    """Weights with decay; norms and biases without."""
    plain = [p for p in net.parameters() if p.ndim <= 1]
    return [
        {"params": [p for p in net.parameters() if p.ndim > 1], "weight_decay": decay},
        {"params": plain, "weight_decay": 0.0},
    ]


def begin_from(net, weights):
    """Takes over a checkpoint's weights; new kinds keep random ones, kinds of too many are dropped."""
    own = net.state_dict()
    for name, value in weights.items():
        if value.ndim == 0:
            own[name].copy_(value)
        else:
            known = min(len(value), len(own[name]))
            own[name][:known].copy_(value[:known])


def share(net, progress):
    """Averages the gradients over the processes, in one message with how far each is; returns the mean progress."""
    if not dist.is_initialized():
        return progress
    gradients = [p.grad for p in net.parameters()]
    flat = torch.cat([_flatten_dense_tensors(gradients), torch.tensor([progress])])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for own, mean in zip(gradients, _unflatten_dense_tensors(flat[:-1], gradients)):
        own.copy_(mean)
    return float(flat[-1])


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
    average = copy.deepcopy(net).eval()
    leaders = [t.detach() for t in net.state_dict().values() if t.dtype.is_floating_point]
    followers = [t.detach() for t in average.state_dict().values() if t.dtype.is_floating_point]
    optimiser = torch.optim.AdamW(parameter_groups(net, 0.02), lr=args.rate, fused=True)
    centres = cell_centres(crops.size, crops.size, device)
    log = (args.out / "log.jsonl").open("a") if rank == 0 else None

    begin, sums, progress = time.monotonic(), [0.0, 0.0], 0.0
    for step, (images, targets) in enumerate(loader, 1):
        rate = args.rate * min(step / args.warm, 1.0) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
        for group in optimiser.param_groups:
            group["lr"] = rate
        x = (images.to(device).float() / 255).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16):
            logits, sides = net(x)
        total, score_part, box_part = loss(logits, sides, targets.to(device), centres)
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        spent = (time.monotonic() - begin) / 60 / args.minutes
        progress = share(net, min(max(step / args.steps, spent), 1.0))
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimiser.step()
        torch._foreach_lerp_(followers, leaders, max(1 - args.keep, 19 / (step + 20)))
        sums[0] += float(score_part) / 100
        sums[1] += float(box_part) / 100
        last = step == args.steps or progress >= 1.0
        if rank == 0 and (step % 100 == 0 or last):
            row = {"step": step, "seconds": round(time.monotonic() - begin, 1), "rate": round(rate, 6)}
            row |= {"score": round(sums[0], 4), "box": round(sums[1], 4)}
            sums = [0.0, 0.0]
            plain = copy.deepcopy(average).to(memory_format=torch.contiguous_format)
            saved = {"weights": plain.cpu().state_dict(), "classes": args.classes, "inputs": net.inputs, "step": step}
            saved["start"] = args.start and "the weights of another version"
            torch.save(saved | {"minutes": (time.monotonic() - begin) / 60}, args.out / "last.pt")
            if step % args.check_every == 0 or last:
                row["validation"] = evaluate.evaluate(torch_predictor(plain), validation, args.classes, good=False)
                if check:
                    row["boards"] = evaluate.evaluate(torch_predictor(plain), check, args.classes, good=False)
            if last and args.held_out:
                row["held_out"] = evaluate.evaluate(torch_predictor(plain), held, args.classes, good=False)
            print(json.dumps(row), file=log, flush=True)
            print(json.dumps(row), flush=True)
        if last:
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
