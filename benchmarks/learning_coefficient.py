"""Local learning coefficients measured against closed forms.

    KERAS_BACKEND=jax python benchmarks/learning_coefficient.py

n = 1,000 examples of a model with normal noise, with the weights at the true map w*. L(w*) is above the sample's
minimum, so the estimate should be λ(1 − 1/log n), within 15% or three standard errors. (This is its mean over datasets;
on a single dataset its standard deviation is about √λ/log n.) A crossing has labels without noise, so L(w) − L(w*) is
K(w), and its estimate is compared with the exact one at this n, from quadrature.

The settings were chosen on the data of seed 0, so that seed does not test them. Writes `--out` after each row, resumes
there, and prints the table of docs/learning-coefficient.md.
"""

import argparse
import json
import math
import time
import warnings
from itertools import combinations, pairwise
from pathlib import Path

import keras
import numpy as np

from keras_langevin.experiments.machine import provenance
from keras_langevin.files import replaced
from keras_langevin.sampling import learning_coefficient

SIZE, BATCH = 1000, 100
RESULTS = Path(__file__).parent / "results" / "learning_coefficient.json"


def of_deep_linear_net(widths: list[int], rank: int) -> float:
    """Returns λ by theorem 1 of M. Aoyagi, Consideration on the learning efficiency of multiple-layered neural networks
    with linear units, Neural Networks 172 (2024). For three widths it is that of reduced-rank regression (Aoyagi and
    Watanabe 2005)."""
    excess = [width - rank for width in widths]
    for count in range(2, len(widths) + 1):
        for chosen in combinations(range(len(widths)), count):
            inner = [excess[i] for i in chosen]
            outer = [excess[i] for i in range(len(widths)) if i not in chosen]
            length, total = count - 1, sum(inner)
            is_below = not outer or (max(inner) < min(outer) and total < length * min(outer))
            if is_below and total >= length * max(inner):
                ceiling = math.ceil(total / length)
                a = total - (ceiling - 1) * length
                pairs = sum(left * right for left, right in combinations(inner, 2))
                return (
                    (rank * (widths[0] + widths[-1]) - rank**2) / 2
                    + a * (length - a) / (4 * length)
                    - length * (length - 1) / 4 * (total / length) ** 2
                    + pairs / 2
                )
    raise ValueError(f"The theorem must name a set of widths. Received: widths={widths}, rank={rank}.")


class Crossing(keras.layers.Layer):
    """∏ w_i^k_i, for every example."""

    def __init__(self, powers: tuple[int, ...]):
        super().__init__()
        self.powers = powers
        self.w = self.add_weight(shape=(len(powers),), initializer="zeros", name="w")

    def call(self, x):
        factors = [self.w[i] ** power for i, power in enumerate(self.powers)]
        return x * math.prod(factors)


def half_squares(y, f):
    """Returns −log p of observations with variance 1, without its constant."""
    return keras.ops.sum(keras.ops.square(y - f), axis=-1) / 2


def crossing(powers):
    x = np.ones((SIZE, 1), "float32")
    model = keras.Sequential([keras.Input((1,)), Crossing(powers)])
    return model, x, np.zeros((SIZE, 1))


def linear_net(widths, rank, generator):
    """Returns a linear net at its deepest point (each kernel is an identity of that rank, the rest zeros), and data."""
    x = generator.normal(size=(SIZE, widths[0]))
    model = keras.Sequential([keras.Input((widths[0],)), *(keras.layers.Dense(w, use_bias=False) for w in widths[1:])])
    kernels = [np.eye(*shape) for shape in pairwise(widths)]
    for kernel in kernels:
        kernel[range(rank, min(kernel.shape)), range(rank, min(kernel.shape))] = 0
    model.set_weights(kernels)
    f = x @ np.linalg.multi_dot(kernels) if len(kernels) > 1 else x @ kernels[0]
    return model, x.astype("float32"), f + generator.normal(size=f.shape)


