# SPDX-License-Identifier: MPL-2.0
"""Prints the e-values that crates/andon-statistics/src/guard/tests.rs expects, from scipy's binomial and beta-binomial.

    python3 -m venv VENV && . VENV/bin/activate
    pip install scipy
    python3 tests/oracles/guard.py
"""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit, logsumexp
from scipy.stats import betabinom, binom


def rate(limit, burst, sequence):
    """Returns ln of the mean likelihood ratio of eight rates above the limit. A burst is one event."""
    k = n = skip = 0
    for event in sequence:
        if skip:
            skip -= 1
            continue
        n += 1
        if event:
            k += 1
            skip = burst
    rates = expit(logit(limit) + (logit(0.95) - logit(limit)) * (np.arange(1, 9) / 8) ** 2)
    return logsumexp(binom.logpmf(k, n, rates) - binom.logpmf(k, n, limit)) - np.log(8)


def change(k0, m, k, n):
    """Returns ln of the least product, over the common rate, of two ratios of marginals to likelihoods."""
    odds = logit((k0 + 0.5) / (m + 1)) + np.array([-4, -2, -1, -0.5, 0.5, 1, 2, 4])
    q = expit(odds)
    size = 6 / np.minimum(q, 1 - q)
    since = logsumexp(betabinom.logpmf(k, n, size * q, size * (1 - q))) - np.log(8)

    def at(u):
        theta, rest = expit(u), expit(-u)
        before = betabinom.logpmf(k0, m, m / 8 * theta, m / 8 * rest) - binom.logpmf(k0, m, theta)
        return before + since - binom.logpmf(k, n, theta)

    return minimize_scalar(at, bounds=(-12, 12), method="bounded", options={"xatol": 1e-10}).fun


for limit, burst, sequence in [
    (0.01, 0, [i % 25 == 3 for i in range(400)]),
    (0.01, 8, [i % 25 < 3 for i in range(400)]),
    (0.001, 8, [i % 300 == 299 for i in range(900)]),
]:
    print(f"rate {limit} burst {burst}: {np.exp(rate(limit, burst, sequence)):.12e}")
for k0, m, k, n in [(40, 1000, 60, 700), (1, 200, 9, 150), (100, 200, 30, 120), (25, 500, 0, 300), (50, 1000, 30, 600)]:
    print(f"change {k0}/{m} {k}/{n}: {np.exp(change(k0, m, k, n)):.12e}")
