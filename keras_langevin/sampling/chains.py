"""Runs several chains, and shows whether they agree."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from keras_langevin.names import digest
from keras_langevin.reading import innermost
from keras_langevin.sampling import diagnostics
from keras_langevin.sampling.ensemble import Ensemble
from keras_langevin.sampling.samples import HasSamplingStage, PosteriorSamples
from keras_langevin.sampling.together import check_fit, fit_together
from keras_langevin.values import check_int


def run_chains(
    build_model: Callable[[int], keras.Model],
    num_chains: int,
    x: Any = None,
    y: Any = None,
    *,
    burn_in: int,
    thinning: int = 1,
    max_samples: int = 100,
    seed: int = 0,
    directory: str | Path | None = None,
    when: Callable[[int], bool] | HasSamplingStage | Literal["callback"] | None = None,
    callbacks: Callable[[], Sequence[keras.callbacks.Callback]] | None = None,
    vectorized: bool = False,
    **fit_arguments: Any,
) -> "Chains":
    """Trains a new model for each chain, with its own initial weights and noise, and collects samples.

    Args:
        build_model: function that takes a chain's seed (int) and returns a compiled and built model. Give the seed to
            the initializers, so that the chains start from different weights.
        num_chains: int >= 2.
        x, y: data for `fit`.
        burn_in, thinning, max_samples, when: as in `PosteriorSamples`. `when="callback"` uses the chain's callback
            that has `is_sampling`.
        seed: int >= 0. A chain's seed is a hash of this seed and the chain's number. Defaults to `0`.
        directory: path of a folder with a subfolder for each chain, or `None` for memory. Defaults to `None`.
        callbacks: function that returns the other callbacks of one chain. Defaults to `None`.
        vectorized: bool, whether to train all chains at once, on JAX; see docs/sampling.md. Defaults to `False`.
        **fit_arguments: other arguments of `fit` (`epochs`, `batch_size`, `verbose`, ...).

    Example:

    >>> import keras, numpy as np
    >>> from keras_langevin import LSGD, posterior_sigma, run_chains
    >>> x = np.linspace(-1, 1, 50)[:, None].astype("float32")
    >>> def build_model(seed):
    ...     line = keras.layers.Dense(1, kernel_initializer=keras.initializers.RandomNormal(seed=seed), name="line")
    ...     model = keras.Sequential([keras.Input((1,)), line])
    ...     model.compile(LSGD(0.1, sigma=posterior_sigma(50)), loss="mse")
    ...     return model
    >>> chains = run_chains(build_model, 2, x, 2 * x, burn_in=50, max_samples=20, epochs=7, batch_size=5, verbose=0)
    >>> [array.shape for array in chains.draws(weights="line/kernel").values()]
    [(2, 20, 1, 1)]

    References:
        A. Gelman and D. B. Rubin, Statistical Science 7 (1992).
    """
    check_int("num_chains", num_chains, 2)  # for one chain, `fit` with `PosteriorSamples` will do
    check_int("seed", seed, 0)
    is_function = callable(build_model) and not isinstance(build_model, keras.Model)
    if not is_function or not (callbacks is None or callable(callbacks)):
        raise ValueError(
            "`build_model` must be a function of a seed, and `callbacks` a function without arguments (or None), so "
            f"that each chain has its own. Received: build_model={build_model!r}, callbacks={callbacks!r}. Give for "
            "example `callbacks=lambda: [keras.callbacks.TerminateOnNaN()]`."
        )
    folders = [None if directory is None else Path(directory) / f"chain-{number}" for number in range(num_chains)]
    own = when == "callback"
    samples = [PosteriorSamples(burn_in, thinning, max_samples, folder, None if own else when) for folder in folders]
    seeds = [chain_seed(seed, number) for number in range(num_chains)]
    for number, of_chain in enumerate(samples):
        found = {settings["seed"] for settings in of_chain.settings} - {seeds[number]}
        if found:
            raise ValueError(
                f"`directory` must be new, or hold chains of seed={seed}. Received: {folders[number]} with samples "
                "of another chain. Choose another directory."
            )
        of_chain.warns = number == 0  # about the temperature, once for all chains
    if vectorized:
        if keras.backend.backend() != "jax" or callbacks is not None or own or hasattr(when, "is_sampling"):
            raise ValueError(
                "`vectorized=True` needs JAX, and no other callbacks. Received: the backend "
                f"{keras.backend.backend()}, callbacks={callbacks!r}, when={when!r}. Leave it out to train one chain "
                "after another."
            )
        fit = check_fit(x, y, fit_arguments)
        models = [_built(build_model, own_seed) for own_seed in seeds]
        fit_together(models, samples, seeds, x, y, fit)
        return Chains(models[0], samples)
    for of_chain, own_seed in zip(samples, seeds, strict=True):
        model = _built(build_model, own_seed)
        others = [] if callbacks is None else list(callbacks())
        if own:
            of_chain.when = _with_stage(others)
        model.fit(x, y, callbacks=[*others, of_chain], **fit_arguments)
    return Chains(model, samples)


def _built(build_model, seed: int):
    """Builds the model of a chain and seeds its noise."""
    model = build_model(seed)
    optimizer = innermost(getattr(model, "optimizer", None))
    if not hasattr(optimizer, "sigma"):
        raise ValueError(
            "`build_model` must return a model that is compiled with a Langevin optimizer. Received: the optimizer "
            f"{type(optimizer).__name__}. Use one of `keras_langevin.optimizers`."
        )
    optimizer.seed = seed
    return model


def chain_seed(seed: int, number: int) -> int:
    """Returns the seed of a chain, in [0, 2²⁴). Initializers of every backend accept it, and 100 times its value.

    >>> chain_seed(0, 1) == chain_seed(1, 0)
    False
    """
    return int(digest(f"{seed}, {number}")[:6], 16)


def _with_stage(callbacks):
    found = [callback for callback in callbacks if hasattr(callback, "is_sampling")]
    if len(found) != 1:
        raise ValueError(
            "With `when='callback'` one of `callbacks()` must have an attribute `is_sampling`. Received: "
            f"{len(found)} such in {callbacks!r}. Give for example `callbacks=lambda: [CyclicalLangevin(cycles=4)]`."
        )
    return found[0]


class Chains(Ensemble):
    """Samples of several chains: an `Ensemble` of all of them, with diagnostics.

    `weights` and `x` choose what to diagnose: elements of the weights, or outputs of the model. Prefer outputs:
    predictions consist of them. Hidden units can be exchanged, so good chains may differ in their weights.

    Args:
        model: a built model.
        samples: list of ensembles, one for each chain: `PosteriorSamples`, or the result of `load`.
    """

    def __init__(self, model: keras.Model, samples: Sequence[Ensemble]):
        super().__init__(model, [ring for of_chain in samples for ring in of_chain.rings])
        self.samples: list[Ensemble] = list(samples)

    def draws(
        self, weights: str | Sequence[str] | None = None, x: Any = None, batch_size: int | None = None
    ) -> dict[str, np.ndarray]:
        """Returns the chosen weights and outputs of each sample.

        Args:
            weights: regular expression, or a list of them, which `re.search` looks for in the paths of variables.
                `None` chooses all without `x`, and none with `x`. Defaults to `None`.
            x: inputs, as for `model.predict`. The outputs for them are returned as they are. Defaults to `None`.
            batch_size: int, for predictions on `x`. Defaults to `None`.

        Returns:
            dict of arrays of shape `(num_chains, num_draws, ...)`. The keys are the paths of variables, and `"output"`,
            or `"output_0"`, `"output_1"`, ... for several outputs.

        Raises:
            ValueError: no path matches, or the chains have different numbers of samples.
        """
        self.check()
        lengths = [len(ring) for ring in self.rings]
        if len(set(lengths)) > 1:
            raise ValueError(
                f"Each chain must have the same number of samples. Received: {lengths}. Train all chains for the "
                "same number of updates."
            )
        chosen = {} if weights is None and x is not None else self._chosen(weights)
        columns: dict[str, list] = {path: [] for path in chosen}
        for ring in self.rings:
            for arrays in map(ring.arrays, range(len(ring))):
                for path, index in chosen.items():
                    columns[path].append(arrays[index])
        if x is not None:
            for predicted in self.predictions(x, batch_size, verbose=0):
                outputs = keras.tree.flatten(predicted)
                for number, output in enumerate(outputs):
                    name = "output" if len(outputs) == 1 else f"output_{number}"
                    columns.setdefault(name, []).append(output)
        shape = (len(self.rings), lengths[0])
        return {name: np.reshape(values, (*shape, *values[0].shape)) for name, values in columns.items()}

    def inference_data(
        self, weights: str | Sequence[str] | None = None, x: Any = None, batch_size: int | None = None
    ) -> "diagnostics.InferenceData":
        """Returns the draws as `arviz.InferenceData`. Needs the extra `sampling`."""
        diagnostics.arviz()  # raises an error before any work
        return diagnostics.inference_data(self.draws(weights, x, batch_size))

    def summary(
        self, weights: str | Sequence[str] | None = None, x: Any = None, batch_size: int | None = None
    ) -> "diagnostics.DataFrame":
        """Returns a pandas DataFrame: mean, sd, Monte-Carlo errors, `ess_bulk`, `ess_tail`, `r_hat` of each element."""
        return diagnostics.summary(self.inference_data(weights, x, batch_size))

    def autocorrelation(
        self, weights: str | Sequence[str] | None = None, x: Any = None, batch_size: int | None = None
    ) -> dict[str, np.ndarray]:
        """Returns the autocorrelation by lag, in samples: dict of arrays of shape `(num_chains, num_draws, ...)`."""
        return diagnostics.autocorrelation(self.inference_data(weights, x, batch_size))

    def plot_trace(
        self,
        weights: str | Sequence[str] | None = None,
        x: Any = None,
        batch_size: int | None = None,
        max_plots: int = 10,
    ) -> np.ndarray:
        """Plots densities and traces. Returns an array of matplotlib axes of shape `(num_elements, 2)`."""
        return diagnostics.plot_trace(self.inference_data(weights, x, batch_size), max_plots)

    def _chosen(self, weights) -> dict[str, int]:
        """Returns the index in `model.weights` of each chosen path."""
        paths = [variable.path for variable in self._current_model().weights]
        expressions = [weights] if isinstance(weights, str) else list(weights if weights is not None else [""])
        chosen = {}
        for expression in expressions:
            found = {path: index for index, path in enumerate(paths) if re.search(expression, path)}
            if not found:
                raise ValueError(
                    f"`weights` must match paths of variables. Received: {expression!r}, which matches none of "
                    f"{', '.join(paths)}. Give a part of one of these."
                )
            chosen |= found
        return chosen
