"""Stochastic weight averaging (SWAG): a Gaussian fitted to the weights during training."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from keras_langevin import archive
from keras_langevin.sampling.ring import Sample
from keras_langevin.sampling.samples import HasSamplingStage, PosteriorSamples
from keras_langevin.values import check_int, is_level

_MOMENTS = "moments.npz"


class SWAG(PosteriorSamples):
    """A callback that fits a Gaussian to the weights during training, and samples from it when `fit` ends.

        θ ~ N(θ̄, s²·(D + C Cᵀ/(K − 1))/2),   D = diag(mean(θ²) − θ̄²),   C = the latest K of θ_i − θ̄_i

    θ̄ is the mean of the weights after updates burn_in + thinning · (1, 2, ...), and θ̄_i that of the first i. Train with
    a high constant learning rate and no noise. See docs/sampling.md, also for MultiSWAG and batch normalization.

    Args:
        burn_in: int >= 0, how many updates to leave out, counted from the optimizer's first.
        thinning: int >= 1, the number of updates from one use of the weights to the next. Defaults to `1`.
        rank: K, int >= 2, how many of the latest deviations to keep. Defaults to `20`.
        num_samples: int >= 1, how many samples to draw. Defaults to `30`.
        scale: s, float >= 0. With 0 every sample is θ̄. Defaults to `1.0`.
        seed: int >= 0, for the samples. Defaults to `0`.
        directory: path of a folder, or `None` for memory. A resumed fit adds to it. Defaults to `None`.
        when: as in `PosteriorSamples`. Defaults to `None`.

    Example:

    >>> import keras, numpy as np
    >>> from keras_langevin.sampling import SWAG
    >>> x = np.random.default_rng(0).normal(size=(64, 3))
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "softmax")])
    >>> model.compile(keras.optimizers.SGD(0.5), loss="sparse_categorical_crossentropy")
    >>> swag = SWAG(burn_in=20, thinning=2, num_samples=10)
    >>> _ = model.fit(x, (x[:, 0] > 0).astype("int32"), epochs=25, batch_size=32, callbacks=[swag], verbose=0)
    >>> len(swag), swag.predict(x, verbose=0).shape
    (10, (64, 2))

    References:
        W. Maddox et al., NeurIPS 2019, algorithm 1. A. G. Wilson and P. Izmailov, NeurIPS 2020 (MultiSWAG).
    """

    def __init__(
        self,
        burn_in: int,
        thinning: int = 1,
        rank: int = 20,
        num_samples: int = 30,
        scale: float = 1.0,
        seed: int = 0,
        directory: str | Path | None = None,
        when: Callable[[int], bool] | HasSamplingStage | None = None,
    ):
        check_int("rank", rank, 2, "how many deviations are kept")
        check_int("num_samples", num_samples, 1, "how many samples are drawn")
        check_int("seed", seed, 0)
        if not is_level(scale):
            raise ValueError(
                f"`scale` must be a finite float >= 0. Received: scale={scale!r}. Pass 1.0, as in the paper."
            )
        super().__init__(burn_in, thinning, num_samples, directory, when)
        self.warns = False  # about the temperature
        self.rank, self.scale, self.seed = rank, float(scale), seed
        self.count, self._means, self._squares = 0, [], []
        self._deviations: list[list[np.ndarray]] = []
        self._latest: Sample | None = None

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        if self.count == 0:
            self._read_moments()

    def on_train_end(self, logs=None):
        super().on_train_end(logs)
        if self._latest is not None:
            self.draw()

    def _keep(self, sample: Sample):
        """Adds weights to the moments, unless a resumed fit repeats an update that they already include."""
        update = sample.settings["iteration"]
        if self._latest is not None and update <= self._latest.settings["iteration"]:
            return
        arrays = [np.asarray(array, float) for array in sample.arrays]
        self.count += 1
        if self.count == 1:
            self._means, self._squares = [0.0 * array for array in arrays], [0.0 * array for array in arrays]
        for moments, values in ((self._means, arrays), (self._squares, [array**2 for array in arrays])):
            for moment, value in zip(moments, values, strict=True):
                moment += (value - moment) / self.count
        self._deviations.append([array - mean for array, mean in zip(arrays, self._means, strict=True)])
        del self._deviations[: -self.rank]
        self._latest = sample
        self._write_moments()

    def draw(self) -> None:
        """Draws new samples from the moments so far. `fit` does this when it ends.

        Raises:
            ValueError: the moments are of fewer than two updates.
        """
        if self.count < 2:
            raise ValueError(
                f"SWAG needs weights of at least two updates. Received: {self.count} with burn_in={self.burn_in}, "
                f"thinning={self.thinning}. Train for longer, or lower `burn_in` or `thinning`."
            )
        latest, generator = self._latest, np.random.default_rng(self.seed)
        trainable = set(map(id, self.model.trainable_variables))
        varies = [id(variable) in trainable for variable in self.model.weights]
        for number in range(self.ring.max_samples):
            z = generator.normal(size=len(self._deviations)) / np.sqrt(max(len(self._deviations) - 1, 1))
            arrays = []
            for index, (mean, square) in enumerate(zip(self._means, self._squares, strict=True)):
                value = mean
                if varies[index]:
                    own = np.sqrt(np.maximum(square - mean**2, 0)) * generator.normal(size=mean.shape)
                    common = sum(weight * columns[index] for weight, columns in zip(z, self._deviations, strict=True))
                    value = mean + self.scale / np.sqrt(2) * (own + common)
                arrays.append(value.astype(latest.arrays[index].dtype))
            settings = latest.settings | {"seed": number}
            self.ring.append(Sample(settings, arrays, latest.chain, latest.levels))

    # --- files ------------------------------------------------------------------------------------------------------

    def _write_moments(self):
        folder = getattr(self.ring, "folder", None)
        if folder is not None:
            latest = self._latest
            head = {"count": self.count, "kept": len(self._deviations), "settings": latest.settings}
            head |= {"chain": latest.chain, "levels": latest.levels}
            columns = [array for column in self._deviations for array in column]
            archive.write(folder / _MOMENTS, head, [*latest.arrays, *self._means, *self._squares, *columns])

    def _read_moments(self):
        folder = getattr(self.ring, "folder", None)
        if folder is None or not (folder / _MOMENTS).exists():
            return
        try:
            head, arrays = archive.read(folder / _MOMENTS)
            size = len(arrays) // (3 + head["kept"])
            parts = [arrays[begin : begin + size] for begin in range(0, len(arrays), size)]
            self._latest = Sample(head["settings"], parts[0], head["chain"], head["levels"])
            self.count, self._means, self._squares, self._deviations = head["count"], parts[1], parts[2], parts[3:]
        except archive.UNREADABLE as error:
            raise ValueError(
                f"`directory` must hold the moments that `SWAG` wrote. Received: {folder / _MOMENTS}, which is not "
                f"readable as such ({type(error).__name__}). Remove it, or choose another directory."
            ) from error
