"""What users write, for the type checker: pyright must find no error, and must reject the calls marked `ignore`."""

from typing import Any, Literal, assert_type

import keras
import numpy as np
from matplotlib.axes import Axes
from pandas import DataFrame

import keras_langevin
from keras_langevin import (
    BAOAB,
    LSGD,
    SGHMC,
    SGNHT,
    CyclicalLangevin,
    GaussianPrior,
    LAdadelta,
    LAdafactor,
    LAdagrad,
    LAdam,
    LAdamax,
    LAdamW,
    Langevin,
    LangevinMonitor,
    LayerScheduler,
    LLamb,
    LLion,
    LMuon,
    LNadam,
    LogSchedule,
    LRMSprop,
    LScheduleFreeAdamW,
    NoiseBurst,
    PosteriorSamples,
    ReduceSigmaOnPlateau,
    SamplerDiagnostics,
    SigmaScheduler,
    StepDown,
    describe,
    find_sigma,
    posterior_sigma,
    run_chains,
    sampling,
    tune_learning_rate,
    without_noise,
)
from keras_langevin.experiments import engines
from keras_langevin.experiments.comparing import compare

x, y = np.ones((4, 2)), np.ones(4)
schedule = keras.optimizers.schedules.ExponentialDecay(1e-3, 100, 0.9)

# Every optimizer takes its parent's arguments, those of the noise, and those of every Keras optimizer.
LSGD(0.1, 0.9, nesterov=True, sigma=1e-3, layers=0.3, seed=0, noise="rademacher", weight_decay=1e-4, clipnorm=1.0)
SGHMC(0.1, friction=0.1, sigma=posterior_sigma(100), layers=2, use_ema=True, ema_momentum=0.9)
BAOAB(0.1, friction=0.1, sigma=LogSchedule(1e-3), layers="head")
SGNHT(0.1, friction=0.1, thermal_rate=0.01, sigma=NoiseBurst(1e-3, updates=100))
LAdam(schedule, beta_1=0.0, beta_2=0.99, epsilon=1e-7, amsgrad=False, gamma_correction=True, layers=["stem", -1])
LAdamW(1e-3, 0.01, sigma=schedule, layers=lambda path: "head" in path, loss_scale_factor=2.0)
LRMSprop(lambda: 1e-3, rho=0.9, momentum=0.0, centered=True, epsilon_inside_sqrt=False, gamma_correction=False)
LAdadelta(0.1, rho=0.95, epsilon=1e-6, sigma=lambda: 0.05, gradient_accumulation_steps=2)
LAdagrad(0.1, initial_accumulator_value=0.1, epsilon=1e-6, layers=keras.layers.Dense(1))
LNadam(1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-6, name="nadam")
LAdamax(1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-6, global_clipnorm=1.0)
LLamb(1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-6, clipvalue=1.0)
LLion(1e-4, beta_1=0.9, beta_2=0.99, sigma=1e-2)
LAdafactor(1e-3, beta_2_decay=-0.8, epsilon_1=1e-12, epsilon_2=1e-3, clip_threshold=1.0, relative_step=True)
LScheduleFreeAdamW(1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-6, warmup_steps=10)
LMuon(1e-3, adam_beta_2=0.999, weight_decay=0.1, exclude_layers=["head"], adam_lr_ratio=0.5, rms_rate=None)

# Misspelled and wrong arguments.
LAdam(1e-3, sigam=1e-3)  # pyright: ignore[reportCallIssue]
LAdam(1e-3, momentum=0.9)  # pyright: ignore[reportCallIssue]
LAdam(1e-3, sigma="large")  # pyright: ignore[reportArgumentType]
LAdam(1e-3, noise="uniform")  # pyright: ignore[reportArgumentType]
LAdam(1e-3, sigma=lambda step: 1e-3)  # pyright: ignore[reportArgumentType]
SGHMC(1e-3, momentum=0.9)  # pyright: ignore[reportCallIssue]
keras_langevin.LAdm(1e-3)  # pyright: ignore[reportAttributeAccessIssue]
keras_langevin.langevin(keras.optimizers.Adam(1e-3), sigam=1e-3)  # pyright: ignore[reportCallIssue]
keras_langevin.models.dense(3, (2,), 1, activation=0.1)  # pyright: ignore[reportArgumentType]

