# SPDX-License-Identifier: MPL-2.0
"""Lays a golden template on a board, within the graph: the shift at which both agree best, from coarse to fine."""

import torch
import torch.nn.functional as F
from torch import nn

REACH = 14
"""Pixels of shift that can be found, each way."""


def moved(picture, shift):
    """The picture (1, 1, H, W) `shift` (y, x: int64 tensors) pixels down and right; its border goes on beyond it."""
    height, width = (int(n) for n in picture.shape[2:])
    wide = F.pad(picture, (REACH,) * 4, mode="replicate")
    top, left = REACH - shift[0], REACH - shift[1]
    # The exporter has to see that the size is fixed.
    return wide[:, :, top : top + height, left : left + width].reshape(1, 1, height, width)


def detail(picture):
    """The picture less its surroundings: light that is brighter or slopes does not count."""
    return picture - F.avg_pool2d(picture, 5, 1, 2, count_include_pad=False)


class Align(nn.Module):
    """(image, template), both (1, 1, H, W) in 0..1, to the template moved by whole pixels onto the image.

    Correlations at a quarter of the size, half (on every fourth row) and whole (on every sixteenth), two steps each way:
    14 pixels of reach, from 2 million multiplications. Among shifts that agree alike, as along a trace, the smaller one
    is taken. Where the template does not reach, the image stands for it: no difference is no defect.
    """

    def forward(self, image, template):
        shift = torch.zeros(2, dtype=torch.int64)
        for factor, steps, stride in ((4, 2, 1), (2, 2, 4), (1, 2, 16)):
            small = [detail(F.avg_pool2d(p, factor) if factor > 1 else p) for p in (image, template)]
            fixed = moved(small[1], shift)[:, :, steps:-steps, steps:-steps][:, :, ::stride]
            rows = (fixed.shape[2] - 1) * stride + 2 * steps + 1
            agreement = F.conv2d(small[0][:, :, :rows], fixed, dilation=(stride, 1))[0, 0]
            offsets = torch.arange(-steps, steps + 1)
            distance = (offsets[:, None] ** 2 + offsets[None] ** 2).float()
            best = (agreement * (1 - 0.002 * distance)).flatten().argmax()
            found = torch.stack([best // (2 * steps + 1), best % (2 * steps + 1)]) - steps
            shift = shift + found
            if factor > 1:
                shift = shift * 2
        rows, columns = (torch.arange(n) - s for n, s in zip(image.shape[2:], shift))
        known = ((rows >= 0) & (rows < image.shape[2]))[:, None] & ((columns >= 0) & (columns < image.shape[3]))[None]
        return torch.where(known, moved(template, shift), image)
