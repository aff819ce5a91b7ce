"""What a matrix preconditioner of Muon would cost, and how accurate it would be.

Muon moves a matrix by U Vᵀ of its momentum M = U S Vᵀ, which is (M Mᵀ)^(−½) M: a step −γ·P·M with the matrix
P = (M Mᵀ)^(−½). Its noise would be √P·Z = (M Mᵀ)^(−¼)·Z. This script compares √P by coupled Newton–Schulz iterations
with √P by a singular value decomposition, and the time of a step with that of Muon's own iterations.

    python benchmarks/muon_preconditioner.py
"""

import statistics
import time
from functools import partial

import numpy as np
import torch

MUON = (3.4445, -4.7750, 2.0315)


def muon(m, steps=5):
    """Muon's own iterations, as in Keras."""
    a, b, c = MUON
    x = m / (torch.linalg.norm(m) + 1e-7)
    for _ in range(steps):
        s = x @ x.T
        x = a * x + (b * s + c * s @ s) @ x
    return x


def roots(a, steps):
    """Returns A^½ and A^(−½) of a symmetric positive A, by the coupled Newton–Schulz iteration."""
    size = torch.linalg.norm(a)
    y, z, identity = a / size, torch.eye(len(a), dtype=a.dtype), torch.eye(len(a), dtype=a.dtype)
    for _ in range(steps):
        t = (3 * identity - z @ y) / 2
        y, z = y @ t, t @ z
    return y * size.sqrt(), z / size.sqrt()


def root_of_preconditioner(m, steps):
    """Returns (M Mᵀ)^(−¼) as A^(−½) of A = (M Mᵀ)^½."""
    half, _ = roots(m @ m.T, steps)
    return roots((half + half.T) / 2, steps)[1]


def error(size, condition, steps, dtype):
    generator = np.random.default_rng(0)
    u, _ = np.linalg.qr(generator.normal(size=(size, size)))
    v, _ = np.linalg.qr(generator.normal(size=(2 * size, size)))
    s = np.geomspace(1, 1 / condition, size)
    found = root_of_preconditioner(torch.tensor(u * s @ v.T, dtype=dtype), steps).double().numpy()
    exact = u * s**-0.5 @ u.T
    return np.linalg.norm(found - exact) / np.linalg.norm(exact)


def milliseconds(function, repeats=15):
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def main():
    torch.set_num_threads(1)
    print("| condition number of M | steps | error of √P, float32 | float64 |\n|---|---|---|---|")
    for condition in (10, 1e2, 1e3, 1e4, 1e6):
        for steps in (10, 20, 40):
            errors = [error(64, condition, steps, dtype) for dtype in (torch.float32, torch.float64)]
            print(f"| {condition:.0e} | {steps} | {errors[0]:.1e} | {errors[1]:.1e} |")
    print("\n| M | Muon's iterations | √P, 10 steps | 20 steps |\n|---|---|---|---|")
    for rows, columns in ((64, 64), (256, 256), (512, 512), (128, 1024)):
        m = torch.randn(rows, columns)
        cells = [milliseconds(partial(muon, m))]
        cells += [milliseconds(partial(root_of_preconditioner, m, steps)) for steps in (10, 20)]
        print(f"| {rows} × {columns} | " + " | ".join(f"{cell:.2f} ms" for cell in cells) + " |")


if __name__ == "__main__":
    main()