optimizer = LAdam(1e-3, sigma=1e-3)
assert_type(optimizer.seed, int)
assert_type(optimizer.noise, Literal["normal", "rademacher"])
assert_type(optimizer.get_config(), dict[str, Any])
assert_type(optimizer.noisy_layers, tuple[str, ...])
assert_type(optimizer.beta_1, float)
optimizer.sigma = 0.0
optimizer.layers = 0.5
is_langevin: Langevin = optimizer
is_keras: keras.optimizers.Adam = optimizer
parent: keras.optimizers.Optimizer = without_noise(optimizer)


class LScaled(Langevin, keras.optimizers.Adam, slots=("_velocities",)):
    def preconditioner(self, t, v):
        return (1 - self.beta_2**t) ** 0.5 / (v**0.5 + self.epsilon)


def build_model(seed: int) -> keras.Model:
    prior = GaussianPrior(stddev=1.0, data_size=4, center=np.zeros((2, 1)))
    initializer = keras.initializers.HeNormal(seed=seed)
    model = keras_langevin.models.dense(
        3, (2,), 1, activation=keras.ops.relu, kernel_initializer=initializer, kernel_regularizer=prior
    )
    model.compile(LScaled(1e-3, sigma=1e-3), loss="mse")
    return model


model = build_model(0)
assert_type(describe(model)[0].noisy, bool)
assert_type(find_sigma(model, x, y, sigmas=[1e-3, 1e-2], verbose=0).sigma, float)
assert_type(tune_learning_rate(model, x, y, batch_size=2, verbose=0).learning_rate, float)
samples = PosteriorSamples(10, thinning=2, directory="samples", when=CyclicalLangevin(4), layers="head")
callbacks = [
    SigmaScheduler(lambda epoch, sigma: 0.5 * sigma, verbose=1),
    SigmaScheduler(lambda epoch: 0.1),
    ReduceSigmaOnPlateau("loss", factor=0.5, patience=3),
    LayerScheduler({0: None, 10: 0.3, 20: ["head", 0]}),
    StepDown(10, divide_by=5),
    CyclicalLangevin(4, exploration_fraction=0.5, sigma=1e-2),
    LangevinMonitor(csv="noise.csv", warn_ratio=None),
    SamplerDiagnostics(x, y, batch_size=2, data_size=4),
    samples,
]
model.fit(x, y, callbacks=callbacks)
for member in samples.models():
    assert_type(member, keras.Model)
assert_type(samples.settings, list[dict[str, Any]])
samples.predict(x, outputs="logits", verbose=0).mean()
samples.evaluate(x, {"a": y}, outputs={"a": "probabilities"}, verbose=0)
sampling.Ensemble.of([model, model]).predict(x, outputs=["values"])
chains = run_chains(
    build_model, 2, x, y, burn_in=10, when="callback", callbacks=lambda: [CyclicalLangevin(2)], epochs=3
)
chains.predict(x)
assert_type(chains.draws(x=x), dict[str, np.ndarray])
assert_type(chains.summary(), DataFrame)
assert_type(sampling.learning_coefficient(model, x, y, learning_rate=0.1, verbose=0).value, float)
assert_type(keras_langevin.plots.curves({"L-Adam": [[2.3, 1.1]]}), Axes)
assert_type(keras_langevin.datasets.load("digits").num_classes, int)
results = compare(model="dense-1", engine=engines.Processes(workers=2), verbose=False)
assert_type(results.differences, dict[str, np.ndarray])
assert_type(results.table, DataFrame)
