# SPDX-License-Identifier: MPL-2.0
"""Writes tests/data/drift.json: the numbers of scipy and river for 1,000 random series, with which
tests/drift_oracles.rs compares the distances and ADWIN.

The series come from SplitMix64 (Steele, Lea & Flood, OOPSLA 2014), draw by draw as in tests/drift_oracles.rs. All values
are small multiples of powers of two, so that both languages see the same numbers.

    python3 -m venv VENV && . VENV/bin/activate
    pip install numpy scipy river
    python3 tests/oracles/drift.py
"""

import json
import math
from pathlib import Path

import numpy as np
from river.drift import ADWIN
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp, wasserstein_distance

SERIES, LENGTH, BINS = 1000, 800, 10
SEED, GAMMA, MASK = 0x5EED, 0x9E3779B97F4A7C15, (1 << 64) - 1


def draw(n):
    """The n-th output of the generator, its upper 32 bits."""
    z = (SEED + (n + 1) * GAMMA) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return (z ^ (z >> 31)) >> 32


def normal(n):
    """A value that is about normal, with mean 0 and standard deviation 1.15: four bytes of a draw, in 1/128."""
    d = draw(n)
    return (sum((d >> shift) & 255 for shift in (0, 8, 16, 24)) - 510) / 128


def series(i):
    """A series that steps or widens at one place, or never. Every fourth one has coarse, often equal values."""
    at = (i + 1) << 20
    where = 100 + draw(at) % 600
    step = (draw(at + 1) % 9 - 4) / 4 if draw(at + 2) % 3 else 0
    wider = 2 if draw(at + 3) % 5 == 0 else 1
    values = [normal(at + 16 + t) for t in range(LENGTH)]
    values = [step + wider * v if t >= where else v for t, v in enumerate(values)]
    return [math.floor(v * 4) / 4 for v in values] if i % 4 == 0 else values


def samples(i, values):
    """The reference and the window to compare."""
    at = ((i + 1) << 20) + 4
    n, m = 50 + draw(at) % 350, 20 + draw(at + 1) % 200
    return np.sort(values[:n]), np.sort(values[LENGTH - m:])


def changes(detector, values):
    found = []
    for t, v in enumerate(values):
        detector.update(v)
        if detector.drift_detected:
            found.append(t)
    return found


def main():
    out = []
    for i in range(SERIES):
        values = series(i)
        a, b = samples(i, values)
        ks = ks_2samp(a, b, method="asymp").statistic
        edges = [a[-(-(k * n) // BINS) - 1] for k in range(1, BINS)]
        # A value on an edge belongs below it; equal edges leave empty bins.
        counted = [np.bincount(np.searchsorted(edges, s, side="left"), minlength=BINS) for s in (a, b)]
        p_a, p_b = ((c + 0.5) / (c.sum() + BINS / 2) for c in counted)
        adwin = ADWIN(delta=0.002)
        cut = changes(adwin, values)
        numbers = [ks, wasserstein_distance(a, b), jensenshannon(*counted), np.sum((p_a - p_b) * np.log(p_a / p_b)),
                   0 if adwin.drift_detected else adwin.estimation]
        out.append([[float(f"{v:.13g}") for v in numbers], 0 if adwin.drift_detected else int(adwin.width), cut])
    path = Path(__file__).parent.parent / "data/drift.json"
    path.write_text("[" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in out) + "]\n")
    print(f"{path}: {path.stat().st_size} bytes, {sum(len(r[2]) for r in out)} cuts")


main()
