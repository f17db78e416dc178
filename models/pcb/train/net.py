# SPDX-License-Identifier: MPL-2.0
"""The detector: a small fully convolutional net with one anchor-free head at stride 8, and its loss."""

import torch
import torch.nn.functional as F
from torch import nn

from data import IGNORE

STRIDE = 8


def conv(inputs, outputs, kernel=3, stride=1):
    """Convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03),
        nn.ReLU(inplace=True),
    )


def doubled(x):
    """Every cell four times: twice the width and height."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


class Stage(nn.Module):
    """Half of the channels pass `depth` residual pairs of 3x3 convolutions; every step is kept and mixed by a 1x1."""

    def __init__(self, inputs, outputs, depth=1):
        super().__init__()
        self.half = outputs // 2
        self.enter = conv(inputs, outputs, 1)
        self.pairs = nn.ModuleList(
            nn.Sequential(conv(self.half, self.half), conv(self.half, self.half)) for _ in range(depth)
        )
        self.leave = conv(self.half * (2 + depth), outputs, 1)

    def forward(self, x):
        steps = list(self.enter(x).split(self.half, 1))
        for pair in self.pairs:
            steps.append(steps[-1] + pair(steps[-1]))
        return self.leave(torch.cat(steps, 1))


class Detector(nn.Module):
    """Grey (B, inputs, H, W) in 0..1, H and W multiples of 32: the board, and its golden template as the second plane.

    In training: (class logits (B, nc, N), distances to left, top, right, bottom (B, 4, N) in pixels) with
    N = H/8 * W/8. For export, `forward_export`: (B, 4 + nc, N), rows cx cy w h in input pixels and scores in 0..1.
    """

    def __init__(self, classes, inputs=1, widths=(32, 64, 96, 128)):
        super().__init__()
        a, b, c, d = widths
        self.classes, self.inputs = classes, inputs
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), conv(4 * inputs, a, 3, 2))
        self.fine = nn.Sequential(conv(a, b, 3, 2), Stage(b, b, 1))
        self.middle = nn.Sequential(conv(b, c, 3, 2), Stage(c, c, 2))
        self.coarse = nn.Sequential(conv(c, d, 3, 2), Stage(d, d, 1))
        self.pools = nn.ModuleList(nn.MaxPool2d(5, 1, 2) for _ in range(2))
        self.mix = conv(3 * d, d, 1)
        self.widen = conv(c + d, c, 1)
        self.join = Stage(b + c, b, 1)
        self.score = nn.Conv2d(b, classes, 1)
        self.box = nn.Conv2d(b, 4, 1)
        nn.init.constant_(self.score.bias, -4.6)
        nn.init.normal_(self.box.weight, std=0.01)
        nn.init.constant_(self.box.bias, 0.7)

    def forward(self, x):
        fine = self.fine(self.stem(x))
        middle = self.middle(fine)
        coarse = [self.coarse(middle)]
        for pool in self.pools:
            coarse.append(pool(coarse[-1]))
        coarse = self.mix(torch.cat(coarse, 1))
        middle = self.widen(torch.cat([middle, doubled(coarse)], 1))
        y = self.join(torch.cat([fine, doubled(middle)], 1))
        return self.score(y).flatten(2).float(), self.box(y).flatten(2).float().clamp(-3, 4).exp() * STRIDE

    def forward_export(self, x):
        logits, sides = self(x)
        centres = cell_centres(x.shape[2], x.shape[3], x.device)
        low, high = centres - sides[:, :2], centres + sides[:, 2:]
        return torch.cat([(low + high) / 2, high - low, logits.sigmoid()], 1)


def folded_stem(net):
    """The stem as one convolution of 6x6 by 4 steps on the pixels themselves: what PixelUnshuffle and 3x3 by 2 come to."""
    (small, norm, relu), inputs = net.stem[1], net.inputs
    whole = nn.Conv2d(inputs, small.out_channels, 6, 4, 2, bias=False)
    parts = small.weight.detach().view(-1, inputs, 2, 2, 3, 3)
    whole.weight.data = parts.permute(0, 1, 4, 2, 5, 3).reshape(-1, inputs, 6, 6).contiguous()
    return nn.Sequential(whole, norm, relu)


def cell_centres(height, width, device="cpu"):
    """Centres of the stride-8 cells, row by row: (2, N), x then y, in pixels."""
    ys = (torch.arange(height // STRIDE, device=device, dtype=torch.float32) + 0.5) * STRIDE
    xs = (torch.arange(width // STRIDE, device=device, dtype=torch.float32) + 0.5) * STRIDE
    y, x = torch.meshgrid(ys, xs, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()])


def giou(a, b):
    """Generalised IoU of paired boxes (n, 4) x1 y1 x2 y2, and the plain IoU."""
    inter = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    union = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - inter
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(1)
    iou = inter / union.clamp(min=1e-6)
    return iou - (hull - union) / hull.clamp(min=1e-6), iou


def loss(logits, sides, targets, centres, radius=1.5):
    """Quality focal loss on the scores and GIoU on the boxes of the cells nearest to each defect's centre.

    A cell is positive when its centre lies inside the box and within `radius` cells of the box centre; its score is
    taught 0.5 + IoU / 2. Cells in the middle of an ignored box teach nothing. Returns (total, score part, box part).
    """
    boxes, kinds = targets[..., :4], targets[..., 4].long()
    points = centres.T[None, :, None]
    inside = ((points > boxes[:, None, :, :2]) & (points < boxes[:, None, :, 2:])).all(-1)
    middle = (boxes[:, None, :, :2] + boxes[:, None, :, 2:]) / 2
    distance = (points - middle).abs().amax(-1) / STRIDE
    cost = distance.masked_fill(~(inside & (distance < radius) & (kinds >= 0)[:, None]), 1e9)
    best, owner = cost.min(2)
    image, cell = torch.nonzero(best < 1e8, as_tuple=True)
    ignored = (inside & (kinds == IGNORE)[:, None]).any(2)

    goal = torch.zeros_like(logits)
    box_loss = logits.sum() * 0
    if len(image):
        box = boxes[image, owner[image, cell]]
        kind = kinds[image, owner[image, cell]]
        reach = sides[image, :, cell]
        centre = centres.T[cell]
        guess = torch.cat([centre - reach[:, :2], centre + reach[:, 2:]], 1)
        overlap, iou = giou(guess, box)
        goal[image, kind, cell] = 0.5 + iou.detach() / 2
        box_loss = (1 - overlap).sum()
    with torch.no_grad():
        weight = (goal - logits.sigmoid()).abs().pow(2.0)
        weight = weight * (~ignored | (best < 1e8))[:, None]
    score_loss = (F.binary_cross_entropy_with_logits(logits, goal, reduction="none") * weight).sum()
    count = max(len(image), 1)
    score_loss, box_loss = score_loss * 4 / count, box_loss / count
    return score_loss + box_loss, score_loss.detach(), box_loss.detach()
