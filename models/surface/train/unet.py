# SPDX-License-Identifier: MPL-2.0
"""The anomaly net: a small U-net that marks what does not belong, with blocks of the detector's."""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

sys.path.append(str(Path(__file__).resolve().parents[2] / "pcb/train"))

from net import Stage, conv, doubled  # noqa: E402


class Marker(nn.Module):
    """Grey (B, 1, H, W) in 0..1 to logits (B, 1, H/2, W/2) of there being something that does not belong."""

    def __init__(self, widths=(16, 32, 64, 96)):
        super().__init__()
        a, b, c, d = widths
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), conv(4, a), conv(a, a))
        self.downs = nn.ModuleList(
            nn.Sequential(conv(x, y, 3, 2), Stage(y, y, depth)) for x, y, depth in ((a, b, 1), (b, c, 1), (c, d, 2))
        )
        self.ups = nn.ModuleList(Stage(x + y, y, 1) for x, y in ((d, c), (c, b), (b, a)))
        self.mark = nn.Conv2d(a, 1, 1)
        nn.init.constant_(self.mark.bias, -3.0)

    def forward(self, x):
        levels = [self.stem(x)]
        for down in self.downs:
            levels.append(down(levels[-1]))
        y = levels.pop()
        for up in self.ups:
            y = up(torch.cat([doubled(y), levels.pop()], 1))
        return self.mark(y).float()


class Exported(nn.Module):
    """In anomalib's convention: `pred_score` (1,) and `anomaly_map` (1, 1, H, W), 0.5 where a frame begins to be bad.

    `threshold` is the logit that becomes 0.5. The score is the highest of the map's means over 3 x 3 cells: one bright
    cell is noise.
    """

    def __init__(self, net, threshold):
        super().__init__()
        self.net, self.threshold = net, threshold

    def forward(self, image):
        logits = F.avg_pool2d(self.net(image), 3, 1, 1, count_include_pad=False) - self.threshold
        scores = logits.sigmoid()
        heat = F.interpolate(logits, scale_factor=2.0, mode="bilinear", align_corners=False).sigmoid()
        return scores.amax((1, 2, 3)), heat
