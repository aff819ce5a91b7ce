"""The optimizers in plain NumPy, slow and obvious. The tests compare the fast ones with them.

Each function makes one update of one array of weights:

    theta, p, state = adam(theta, g, n, t, **state, learning_rate=0.001)

g is the gradient, t = 1, 2, ... the number of the update, and n = σ√γ·Z the noise before preconditioning. The weights
get the noise √P·n, and `p` is the preconditioner P. `state` is empty before the first update. `run` makes many updates.
"""

import numpy as np


def run(update, theta, gradients, noises, *, learning_rate, sigma, **arguments):
    """Makes one update per gradient.

    Args:
        update: one of the functions below.
        theta: array, the weights.
        gradients: list of arrays g_1, g_2, ...
        noises: list of arrays Z_1, Z_2, ... of normal numbers.
        learning_rate: γ, float.
        sigma: σ, float.
        **arguments: arguments of `update`.

    Yields:
        The weights and P after each update.

    Example:

    >>> from keras_langevin.optimizers import reference
    >>> updates = reference.run(reference.sgd, 1.0, [2.0, 2.0], [0.5, -0.5], learning_rate=0.01, sigma=1.0)
    >>> [round(float(theta), 2) for theta, p in updates]
    [1.03, 0.96]
    """
    state = {}
    for t, (g, z) in enumerate(zip(gradients, noises, strict=True), start=1):
        n = sigma * np.sqrt(learning_rate) * z
        theta, p, state = update(theta, g, n, t, **state, learning_rate=learning_rate, **arguments)
        yield theta, p


def sgd(theta, g, n, t, m=0.0, *, learning_rate, momentum=0.0, nesterov=False):
    m = momentum * m - learning_rate * g
    step = momentum * m - learning_rate * g if nesterov else m
    p = np.ones_like(g)
    return theta + step + np.sqrt(p) * n, p, {"m": m}


def sghmc(theta, g, n, t, m=0.0, *, learning_rate, friction=0.1):
    p = np.full_like(g, friction)
    m = (1 - friction) * m - learning_rate * g + np.sqrt(p) * n
    return theta + m, p, {"m": m}


def baoab(theta, g, n, t, m=0.0, *, learning_rate, friction=0.1):
    p = np.full_like(g, friction / 4)
    m = (1 - friction) * m - learning_rate * g
    theta = theta + m + np.sqrt(p) * n
    return theta, p, {"m": m + (2 - friction) / (1 - friction) * np.sqrt(p) * n}


def sgnht(
    theta, g, n, t, m=0.0, alpha=None, *, learning_rate, friction=0.1, thermal_rate=0.01, sigma=0.0
):  # fmt: skip
    """The thermostat also needs σ, as `sigma`. It does not change if σ is 0."""
    alpha = friction if alpha is None else alpha
    p = np.full_like(g, friction)
    m = (1 - alpha) * m - learning_rate * g + np.sqrt(p) * n
    if sigma:
        ratio = (1 - alpha / 2) * np.mean(m**2) / (learning_rate * sigma**2 / 2)
        alpha = np.clip(alpha + thermal_rate * (ratio - 1), -1, 1)
    return theta + m, p, {"m": m, "alpha": alpha}


def adam(
    theta, g, n, t, m=0.0, v=0.0, v_max=0.0, *, learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-6, amsgrad=False
):
    m = beta_1 * m + (1 - beta_1) * g
    v = beta_2 * v + (1 - beta_2) * g**2
    v_max = np.maximum(v_max, v)
    p = np.sqrt(1 - beta_2**t) / (np.sqrt(v_max if amsgrad else v) + epsilon)
    step = -learning_rate * p * m / (1 - beta_1**t)
    return theta + step + np.sqrt(p) * n, p, {"m": m, "v": v, "v_max": v_max}


def adamw(theta, g, n, t, *, learning_rate, weight_decay=0.004, **state_and_arguments):
    theta = theta - learning_rate * weight_decay * theta
    return adam(theta, g, n, t, learning_rate=learning_rate, **state_and_arguments)


def rmsprop(
    theta, g, n, t, v=0.0, g_mean=0.0, m=0.0, *,
    learning_rate, rho=0.9, momentum=0.0, epsilon=1e-6, centered=False, epsilon_inside_sqrt=True,
):  # fmt: skip
    v = rho * v + (1 - rho) * g**2
    g_mean = rho * g_mean + (1 - rho) * g
    variance = v - g_mean**2 if centered else v
    p = 1 / np.sqrt(variance + epsilon) if epsilon_inside_sqrt else 1 / (np.sqrt(variance) + epsilon)
    m = momentum * m - learning_rate * p * g
    return theta + m + np.sqrt(p) * n, p, {"v": v, "g_mean": g_mean, "m": m}


def adadelta(theta, g, n, t, v=0.0, u=0.0, *, learning_rate, rho=0.95, epsilon=1e-6):
    v = rho * v + (1 - rho) * g**2
    p = np.sqrt(u + epsilon) / np.sqrt(v + epsilon)
    u = rho * u + (1 - rho) * (p * g) ** 2
    return theta - learning_rate * p * g + np.sqrt(p) * n, p, {"v": v, "u": u}


def adagrad(theta, g, n, t, a=None, *, learning_rate, initial_accumulator_value=0.1, epsilon=1e-6):
    a = (initial_accumulator_value if a is None else a) + g**2
    p = 1 / np.sqrt(a + epsilon)
    return theta - learning_rate * p * g + np.sqrt(p) * n, p, {"a": a}


