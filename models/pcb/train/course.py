# SPDX-License-Identifier: MPL-2.0
"""How a net's weights move: AdamW, a learning rate that follows the clock, averaged weights, processes that agree."""

import copy
import math
import time

import torch
import torch.distributed as dist
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors


def parameter_groups(net, decay):
    """Weights with decay; norms and biases without."""
    plain = [p for p in net.parameters() if p.ndim <= 1]
    return [
        {"params": [p for p in net.parameters() if p.ndim > 1], "weight_decay": decay},
        {"params": plain, "weight_decay": 0.0},
    ]


class Course:
    """One training: `advance` takes a loss a step until `over`; `average` is the net to keep.

    The rate rises for `warm` steps and falls by half a cosine to 2 %, which ends after `steps` steps or `minutes` minutes,
    whichever comes first. `keep` (0..1) is how slowly the averaged weights follow. Where processes train together
    (torch.distributed), gradients and progress are their mean.
    """

    def __init__(self, net, rate, steps, minutes, warm=200, keep=0.998):
        self.net, self.top, self.steps, self.minutes, self.warm, self.keep = net, rate, steps, minutes, warm, keep
        self.average = copy.deepcopy(net).eval()
        self.leaders = [t.detach() for t in net.state_dict().values() if t.dtype.is_floating_point]
        self.followers = [t.detach() for t in self.average.state_dict().values() if t.dtype.is_floating_point]
        self.optimiser = torch.optim.AdamW(parameter_groups(net, 0.02), lr=rate, fused=True)
        self.begin, self.step, self.progress = time.monotonic(), 0, 0.0

    @property
    def seconds(self):
        """Time since the beginning."""
        return time.monotonic() - self.begin

    @property
    def over(self):
        """Whether that was the last step."""
        return self.step >= self.steps or self.progress >= 1.0

    @property
    def rate(self):
        """The learning rate of the present step."""
        fall = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.progress))
        return self.top * min(self.step / self.warm, 1.0) * fall

    def advance(self, loss):
        """Goes one step down the slope of `loss`."""
        self.step += 1
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self._share(min(max(self.step / self.steps, self.seconds / 60 / self.minutes), 1.0))
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 10.0)
        self.optimiser.step()
        torch._foreach_lerp_(self.followers, self.leaders, max(1 - self.keep, 19 / (self.step + 20)))

    def _share(self, progress):
        """Averages the gradients over the processes, in one message with how far each is."""
        self.progress = progress
        if not dist.is_initialized():
            return
        gradients = [p.grad for p in self.net.parameters()]
        flat = torch.cat([_flatten_dense_tensors(gradients), gradients[0].new_tensor([progress])])
        dist.all_reduce(flat)
        flat /= dist.get_world_size()
        for own, mean in zip(gradients, _unflatten_dense_tensors(flat[:-1], gradients)):
            own.copy_(mean)
        self.progress = float(flat[-1])
