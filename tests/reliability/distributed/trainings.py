"""The training of all programs: a small model with one variable that is drawn alone, and an optimizer of each kind."""

import keras
import numpy as np

from keras_langevin import SGHMC, LAdadelta, LAdam, LRMSprop
from keras_langevin.optimizers.draws import _SMALL

FEATURES, WIDTH, OUTPUTS = 256, 304, 8  # the first kernel is too large for a pool; 8 devices divide each size
BATCH = 16
SEED = 3

# Name -> function from a seed to an optimizer, whose noise is too large to be hidden by training.
MAKERS = {
    "LAdam": lambda seed: LAdam(1e-3, sigma=1e-3, seed=seed),
    "LAdadelta": lambda seed: LAdadelta(0.1, sigma=0.01, seed=seed, layers=[-1]),
    "SGHMC": lambda seed: SGHMC(1e-3, sigma=0.1, seed=seed),
    "LRMSprop": lambda seed: LRMSprop(1e-3, sigma=1e-3, seed=seed, gamma_correction=True),
}


@keras.saving.register_keras_serializable(package="tests")
def zero_loss(_, prediction):
    """A loss with a zero gradient, so that only noise moves the weights."""
    return 0.0 * keras.ops.mean(prediction, axis=-1)


# Name -> a loss, and the largest allowed difference of trainings of this many steps that differ only in rounding, as a
# share of the largest weight.
LOSSES = {
    # An update rounds a weight and its noise by a few units of 2⁻²⁴. At worst these errors add up.
    "noise": (zero_loss, lambda steps: steps * 2.0**-22),
    # The gradient is also summed in another order, and its error returns through the next gradients, which L-Adam and
    # L-RMSprop divide by their own size. At most 1.6e-5 was seen; with another seed the difference is 0.2 or more.
    "mse": ("mse", lambda _: 1e-4),
}


def examples(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns features and targets of a batch for each step."""
    generator = np.random.default_rng(0)
    features = generator.normal(size=(steps * BATCH, FEATURES)).astype("float32")
    return features, np.tanh(features[:, :OUTPUTS])


def network() -> keras.Sequential:
    """Returns a network with the same weights each time and in each process."""
    assert FEATURES * WIDTH > _SMALL > WIDTH * OUTPUTS

    def dense(units, **options):
        return keras.layers.Dense(units, kernel_initializer=keras.initializers.GlorotUniform(seed=units), **options)

    layers = [dense(WIDTH, activation="tanh", name="wide"), dense(OUTPUTS, name="narrow")]
    return keras.Sequential([keras.Input((FEATURES,)), *layers], name="net")


def fitted(make, loss: str, steps: int, seed: int | None = SEED, **compile_arguments) -> keras.Sequential:
    """Returns a network after this many steps of `fit`."""
    model = network()
    model.compile(optimizer=make(seed), loss=LOSSES[loss][0], **compile_arguments)
    model.fit(*examples(steps), batch_size=BATCH, shuffle=False, verbose=0)
    return model


def distance(weights, expected) -> float:
    """Returns the largest difference of two lists of arrays, as a share of the largest element."""
    largest = max(np.abs(array).max() for array in expected)
    return max(np.abs(array - other).max() for array, other in zip(weights, expected, strict=True)) / largest


def check_distance(name: str, loss: str, steps: int, weights, expected) -> float:
    """Fails if two trainings differ by more than rounding."""
    assert distance(network().get_weights(), expected) > 1e-3, f"{name}, {loss}: nothing happened"
    found, limit = distance(weights, expected), LOSSES[loss][1](steps)
    assert found <= limit, f"{name}, {loss}: {found:.1e} > {limit:.1e}"
    return found
