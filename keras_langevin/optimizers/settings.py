"""The settings of the noise that users read and set: level, seed and law."""

import numbers
import random
from typing import Any

import keras
import numpy as np
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from keras_langevin import reading
from keras_langevin.optimizers import noise as noise_source
from keras_langevin.optimizers.arguments import Law, Level
from keras_langevin.optimizers.parent import MixinBase
from keras_langevin.values import LARGEST, is_level, takes


class NoiseSettings(MixinBase):
    """`sigma`, `seed` and `noise` of a Langevin optimizer."""

    @staticmethod
    def _check_settings(sigma, seed, noise):
        _check_sigma(sigma)
        _check_law(noise)
        if seed is not None:
            _checked_seed(seed)

    def _set_settings(self, sigma, seed, noise):
        self._noise: Law = noise
        words = noise_source.split_seed(random.getrandbits(63) if seed is None else int(seed))
        self._seed = self._setting_variable("seed", words, "int32")
        self._sigma = sigma if callable(sigma) else self._setting_variable("sigma", sigma, keras.config.floatx())

    def _settings_config(self) -> dict:
        sigma = self._sigma
        is_number = isinstance(sigma, keras.Variable)
        sigma = reading.number(sigma) if is_number else keras.saving.serialize_keras_object(sigma)
        return {"sigma": sigma, "seed": self.seed, "noise": self.noise}

    @property
    def sigma(self) -> keras.Variable | Any:
        """The noise level σ. Like `learning_rate`, it is a variable, or the current value of a schedule."""
        if isinstance(self._sigma, LearningRateSchedule):
            return self._sigma(self._iterations)
        return self._sigma if isinstance(self._sigma, keras.Variable) else self._sigma()

    @sigma.setter
    def sigma(self, sigma: Level) -> None:
        _check_sigma(_value_of(sigma))
        previous = self._sigma
        if callable(sigma):
            self._sigma = sigma
            if isinstance(previous, keras.Variable):
                self._untrack_variable(previous)
        elif isinstance(previous, keras.Variable):
            previous.assign(sigma)
        else:
            raise TypeError(
                "`sigma` can be set to a number only if it is one. "
                f"Received: sigma={sigma!r} for an optimizer whose `sigma` is {previous!r}, given to it or set by "
                "`CyclicalLangevin`. Set another schedule, or create a new optimizer with a float `sigma`."
            )

    @property
    def seed(self) -> int:
        """The seed of the noise. Setting it takes effect at the next step, without a new trace."""
        return noise_source.join_seed(ops.convert_to_numpy(self._seed))

    @seed.setter
    def seed(self, seed: int) -> None:
        self._seed.assign(noise_source.split_seed(_checked_seed(seed)))

    @property
    def noise(self) -> Law:
        """The law of the noise. It can be set until the optimizer is built."""
        return self._noise

    @noise.setter
    def noise(self, noise: Law) -> None:
        _check_law(noise)
        if self.built:
            raise ValueError(
                "`noise`, the law of the noise, can be set only before the optimizer is built. Received: "
                f"noise={noise!r} for a built optimizer. Create a new one with `noise={noise!r}`."
            )
        self._noise = noise

    def _setting_variable(self, name, value, dtype):
        # Like Keras's `iteration` and `learning_rate`: tracked, before the optimizer is built.
        with keras.name_scope(self.name, caller=self):
            variable = keras.Variable(value, dtype=dtype, trainable=False, name=name, aggregation="only_first_replica")
        self._track_variable(variable)
        return variable


def _check_sigma(sigma):
    if callable(sigma) and not isinstance(sigma, LearningRateSchedule) and not takes(sigma, 0):
        raise ValueError(
            f"A callable `sigma` must take no arguments, like a callable `learning_rate`. Received: sigma={sigma!r}, "
            "which needs some. For a level that depends on the step, pass a "
            "`keras.optimizers.schedules.LearningRateSchedule`, such as `keras_langevin.LogSchedule`."
        )
    largest = float(np.finfo("float16").max) if keras.config.floatx() == "float16" else LARGEST
    if not (callable(sigma) or (is_level(sigma) and sigma <= largest)):
        raise ValueError(
            f"`sigma`, the noise level, must be a finite float >= 0 (at most {largest:.3g}), a "
            f"`LearningRateSchedule` or a callable without arguments. Received: sigma={str(repr(sigma))[:80]}. Pass "
            "one, as in `sigma=1e-3`."
        )


def _check_law(noise):
    if noise not in noise_source.LAWS:
        laws = " or ".join(map(repr, noise_source.LAWS))
        raise ValueError(
            f"`noise`, the law of the noise, must be {laws}. Received: noise={noise!r}. Leave it out for 'normal'."
        )


def _checked_seed(seed) -> int:
    if not isinstance(seed, numbers.Integral) or isinstance(seed, bool) or not 0 <= seed < 2**64:
        raise ValueError(
            f"`seed` must be an int in [0, 2**64), or None. Received: seed={seed!r}. Pass one, as in `seed=0`."
        )
    return int(seed)


def _value_of(sigma):
    """Returns the value of a tensor or variable, or 0 if it is unknown because a step is being traced."""
    if not (ops.is_tensor(sigma) or isinstance(sigma, keras.Variable)):
        return sigma
    try:
        value = ops.convert_to_numpy(sigma)
    except Exception:  # each backend has its own error for a symbolic tensor
        return 0.0
    return value.item() if value.size == 1 and not value.shape else value