def nadam(theta, g, n, t, m=0.0, v=0.0, product=1.0, *, learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-6):
    mu, mu_next = (beta_1 * (1 - 0.5 * 0.96**number) for number in (t, t + 1))
    product = product * mu
    m = beta_1 * m + (1 - beta_1) * g
    v = beta_2 * v + (1 - beta_2) * g**2
    p = 1 / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
    direction = mu_next * m / (1 - product * mu_next) + (1 - mu) * g / (1 - product)
    return theta - learning_rate * p * direction + np.sqrt(p) * n, p, {"m": m, "v": v, "product": product}


def adamax(theta, g, n, t, m=0.0, u=0.0, *, learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-6):
    m = beta_1 * m + (1 - beta_1) * g
    u = np.maximum(beta_2 * u, np.abs(g))
    p = 1 / (u + epsilon)
    step = -learning_rate * p * m / (1 - beta_1**t)
    return theta + step + np.sqrt(p) * n, p, {"m": m, "u": u}


def lamb(theta, g, n, t, m=0.0, v=0.0, *, learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-6):
    m = beta_1 * m + (1 - beta_1) * g
    v = beta_2 * v + (1 - beta_2) * g**2
    p = 1 / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
    direction = m / (1 - beta_1**t)
    norm, of_update = np.linalg.norm(theta), np.linalg.norm(p * direction)
    p = p * (norm / of_update if norm > 0 and of_update > 0 else 1)
    return theta - learning_rate * p * direction + np.sqrt(p) * n, p, {"m": m, "v": v}


def lion(theta, g, n, t, m=0.0, *, learning_rate, beta_1=0.9, beta_2=0.99):
    c = beta_1 * m + (1 - beta_1) * g
    m = beta_2 * m + (1 - beta_2) * g
    p = np.ones_like(g)
    return theta - learning_rate * np.sign(c) + np.sqrt(p) * n, p, {"m": m}


def adafactor(
    theta, g, n, t, r=0.0, c=0.0, v=0.0, *,
    learning_rate, beta_2_decay=-0.8, epsilon_1=1e-12, epsilon_2=1e-3, clip_threshold=1.0,
):  # fmt: skip
    beta_2, squares = 1 - t**beta_2_decay, g**2 + epsilon_1
    if g.ndim < 2:
        v = beta_2 * v + (1 - beta_2) * squares
    else:
        r = beta_2 * r + (1 - beta_2) * squares.mean(axis=-1, keepdims=True)
        c = beta_2 * c + (1 - beta_2) * squares.mean(axis=-2, keepdims=True)
        v = r / r.mean(axis=-2, keepdims=True) * c
    clipping = max(1, np.sqrt(np.mean(g**2 / v)) / clip_threshold)
    rate = min(1, 1 / (learning_rate * np.sqrt(t))) * max(epsilon_2, np.sqrt(np.mean(theta**2)))
    p = rate / (clipping * np.sqrt(np.maximum(v, epsilon_1)))
    step = -learning_rate * rate / clipping * g / np.sqrt(v)
    return theta + step + np.sqrt(p) * n, p, {"r": r, "c": c, "v": v}


def muon(
    theta, g, n, t, m=0.0, v=0.0, *, learning_rate, momentum=0.95, nesterov=True, rms_rate=0.2, ns_steps=5,
    weight_decay=0.004, **adam_arguments,
):  # fmt: skip
    if g.ndim != 2:
        return muon_of_others(theta, g, n, t, m, v, learning_rate=learning_rate, **adam_arguments)
    m = momentum * m + g
    x = g + momentum * m if nesterov else m
    x = x.T if g.shape[0] > g.shape[1] else x
    x = x / (np.linalg.norm(x) + 1e-7)
    for _ in range(ns_steps):
        s = x @ x.T
        x = 3.4445 * x + (-4.7750 * s + 2.0315 * s @ s) @ x
    x = x.T if g.shape[0] > g.shape[1] else x
    p = np.full_like(g, 1 if rms_rate is None else np.sqrt(max(g.shape)) * rms_rate)
    theta = theta - learning_rate * weight_decay * theta
    return theta - learning_rate * p * x + np.sqrt(p) * n, p, {"m": m}


def muon_of_others(
    theta, g, n, t, m=0.0, v=0.0, *,
    learning_rate, adam_beta_1=0.9, adam_beta_2=0.999, adam_lr_ratio=1.0, adam_weight_decay=0.004, epsilon=1e-6,
):  # fmt: skip
    theta = theta - learning_rate * adam_weight_decay * theta
    m = adam_beta_1 * m + (1 - adam_beta_1) * g
    v = adam_beta_2 * v + (1 - adam_beta_2) * g**2
    p = adam_lr_ratio * np.sqrt(1 - adam_beta_2**t) / (np.sqrt(v) + epsilon)
    step = -learning_rate * p * m / (1 - adam_beta_1**t)
    return theta + step + np.sqrt(p) * n, p, {"m": m, "v": v}


def schedule_free_adamw(
    theta, g, n, t, z=None, v=0.0, *,
    learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-6, warmup_steps=0, in_place=False,
):  # fmt: skip
    z = theta if z is None else z
    v = beta_2 * v + (1 - beta_2) * g**2
    warmup = min(1, t / warmup_steps) if warmup_steps else 1
    q = warmup / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
    moved = z - learning_rate * q * g
    # On PyTorch and TensorFlow z changes in place, so Keras computes the previous x from the new z
    x = (theta - (1 - beta_1) * (moved if in_place else z)) / beta_1
    z = moved + np.sqrt(q) * n
    x = (1 - 1 / t) * x + z / t
    p = (1 - beta_1 + beta_1 / t) ** 2 * q
    return (1 - beta_1) * z + beta_1 * x, p, {"z": z, "v": v}
