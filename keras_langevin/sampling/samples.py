"""A callback that collects samples of the weights."""

import math
import warnings
from collections.abc import Callable
from pathlib import Path

import keras

from keras_langevin.reading import innermost
from keras_langevin.sampling.ensemble import Ensemble
from keras_langevin.sampling.ring import DiskRing, MemoryRing, Sample
from keras_langevin.sampling.settings import check_savable, iteration_of, settings_of
from keras_langevin.sampling.weights import weights_of
from keras_langevin.values import check_int


class PosteriorSamples(Ensemble, keras.callbacks.Callback):
    """Collects the weights after updates burn_in + thinning, burn_in + 2·thinning, ..., and keeps the latest.

    With a Langevin optimizer whose σ is `posterior_sigma(data_size)`, a mean loss and `GaussianPrior` on the weights
    they are samples of the posterior; see docs/sampling.md. `predict`, `predictive_entropy`, `mutual_information` and
    `evaluate` average over them.

    Updates are those that the optimizer counts (`optimizer.iterations`): a batch with gradient accumulation or with a
    skipped step of a `LossScaleOptimizer` is none. With `steps_per_execution=k` Keras calls back once in k batches, and
    the weights in between are nowhere to be had: the sample that is due at an update is taken at the first call at or
    after it, one sample if several are due. `settings` has the update that each sample is really of. The model is
    looked at only when a sample may be due, so that a fit on JAX keeps its state on the device in between.

    A sample is all of `model.weights`, moving statistics of batch normalization included, which lag behind the weights
    by some hundred updates; `recompute_batch_norm` replaces them.

    Args:
        burn_in: int >= 0, how many updates are left out at first.
        thinning: int >= 1, every how many updates a sample is taken after that. Defaults to `1`.
        max_samples: int >= 1; one more takes the place of the oldest. Defaults to `100`.
        directory: str or path of a folder for one chain, or `None` to keep the samples in memory. Each sample is a file
            that is written atomically. A fit that was killed and is started again goes on with them; what it
            takes again after it was restored from an earlier state (the same seed and update) is replaced.
            Defaults to `None`.
        when: what says at each due update whether the sample is taken: an object with an attribute `is_sampling`, such
            as the callback `CyclicalLangevin`, or a function of the number of the update. `None`: always. Defaults to
            `None`.

    Raises:
        ValueError: an argument is out of its range, or the directory cannot be used; when `fit` begins: the directory
            has samples of another model.

    Example:

    >>> import keras, numpy as np
    >>> from keras_langevin import GaussianPrior, LSGD, PosteriorSamples, posterior_sigma
    >>> x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
    >>> y = (x[:, 0] > 0).astype("int32")
    >>> prior = GaussianPrior(stddev=1.0, data_size=64)
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "softmax", kernel_regularizer=prior)])
    >>> model.compile(LSGD(0.1, sigma=posterior_sigma(64), seed=0), loss="sparse_categorical_crossentropy")
    >>> samples = PosteriorSamples(burn_in=20, thinning=2, max_samples=10)
    >>> _ = model.fit(x, y, epochs=25, batch_size=32, callbacks=[samples], verbose=0)
    >>> len(samples), [settings["iteration"] for settings in samples.settings][:3]
    (10, [32, 34, 36])
    >>> samples.predict(x, verbose=0).shape
    (64, 2)

    References:
        M. Welling and Y. W. Teh, ICML 2011. R. Zhang et al., Cyclical stochastic gradient MCMC, ICLR 2020.
    """

    def __init__(
        self,
        burn_in: int,
        thinning: int = 1,
        max_samples: int = 100,
        directory: str | Path | None = None,
        when: Callable[[int], bool] | object | None = None,
    ):
        keras.callbacks.Callback.__init__(self)
        check_int("burn_in", burn_in, 0, "the number of updates that are left out")
        check_int("thinning", thinning, 1, "every how many updates a sample is taken")
        check_int("max_samples", max_samples, 1, "how many samples are kept")
        if not (when is None or callable(when) or hasattr(when, "is_sampling")):
            raise ValueError(
                "`when` must be None, a function of the number of the update, or an object with an attribute "
                f"`is_sampling`. Received: when={when!r}. Give for example `when=lambda update: update % 100 > 50`."
            )
        self.burn_in, self.thinning, self.when = burn_in, thinning, when
        ring = MemoryRing(max_samples) if directory is None else DiskRing(directory, max_samples)
        Ensemble.__init__(self, None, [ring])

    @property
    def ring(self) -> MemoryRing:
        """Where the samples are kept."""
        return self.rings[0]

    # --- the callback, in the order of a fit ------------------------------------------------------------------------

    def on_train_begin(self, logs=None):
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is None:
            raise ValueError(
                "The model must have an optimizer. Received: a model that is not compiled. Call `model.compile` first."
            )
        check_savable(optimizer)
        if getattr(self.model.loss, "reduction", None) == "sum":
            warnings.warn(
                "The loss must be a mean over the batch for `posterior_sigma` and `GaussianPrior`. Received: a loss "
                "with reduction='sum': samples will be too close together by the root of the batch size. Use the "
                "loss's default reduction.",
                stacklevel=2,
            )
        if self.model.built:  # under some distribution strategies it is not, until the first step
            self._check_samples()
        if isinstance(self.ring, DiskRing):
            self.ring.clean()
        self._update = None  # the last one that was looked at

    def on_train_batch_begin(self, batch, logs=None):
        # Not in `on_train_begin`: other callbacks may have restored the optimizer's state there.
        if self._update is None:
            self._look(iteration_of(self.model.optimizer))

    def on_train_batch_end(self, batch, logs=None):
        self._calls_left -= 1
        if self._calls_left > 0:
            return
        model = self.model  # on JAX this brings the state of the fit into the model
        update = iteration_of(model.optimizer)
        if update >= self._due and self._is_wanted(update):
            self.ring.append(Sample(settings_of(model.optimizer), weights_of(model)))
        self._look(update)

    def _look(self, update: int):
        """Sets what is due next, and the number of calls before which it cannot come."""
        self._update = update
        behind = max(update - self.burn_in, 0)
        self._due = self.burn_in + (behind // self.thinning + 1) * self.thinning
        steps = int(getattr(self._model, "steps_per_execution", 1))  # a call is at most so many updates
        self._calls_left = math.ceil((self._due - update) / steps)

    def _is_wanted(self, update: int) -> bool:
        if self.when is None:
            return True
        return bool(self.when.is_sampling if hasattr(self.when, "is_sampling") else self.when(update))

    # --- what an ensemble asks ------------------------------------------------------------------------------------

    def _current_model(self):
        return self.model

    def _how_to_get_samples(self) -> str:
        optimizer = innermost(getattr(self.model, "optimizer", None))
        updates = 0 if optimizer is None else iteration_of(optimizer)
        return (
            f"Received: none after {updates} updates with burn_in={self.burn_in}, thinning={self.thinning}. Train for "
            "longer with this callback in `fit(callbacks=[...])`, or lower `burn_in`."
        )


def load(directory: str | Path, model) -> Ensemble:
    """The samples in a directory, for a model that was built as theirs was.

    Args:
        directory: str or path, the `directory` of a `PosteriorSamples`.
        model: a built Keras model; it need not be compiled.

    Raises:
        ValueError: there are no samples, or they are of another model.

    Example:

        samples = keras_langevin.sampling.load("samples", build_model())
        probabilities = samples.predict(x)
    """
    if not Path(directory).is_dir():
        raise ValueError(
            f"`directory` must be a folder with samples. Received: {str(directory)!r}, which is no folder. Give the "
            "`directory` of a `PosteriorSamples`."
        )
    ensemble = Ensemble(model, [DiskRing(directory, None)])
    ensemble.check()
    return ensemble
