"""A callback that collects samples of the weights."""

import math
import warnings
import weakref
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import keras
import numpy as np

from keras_langevin.optimizers.selection import LayersArgument, LayerSelection
from keras_langevin.reading import innermost
from keras_langevin.sampling import chain
from keras_langevin.sampling.ensemble import Ensemble
from keras_langevin.sampling.ring import DiskRing, MemoryRing, Sample
from keras_langevin.sampling.settings import iteration_of, settings_of
from keras_langevin.sampling.temperature import warn_of_temperature
from keras_langevin.sampling.weights import weights_of, weights_of_layers
from keras_langevin.values import check_int

_DIVERGED = 1e3  # times the median size of the weights so far; a chain with a stationary law does not move that far


class HasSamplingStage(Protocol):
    """An object that knows whether the current weights are a sample, such as `CyclicalLangevin`."""

    @property
    def is_sampling(self) -> bool: ...


class PosteriorSamples(Ensemble, keras.callbacks.Callback):
    """A callback that collects samples of the posterior, the weights after updates burn_in + thinning · (1, 2, ...).

    docs/sampling.md says which sigma, loss and priors this needs. The callback warns about others.
    `predict`, `evaluate`, `predictive_entropy` and `mutual_information` average over the samples.

    Args:
        burn_in: int >= 0, how many updates to leave out, counted from the optimizer's first.
        thinning: int >= 1, the number of updates from one sample to the next. Defaults to `1`.
        max_samples: int >= 1. A further sample replaces the oldest. Defaults to `100`.
        directory: path of a folder for one chain, or `None` for memory. A resumed fit adds to it. Defaults to `None`.
        when: restricts samples: an object with `is_sampling`, such as `CyclicalLangevin`, or a function of the number
            of the update. Defaults to `None`.
        layers: the layers that a sample stores, as for a Langevin optimizer. Freeze the others. Defaults to `None`.

    Raises:
        ValueError: earlier samples are from another model or chain, or the weights differ from the sample at the same
            update.

    Example:

    >>> import keras, numpy as np
    >>> from keras_langevin import GaussianPrior, LSGD, PosteriorSamples, posterior_sigma
    >>> x, prior = np.random.default_rng(0).normal(size=(64, 3)), GaussianPrior(stddev=1.0, data_size=64)
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "softmax", kernel_regularizer=prior)])
    >>> model.compile(LSGD(0.1, sigma=posterior_sigma(64), seed=0), loss="sparse_categorical_crossentropy")
    >>> samples = PosteriorSamples(burn_in=20, thinning=2, max_samples=10)
    >>> _ = model.fit(x, (x[:, 0] > 0).astype("int32"), epochs=25, batch_size=32, callbacks=[samples], verbose=0)
    >>> len(samples), samples.predict(x, verbose=0).shape
    (10, (64, 2))

    References:
        M. Welling and Y. W. Teh, ICML 2011.
    """

    saves_optimizer = True

    def __init__(
        self,
        burn_in: int,
        thinning: int = 1,
        max_samples: int = 100,
        directory: str | Path | None = None,
        when: Callable[[int], bool] | HasSamplingStage | None = None,
        layers: LayersArgument = None,
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
        self.layers = layers
        LayerSelection(layers)  # raises an error for an invalid value
        self.warns = True  # about the temperature
        self._of = None  # a weak reference to the model whose samples this object takes
        self._sizes = deque(maxlen=101)  # of the latest samples
        self._compiled = self._left = None  # learning rate and sigma, before and after a fit
        ring = MemoryRing(max_samples) if directory is None else DiskRing(directory, max_samples)
        Ensemble.__init__(self, None, [ring])

    @property
    def ring(self) -> MemoryRing:
        """The storage of the samples."""
        return self.rings[0]

    # --- the callback, in the order of a fit ------------------------------------------------------------------------

    def set_model(self, model):
        super().set_model(model)
        # Not in `on_train_begin`, where other callbacks may have restored the optimizer's state or set a schedule.
        optimizer = getattr(model, "optimizer", None)
        self._compiled = None if optimizer is None else chain.levels_of(optimizer)

    def on_train_begin(self, logs=None):
        model = self.model
        if getattr(model, "optimizer", None) is None:
            raise ValueError(
                "The model must have an optimizer. Received: a model that is not compiled. Call `model.compile` first."
            )
        self._check_model(model)
        if isinstance(self.ring, DiskRing):
            self.ring.read_heads()
            self.ring.clean()
        if model.built:  # under some distribution strategies, the first step builds it
            self._check_samples()
            if self.warns:
                warn_of_temperature(model, stacklevel=4)
        self._update = None  # the last one that was checked
        self._has_diverged = False

    def on_train_batch_begin(self, batch, logs=None):
        # Not in `on_train_begin`, where other callbacks may still restore the optimizer's state.
        if self._update is None:
            model = self.model
            self._begin_chain(model)
            self._look(iteration_of(model.optimizer))

    def on_train_batch_end(self, batch, logs=None):
        self._calls_left -= 1
        if self._calls_left <= 0:
            self.take()

    def take(self) -> None:
        """Adds the model's weights if a sample is due, and finds when the next one is."""
        model = self.model  # on JAX, this writes the state of the fit into the model
        update = iteration_of(model.optimizer)
        if update >= self.due and self._is_wanted(update):
            arrays = weights_of(model)
            if self._is_sound(model, arrays, update):
                levels = chain.plain(chain.levels_of(model.optimizer))
                self._keep(Sample(settings_of(model.optimizer), arrays, self._chain, levels))
        self._look(update)

    def on_train_end(self, logs=None):
        self._left = chain.levels_of(self.model.optimizer)

    def _check_model(self, model):
        """Checks that the model is the one whose samples this object has taken."""
        if len(self) and self._of is not None and self._of() is not model:
            self.set_model(self._of())
            raise ValueError(
                "`PosteriorSamples` collects samples of one model. Received: a fit of another model than that of "
                f"its {len(self)} samples. Make a `PosteriorSamples` for each model."
            )

    def _begin_chain(self, model):
        """Starts a chain, or continues the one of the samples. Raises an error if they are of another chain."""
        now, heads = chain.begun(model, self._compiled), self.ring.heads
        self._of, self._chain, self._is_same = weakref.ref(model), now, True
        if self.layers is not None:
            self.ring.store_only(self._stored(model), weights_of(model))
        if not heads:
            if now["begin"] >= self.burn_in > 0 and self._left is None:  # not after an earlier fit
                warnings.warn(
                    "`burn_in` must be larger than the number of updates that the optimizer has made, or it leaves "
                    f"out nothing. Received: burn_in={self.burn_in} after {now['begin']} updates. Add these, as in "
                    f"`burn_in={now['begin'] + self.burn_in}`.",
                    stacklevel=3,
                )
            return
        self._chain = heads[-1]["chain"]
        known = [head["levels"] for head in heads] + ([] if self._left is None else [chain.plain(self._left)])
        different = list(chain.differences(self._chain, now, chain.plain(chain.levels_of(model.optimizer)), known))
        if different:
            raise ValueError(
                f"The samples in {self._source()} must be of the chain that this fit continues. Received: "
                f"{'; '.join(different)}. Choose another directory for another chain, and make a new "
                "`PosteriorSamples`."
            )
        # A fit restored from a state of the chain continues it. A fit from the start may have other data.
        self._is_same = now["begin"] > self._chain["begin"]

    def _stored(self, model) -> list[int]:
        """Returns the indices of the chosen layers' weights in `model.weights`."""
        chosen = set(map(id, weights_of_layers(model, self.layers)))
        return [number for number, variable in enumerate(model.weights) if id(variable) in chosen]

    def _is_sound(self, model, arrays, update: int) -> bool:
        """Returns `False` if the chain has diverged, and warns about it once in a fit."""
        trainable = set(map(id, model.trainable_variables))
        own = [np.asarray(a, float) for v, a in zip(model.weights, arrays, strict=True) if id(v) in trainable]
        size = math.sqrt(sum(float(np.square(array).sum()) for array in own))
        is_finite = math.isfinite(size) and not any(np.isnan(a).any() for a in arrays if a.dtype.kind in "fV")
        usual = float(np.median(self._sizes)) if self._sizes else 0.0
        if is_finite and not (usual and size > _DIVERGED * usual):
            self._sizes.append(size)
            return True
        if not self._has_diverged:
            self._has_diverged = True
            warnings.warn(
                "The weights must be finite, and of the size that they had. Received: a root sum of squares of "
                f"{size:.3g} after update {update}: the chain has diverged. Such weights are not a sample. Those "
                "before are kept. Lower the learning rate.",
                stacklevel=3,
            )
        return False

    def _keep(self, sample: Sample):
        if not self._is_same:
            update, found = sample.settings["iteration"], self.ring.find(sample.settings)
            newest = self.ring.heads[-1]["settings"]["iteration"]
            if found is None and update <= newest:
                return  # until it reaches an update that has a sample
            if found is None or not chain.alike(sample.arrays, self.ring.arrays(found)):
                what = f"none of update {update}" if found is None else f"other weights after update {update}"
                raise ValueError(
                    f"A fit from the start must reach the samples in {self._source()} again. Received: {what}: its "
                    "data or their order differ. Choose another directory. (To add to the samples, restore the "
                    "state of the fit that took them.)"
                )
            self._is_same = True
        self.ring.append(sample)

    def _source(self) -> str:
        return str(getattr(self.ring, "folder", "memory"))

    def _look(self, update: int):
        """Sets which update is due next, and the least number of calls until then."""
        self._update = update
        behind = max(update - self.burn_in, 0)
        self.due = self.burn_in + (behind // self.thinning + 1) * self.thinning
        steps = int(getattr(self._model, "steps_per_execution", 1))  # the most updates in a call
        self._calls_left = math.ceil((self.due - update) / steps)

    def _is_wanted(self, update: int) -> bool:
        if self.when is None:
            return True
        return bool(self.when.is_sampling if hasattr(self.when, "is_sampling") else self.when(update))

    # --- methods that `Ensemble` calls ----------------------------------------------------------------------------

    def _current_model(self):
        return self.model

    def _how_to_get_samples(self) -> str:
        optimizer = innermost(getattr(self.model, "optimizer", None))
        updates = 0 if optimizer is None else iteration_of(optimizer)
        return (
            f"Received: none after {updates} updates with burn_in={self.burn_in}, thinning={self.thinning}. Train for "
            "longer with this callback in `fit(callbacks=[...])`, or lower `burn_in`."
        )


def load(directory: str | Path, model: keras.Model) -> Ensemble:
    """Loads the samples in a directory, for a model built in the same way as theirs.

    Args:
        directory: str or path, the `directory` of a `PosteriorSamples`, a `SWAG` or `run_chains`, or that of
            `Ensemble.save`.
        model: a built Keras model; it need not be compiled.

    Raises:
        ValueError: there are no samples, or they are of another model.

    Example:

        samples = keras_langevin.sampling.load("samples", build_model())
        probabilities = samples.predict(x)
    """
    if not Path(directory).is_dir():
        raise ValueError(
            f"`directory` must be a folder with samples. Received: {str(directory)!r}, which is not a folder. Pass "
            "the `directory` of a `PosteriorSamples`."
        )
    folders = sorted(Path(directory).glob("chain-*"), key=lambda folder: (len(folder.name), folder.name))
    ensemble = Ensemble(model, [DiskRing(folder, None) for folder in folders or [directory]])
    ensemble.check()
    return ensemble
