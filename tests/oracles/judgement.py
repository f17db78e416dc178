# SPDX-License-Identifier: MPL-2.0
"""Prints the numbers that crates/andon-statistics/src/judgement/tests/mod.rs expects, from numpy and scipy.

    python3 -m venv VENV && . VENV/bin/activate
    pip install scipy
    python3 tests/oracles/judgement.py
"""

import numpy as np
from scipy.optimize import brentq
from scipy.special import betainc, betaln, logsumexp

STAKES = (np.arange(256) + 0.5) / 256
ALPHA, MARGIN, ESCAPE, OVERKILL = 0.05, 0.01, 10.0, 1.0


def one_sided(k, l):
    """Returns ln of the integral over 0..1 of (1+u)^k (1-u)^l, by the incomplete beta function."""
    return np.log(2) * (k + l + 1) + betaln(1 + k, 1 + l) + np.log1p(-betainc(1 + k, 1 + l, 0.5))


def parts(plan, weight, counts):
    """Returns rows (escape difference or nan, saved cost, 1/chance of the label, labels) of the cells ok-ok, ok-ng,
    ng-ok, ng-ng, or in a split a-ok, a-ng, b-ok, b-ng. Counts are (good, defective) of each cell."""
    disagree, ok, ng = plan
    rows = []
    for cell, (good, bad) in enumerate(counts):
        if weight is None:
            a_ng, b_ng = divmod(cell, 2)
            escapes, overkill = a_ng - b_ng, b_ng - a_ng
            rate = disagree if a_ng != b_ng else ng if a_ng else ok
        else:
            b, stopped = divmod(cell, 2)
            sign = 1 / weight if b else -1 / (1 - weight)
            escapes, overkill = (0, sign) if stopped else (sign, 0)
            rate = ng if stopped else ok
        rows += [(np.nan, -OVERKILL * overkill, 1 / rate, good), (escapes, -ESCAPE * escapes, 1 / rate, bad)]
    return np.array(rows, float)


def ln_evidence(rows, column, sign, t, end):
    """Returns ln of the evidence against 'the mean of sign * column is at most t', for a piece of t that ends at end."""
    rows = rows[~np.isnan(rows[:, column])]
    v, w, n = sign * rows[:, column], rows[:, 2], rows[:, 3]
    least = v.min()
    scale = (t - least) * (w * (end - v) / (end - least)).max()
    x = (v - t) * w / scale
    return logsumexp((n[:, None] * np.log1p(np.outer(x, STAKES))).sum(axis=0)) - np.log(256)


def bound(rows, column, sign, at, share, span):
    low = -span
    threshold = -np.log(share * ALPHA)
    for end in [at] + [e for e in (0, span / 256, span / 64, span / 16, span / 4) if e > at]:
        at_end = ln_evidence(rows, column, sign, end, end) - threshold
        if at_end < 0:
            start = low if low > -span else -span + 1e-9
            f = lambda t: ln_evidence(rows, column, sign, t, end) - threshold
            return sign * (brentq(f, start, end, xtol=1e-10) if f(start) > 0 else low)
        low = end
    return sign * low


for k, l in [(0, 0), (5, 0), (40, 20), (700, 640)]:
    print(f"({k}, {l}, {one_sided(k, l):.12e}),")
CASES = [
    ((1, 1, 1), None, [(700, 4), (12, 6), (30, 3), (9, 300)]),
    ((1, 1, 1), None, [(0, 0), (2, 1), (0, 2), (0, 40)]),
    ((1, 0.05, 0.2), None, [(90, 1), (25, 9), (61, 2), (4, 80)]),
    ((1, 0.4, 0.7), 0.1, [(400, 30), (40, 300), (45, 1), (1, 50)]),
    ((1, 1, 1), 0.5, [(900, 40), (90, 160), (950, 4), (20, 196)]),
]
for plan, weight, counts in CASES:
    rows = parts(plan, weight, counts)
    tests = [(0, -1, -MARGIN, 0.8, 1), (1, 1, 0, 0.8, 10), (0, 1, MARGIN, 0.1, 1), (1, -1, 0, 0.1, 10)]
    print([float(f"{ln_evidence(rows, c, s, at, at):.12g}") for c, s, at, _, _ in tests])
    print([float(f"{bound(rows, c, s, at, share, span):.7g}") for c, s, at, share, span in tests])
