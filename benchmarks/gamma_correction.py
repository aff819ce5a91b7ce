"""What Γ does to the law that LRMSprop samples: the bias without it, with the library's estimate, with exact Hessians.

    KERAS_BACKEND=jax python benchmarks/gamma_correction.py

Prints the tables of docs/gamma-correction.md. V = θ²/2 + θ⁴/4 in one dimension, or (θ₁² + θ₂² + 3·θ₁²θ₂²)/2 in two;
σ = 1, ε = 0.3. The bias is that of the mean of θ_i², against quadrature; its standard error is computed over chains.
Variants: no Γ; Γ from the exact Hessian with v_{t−1} fixed, or with the recent path moved as a whole; the library's Γ.
"""

import itertools

import jax
import keras
import numpy as np
from jax import numpy as jnp

from keras_langevin import LRMSprop

SIGMA, EPSILON = 1.0, 0.3
CHAINS, TIME, BURN_IN = 20_000, 12.0, 4.0  # in units of γ

POTENTIALS = {
    "quartic": (1, lambda x: x[..., 0] ** 2 / 2 + x[..., 0] ** 4 / 4),
    "coupled": (2, lambda x: (x[..., 0] ** 2 + x[..., 1] ** 2 + 3 * (x[..., 0] * x[..., 1]) ** 2) / 2),
}
VARIANTS = ("none", "fixed", "whole", "library")


def second_moments(name: str) -> tuple[float, float]:
    """Returns E θ₁² under exp(−2V/σ²), and under exp(−2V/σ²)/P with P = 1/√(g₁² + ε), by quadrature."""
    dimension, potential = POTENTIALS[name]
    axis = np.linspace(-6, 6, 2001)
    grid = np.stack(np.meshgrid(*[axis] * dimension, indexing="ij"), axis=-1)
    law = np.exp(-2 * np.asarray(potential(grid)) / SIGMA**2)
    gradient = np.gradient(np.asarray(potential(grid)), axis, axis=0)
    biased = law * np.sqrt(gradient**2 + EPSILON)
    return tuple(float((weights * grid[..., 0] ** 2).sum() / weights.sum()) for weights in (law, biased))


def second_moment(name: str, rho: float, rate: float, variant: str, gradient_noise=0.0, epsilon=EPSILON):
    """Runs `TIME / rate` updates and returns (mean of θ_i², its standard error)."""
    dimension, potential = POTENTIALS[name]
    variable = keras.Variable(np.zeros((CHAINS, dimension), "float32"), name="chains")
    optimizer = LRMSprop(rate, rho=rho, epsilon=epsilon, sigma=SIGMA, seed=1, gamma_correction=variant == "library")
    optimizer.build([variable])
    gradient = jax.grad(lambda x: potential(x).sum())
    hessian = jax.vmap(lambda x: jnp.diag(jax.hessian(potential)(x)))

    def update(carry, step):
        state, theta, sensitivity, total = carry
        velocity = state[[v.path for v in optimizer.variables].index(optimizer._velocities[0].path)]
        key = jax.random.fold_in(jax.random.key(0), step)
        g = gradient(theta) + gradient_noise * jax.random.normal(key, theta.shape)
        (new,), state = optimizer.stateless_apply(state, [g], [theta])
        # dv/dθ with the past fixed, or with the recent path moved as a whole
        fresh = 2 * (1 - rho) * g * hessian(theta)
        sensitivity = fresh + (rho * sensitivity if variant == "whole" else 0)
        if variant in ("fixed", "whole"):
            velocity = rho * velocity + (1 - rho) * g**2
            new = new + rate * SIGMA**2 / 2 * -0.5 * (velocity + epsilon) ** -1.5 * sensitivity
        total = total + jnp.where(step >= BURN_IN / rate, (new**2).mean(axis=1), 0)
        return (state, new, sensitivity, total), None

    start = [v.value for v in optimizer.variables], variable.value, jnp.zeros((CHAINS, dimension)), jnp.zeros(CHAINS)
    steps = round(TIME / rate)
    (_, _, _, total), _ = jax.jit(lambda carry: jax.lax.scan(update, carry, jnp.arange(steps)))(start)
    means = np.asarray(total, "float64") / (steps - np.ceil(BURN_IN / rate))
    return means.mean(), means.std() / np.sqrt(CHAINS)


def main():
    for name in POTENTIALS:
        exact, limit = second_moments(name)
        print(f"\n{name}: E θ² = {exact:.4f}; under exp(−2V/σ²)/P {limit / exact - 1:+.1%}")
        print("| ρ | γ | " + " | ".join(VARIANTS) + " |\n|---|---|" + "---|" * len(VARIANTS))
        for rho, rate in itertools.product((0.0, 0.5, 0.9, 0.99), (0.02, 0.005)):
            print(f"| {rho} | {rate} | " + cells(exact, name, rho, rate), flush=True)
    exact, _ = second_moments("quartic")
    print("\nquartic, gradients with noise N(0, 1), γ = 0.005")
    print("| ρ | ε | " + " | ".join(VARIANTS) + " |\n|---|---|" + "---|" * len(VARIANTS))
    for rho, epsilon in itertools.product((0.9, 0.99), (0.3, 1e-6)):
        print(f"| {rho} | {epsilon} | " + cells(exact, "quartic", rho, 0.005, 1.0, epsilon), flush=True)


def cells(exact, name, rho, rate, gradient_noise=0.0, epsilon=EPSILON) -> str:
    results = [second_moment(name, rho, rate, variant, gradient_noise, epsilon) for variant in VARIANTS]
    return " | ".join(f"{mean / exact - 1:+.1%} ± {error / exact:.1%}" for mean, error in results) + " |"


if __name__ == "__main__":
    main()