CROSSING = {"learning_rate": 0.05, "localization": 10.0, "num_draws": 8_000}
# name -> λ, a function that makes model and data, arguments
CASES = {
    "regular, d = 5": (2.5, lambda g: linear_net([5, 1], 1, g), {"learning_rate": 0.05}),
    "regular, d = 50": (25.0, lambda g: linear_net([10, 5], 5, g), {"learning_rate": 0.05}),
    "w1² w2": (1 / 4, lambda g: crossing((2, 1)), CROSSING),
    "w1³ w2": (1 / 6, lambda g: crossing((3, 1)), CROSSING),
}
NETS = {
    ((4, 3, 8), 2): 0.02,
    ((10, 4, 10), 2): 0.02,
    ((10, 10, 10, 10), 0): 0.01,
    ((10, 10, 10, 10), 5): 0.01,
    ((20, 15, 10, 20), 4): 0.005,
}
CASES |= {
    f"linear net {list(widths)}, rank {rank}": (
        of_deep_linear_net(list(widths), rank),
        lambda g, widths=widths, rank=rank: linear_net(list(widths), rank, g),
        {"learning_rate": rate, "num_draws": 4_000, "burn_in": 2_000},
    )
    for (widths, rank), rate in NETS.items()
}
# name -> factor of the learning rate, arguments. Noisy gradients of small batches need smaller steps, and L-RMSprop's P
# is up to 1/√ε = 10.
VARIANTS = {
    "full batch": (1.0, {}),
    f"batches of {BATCH}": (0.4, {"batch_size": BATCH}),
    "L-RMSprop with Γ": (0.1, {"optimizer": "lrmsprop"}),
}


def exact_of_crossing(powers, localization) -> float:
    """Returns nβ·E[K] under exp(−nβ K(w) − κ|w|²/2), K = f²/2, by quadrature over two weights."""
    scale = SIZE / math.log(SIZE)
    axis = np.linspace(-5, 5, 4001)
    f = axis[:, None] ** powers[0] * axis ** powers[1]
    loss = f**2 / 2
    law = np.exp(-scale * loss - localization / 2 * (axis[:, None] ** 2 + axis**2))
    return scale * float((law * loss).sum() / law.sum())


def measured(name: str, variant: str, seed: int) -> dict:
    """Returns a row. The seed determines the data, the chains' noise and their batches."""
    true, make, arguments = CASES[name]
    factor, changed = VARIANTS[variant]
    arguments = arguments | changed | {"learning_rate": factor * arguments["learning_rate"]}
    model, x, y = make(np.random.default_rng(seed))
    model.compile(loss=half_squares)
    began = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        settings = {"num_chains": 4, "verbose": 0, "seed": seed} | arguments
        found = learning_coefficient(model, x, y.astype("float32"), **settings)
    wanted = true * (1 - 1 / math.log(SIZE))
    if isinstance(model.layers[-1], Crossing):
        wanted = exact_of_crossing(model.layers[-1].powers, arguments["localization"])
    return {
        "case": name,
        "variant": variant,
        "weights": model.count_params(),
        "true": true,
        "wanted": wanted,
        "found": found.value,
        "standard_error": found.standard_error,
        "of_chains": found.of_chains.tolist(),
        "r_hat": found.r_hat,
        "descent": found.descent,
        "is_within": abs(found.value - wanted) <= max(0.15 * wanted, 3 * found.standard_error),
        "warnings": [str(each.message) for each in caught if issubclass(each.category, UserWarning)],
        "arguments": arguments,
        "seconds": round(time.perf_counter() - began, 1),
    }


def table(rows: list[dict]) -> str:
    lines = ["| model | weights | λ | expected | variant | found | R̂ | within |", "|---|---|---|---|---|---|---|---|"]
    lines += [
        f"| {row['case']} | {row['weights']} | {row['true']:.4g} | {row['wanted']:.4g} | {row['variant']} | "
        f"{row['found']:.4g} ± {row['standard_error']:.2g} | {row['r_hat']:.2f} | "
        f"{'yes' if row['is_within'] else '**no**'} |"
        for row in rows
    ]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=20261129, help="of data and chains")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    head = {"backend": keras.backend.backend(), "keras": keras.__version__, "data_size": SIZE, "seed": options.seed}
    rows = []
    if options.out.exists():
        kept = json.loads(options.out.read_text("utf-8"))
        if {name: kept.get(name) for name in head} != head:
            raise SystemExit(f"{options.out} has results of another seed or backend. Choose another --out.")
        rows = kept["rows"]
    done = [(row["case"], row["variant"]) for row in rows]
    for name in CASES:
        for variant in VARIANTS:
            if (name, variant) not in done:
                rows.append(measured(name, variant, options.seed))
                with replaced(options.out) as file:
                    json.dump(head | {"provenance": provenance(), "rows": rows}, file, indent=1, ensure_ascii=False)
                print(rows[-1], flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
