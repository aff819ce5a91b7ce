"""`LangevinMonitor`: its numbers against those of a step in NumPy, and its files."""

import csv
import dataclasses
import warnings

import keras
import numpy as np
import pytest
from keras import ops

from keras_langevin import BAOAB, LSGD, SGHMC, LAdam, LangevinMonitor
from keras_langevin.callbacks.measurement import ALL, NAMES
from keras_langevin.optimizers import layer_noise
from tests.callbacks.models import EXECUTIONS, LAYERS, eager_model, examples, fit, policy, small_model, weights_of
from tests.optimizers.cases import BACKEND, CONTRACT_CASES, KINDS, case_name, of_each_kind

EPOCHS, STEPS, SIGMA = 3, 4, 0.02
EVERY_OPTION = [
    pytest.param(
        case,
        options,
        id=f"{case_name(case)}-{name}",
        marks=[pytest.mark.slow] * (case.langevin not in KINDS or name not in ("default", "momentum")),
    )
    for case in CONTRACT_CASES
    for name, options in ({"default": {}} | case.options).items()
]
# Optimizers without a mean of squared gradients: gradients of several steps may cancel in their slots.
WITHOUT_SQUARES = (
    "LSGD",
    "SGHMC",
    "BAOAB",
    "SGNHT",
    "LAdamax",
    "LLion",
    "LAdafactor",
    "LMuon",
    "LMuon, AdamW's weights",
)
# Cases for several steps per execution: with momentum, and with slots that determine the gradient.
OF_EXECUTIONS = [
    pytest.param(
        *param.values, id=param.id, marks=[pytest.mark.slow] * (param.id not in ("LSGD-momentum", "LAdam-default"))
    )
    for param in EVERY_OPTION
]


class Recorded(list):
    """A list of weights; `base` holds their momentums."""

    def __init__(self):
        super().__init__()
        self.base = []


class Recorder(keras.callbacks.Callback):
    """Keeps the weights before each step and after the last."""

    def __init__(self):
        super().__init__()
        self.weights = Recorded()

    def on_train_batch_begin(self, batch, logs=None):
        self.weights.append(weights_of(self.model))
        optimizer = self.model.optimizer
        momentums = optimizer.momentums if isinstance(optimizer, BAOAB) else getattr(optimizer, "_momentums", [])
        self.weights.base.append([np.array(ops.convert_to_numpy(slot)) for slot in momentums])

    def on_train_end(self, logs=None):
        self.weights.append(weights_of(self.model))


def gradients(weights, features, targets) -> list[np.ndarray]:
    """Returns the gradient of the mean squared error for `small_model`, by the chain rule in float64."""
    outputs = [features.astype("float64")]
    for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
        outputs.append(np.tanh(outputs[-1] @ kernel.astype("float64") + bias))
    backward = 2 * (outputs[-1] - targets) / targets.size
    found = []
    for number in range(2, -1, -1):
        backward = backward * (1 - outputs[number + 1] ** 2)
        found = [outputs[number].T @ backward, backward.sum(axis=0), *found]
        backward = backward @ weights[2 * number].T.astype("float64")
    return found


def trained(case, options, callbacks=(), **arguments):
    """Trains a model with a monitor; returns it with the weights before each step and the gradients there."""
    recorder, monitor = Recorder(), LangevinMonitor(warn_ratio=None, **arguments)
    model = small_model(case.make(sigma=SIGMA, seed=3, layers=["first", "third"], weight_decay=0.0, **options))
    history = fit(model, recorder, monitor, *callbacks, epochs=EPOCHS, steps=STEPS)
    features, targets = examples(STEPS)
    batches = [(features[4 * i : 4 * i + 4], targets[4 * i : 4 * i + 4]) for i in range(STEPS)] * EPOCHS
    found = [gradients(weights, *batch) for weights, batch in zip(recorder.weights[:-1], batches, strict=True)]
    return model, monitor, history, recorder.weights, found


def by_layer(arrays, layer) -> np.ndarray:
    """Returns the elements of a layer's kernel and bias, or those of all layers for `"all"`."""
    chosen = range(6) if layer == ALL else (2 * LAYERS.index(layer), 2 * LAYERS.index(layer) + 1)
    return np.concatenate([np.ravel(arrays[i]) for i in chosen]).astype("float64")


def rms(array) -> float:
    return float(np.sqrt(np.mean(np.square(array))))


@pytest.mark.parametrize(("case", "options"), EVERY_OPTION)
def test_numbers_are_those_of_a_step_made_by_hand(case, options):
    """Compares each epoch's last update: P with the formulas in NumPy, the drift with the parent's step from the same
    weights, slots and gradient, and the gradient with the chain rule."""
    _, monitor, _, weights, found = trained(case, options)
    parent = small_model(case.make_parent(weight_decay=0.0, **options))
    parent.optimizer.build(parent.trainable_variables)
    moved = None
    preconditioners = [
        case.preconditioners([step[i] for step in found], [each[i] for each in weights], **options) for i in range(6)
    ]
    drifts = []
    for step, before, after in zip(found, weights, weights[1:], strict=False):
        parent.set_weights(before)
        if case_name(case) in ("LScheduleFreeAdamW", "BAOAB"):  # z and the momentum also hold noise
            slots = parent.optimizer.momentums if case.langevin is BAOAB else parent.optimizer._momentums
            for slot, value in zip(slots, weights.base[len(drifts)], strict=True):
                slot.assign(value)
        elif moved and case.kept(**options):  # the momentum holds noise, and the weights moved by it
            for slot, value in zip(parent.optimizer.momentums, moved, strict=True):
                slot.assign(value)
        moved = [new - old for new, old in zip(after, before, strict=True)]
        parent.optimizer.apply([ops.convert_to_tensor(g.astype("float32")) for g in step], parent.trainable_variables)
        drifts.append([new - old for new, old in zip(weights_of(parent), before, strict=True)])
    assert [(row.epoch, row.layer) for row in monitor.history] == [
        (epoch, layer) for epoch in range(EPOCHS) for layer in (ALL, *LAYERS)
    ]
    for row in monitor.history:
        last = (row.epoch + 1) * STEPS - 1
        noisy = LAYERS[::2] if row.layer == ALL else [row.layer]
        factor = np.concatenate([by_layer([p[last] for p in preconditioners], layer) for layer in noisy])
        sigma = 0.0 if row.layer == "second" else SIGMA
        drift = rms(np.concatenate([by_layer(drifts[last], layer) for layer in noisy]))
        noise = sigma * np.sqrt(case.learning_rate * factor.mean())
        moved = by_layer(weights[last + 1], row.layer) - by_layer(weights[0], row.layer)
        expected = {
            "sigma": sigma,
            "noise_rms": noise,
            "drift_rms": drift,
            "noise_to_drift": noise / drift,
            "sqrt_p_median": np.median(np.sqrt(factor)),
            "sqrt_p_99": np.quantile(np.sqrt(factor), 0.99),
            "distance": np.linalg.norm(moved),
            "gradient_norm": np.linalg.norm(by_layer(found[last], row.layer)),
            "weight_norm": np.linalg.norm(by_layer(weights[last + 1], row.layer)),
        }
        actual = {name: getattr(row, name) for name in NAMES}
        assert actual == pytest.approx(expected, rel=2e-3), row


@pytest.mark.skipif(EXECUTIONS == [1], reason="Keras runs one step at a time on PyTorch")
@pytest.mark.parametrize(("case", "options"), OF_EXECUTIONS)
def test_an_execution_of_several_steps(case, options):
    """Compared with single steps of the same run, P, distance and sigma are those of the last update. The drift is that
    of the last step with momentum, otherwise the mean over the steps."""
    runs = {}
    for steps in (1, STEPS):
        monitor = LangevinMonitor(warn_ratio=None)
        optimizer = case.make(sigma=SIGMA, seed=3, layers=["first", "third"], weight_decay=0.0, **options)
        model = small_model(optimizer, steps_per_execution=steps)
        recorder = Recorder()
        fit(model, *([recorder] if steps == 1 else []), monitor, epochs=EPOCHS, steps=STEPS)
        runs[steps] = monitor.history, recorder.weights
    features, targets = examples(STEPS)
    batches = [(features[4 * i : 4 * i + 4], targets[4 * i : 4 * i + 4]) for i in range(STEPS)] * EPOCHS
    weights = runs[1][1]
    found = [gradients(before, *batch) for before, batch in zip(weights[:-1], batches, strict=True)]
    for single, several in zip(runs[1][0], runs[STEPS][0], strict=True):
        exact = {"sigma", "distance"} | (set() if case.langevin._slots_before else {"noise_rms", "sqrt_p_median"})
        for name in exact:
            assert getattr(several, name) == pytest.approx(getattr(single, name), rel=2e-3), name
        assert several.noise_rms == pytest.approx(single.noise_rms, rel=0.1)
        own = slice(several.epoch * STEPS, (several.epoch + 1) * STEPS)
        squares = [np.square(by_layer(step, several.layer)).sum() for step in found[own]]
        if case_name(case) == "LAdafactor":  # keeps no average: this is the mean drift over the last step's γP
            assert 0.5 * np.sqrt(np.min(squares)) <= several.gradient_norm <= 2 * np.sqrt(np.max(squares))
        elif case_name(case) in WITHOUT_SQUARES:
            assert 0 < several.gradient_norm <= 1.01 * np.sqrt(np.max(squares))
        else:
            assert np.sqrt(np.min(squares)) * 0.99 <= several.gradient_norm <= np.sqrt(np.max(squares)) * 1.01
        has_momentum = "momentum" in options and not options.get("nesterov")
        is_in_slots = has_momentum or case.kept(**options) or case_name(case).startswith("LAdam")
        if is_in_slots and case_name(case) not in ("LMuon", "LScheduleFreeAdamW"):  # not the last step for these
            assert several.drift_rms == pytest.approx(single.drift_rms, rel=2e-3)


@pytest.mark.parametrize("case", of_each_kind((SGHMC, LAdam)))  # it reads most of their slots
def test_the_training_is_the_same_with_a_monitor(case):
    """The weights are equal bit for bit."""
    weights = []
    for callbacks in ([], [LangevinMonitor(warn_ratio=None, layer_logs=True)]):
        model = small_model(case.make(sigma=SIGMA, seed=3))
        fit(model, *callbacks, epochs=2, steps=STEPS)
        weights.append(weights_of(model))
    for without, watched in zip(*weights, strict=True):
        np.testing.assert_array_equal(watched, without)


def test_dead_units_show_in_the_percentile():
    """One of four inputs is always zero: its weights have a zero gradient, so √P has its bound (1 − β₂ᵗ)^¼ / √ε."""
    monitor = LangevinMonitor(warn_ratio=None)
    model = eager_model(LAdam(1e-3, sigma=1e-3))
    features, targets = examples(STEPS)
    features[:, 3] = 0
    model.fit(features, targets, batch_size=4, verbose=0, callbacks=[monitor])
    first, second = (row for row in monitor.history if row.layer in LAYERS[:2])
    assert first.sqrt_p_99 == pytest.approx((1 - 0.999**STEPS) ** 0.25 * 1000, rel=1e-3)
    assert first.sqrt_p_median < 50 > second.sqrt_p_99


@pytest.mark.parametrize("steps_per_execution", EXECUTIONS)
def test_logs_have_the_model_and_if_asked_each_layer(steps_per_execution):
    for layer_logs in (False, True):
        monitor = LangevinMonitor(frequency=2, layer_logs=layer_logs, warn_ratio=None)
        model = small_model(LAdam(1e-3, sigma=1e-3), steps_per_execution=steps_per_execution)
        history = fit(model, monitor, epochs=3).history
        rows = [dataclasses.asdict(row) for row in monitor.history]
        assert [row["epoch"] for row in rows if row["layer"] == ALL] == [0, 2]
        for name in NAMES:
            assert history[name] == [row[name] for row in rows if row["layer"] == ALL]
            for layer in LAYERS:
                expected = [row[name] for row in rows if row["layer"] == layer] if layer_logs else None
                assert history.get(f"{name}/{layer}") == expected


def test_csv(tmp_path):
    """There is a line per epoch and layer, and a resumed fit keeps the earlier lines."""
    path = tmp_path / "monitor.csv"
    model = eager_model(LAdam(1e-3, sigma=1e-3))
    monitor = LangevinMonitor(csv=path, warn_ratio=None)
    fit(model, monitor, epochs=3)
    with open(path, newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(int(line["epoch"]), line["layer"]) for line in lines] == [
        (epoch, layer) for epoch in range(3) for layer in (ALL, *LAYERS)
    ]
    for line, row in zip(lines, monitor.history, strict=True):
        assert [float(line[name]) for name in NAMES] == [getattr(row, name) for name in NAMES]
    fit(model, LangevinMonitor(csv=path, warn_ratio=None), epochs=4, initial_epoch=2)
    with open(path, newline="") as file:
        again = list(csv.DictReader(file))
    assert again[:8] == lines[:8]
    assert again[8:12] != lines[8:12]
    assert [int(line["epoch"]) for line in again] == sorted([0, 1, 2, 3] * 4)


def test_tensorboard(tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    monitor = LangevinMonitor(tensorboard=tmp_path, warn_ratio=None)
    fit(eager_model(LAdam(1e-3, sigma=1e-3)), monitor, epochs=2)
    events = reader.EventAccumulator(str(tmp_path), {"tensors": 0})
    events.Reload()
    for name in NAMES:
        for layer in (ALL, *LAYERS):
            points = [
                (event.step, float(event.tensor_proto.float_val[0]))
                for event in events.Tensors(f"langevin/{name}/{layer}")
            ]
            rows = [row for row in monitor.history if row.layer == layer]
            assert points == [(row.epoch, pytest.approx(getattr(row, name), rel=1e-6)) for row in rows]


def test_it_warns_once_in_words():
    monitor = LangevinMonitor(warn_ratio=5.0)
    model = eager_model(LSGD(1e-3, sigma=10.0, layers=["second"]))
    with pytest.warns(UserWarning, match=r"more than `warn_ratio=5`: sigma=10 may be too large") as caught:
        fit(model, monitor, epochs=3, steps=1)
    (message,) = (str(warning.message) for warning in caught if "warn_ratio" in str(warning.message))
    whole = monitor.history[0]
    assert f"{whole.noise_to_drift:.3g} times the parent's step at the end of epoch 1" in message
    assert "layer second" in message
    equal = LangevinMonitor(warn_ratio=None)
    fit(eager_model(LSGD(1e-3, sigma=10.0 / whole.noise_to_drift, layers=["second"])), equal, steps=1)
    assert equal.history[0].noise_to_drift == pytest.approx(1, rel=1e-2)


def test_no_warning_below_the_ratio():
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        fit(eager_model(LSGD(1e-3, sigma=10.0)), LangevinMonitor(warn_ratio=None))
        fit(eager_model(LSGD(1e-3, sigma=1e-6)), LangevinMonitor(warn_ratio=5.0))
        fit(eager_model(LAdam(1e-3, layers=0)), LangevinMonitor(warn_ratio=5.0))


def test_accumulated_gradients():
    """Two steps make one update: the window contains it, and the drift is that of one update."""
    rows = []
    for accumulation, batch in ((2, 4), (None, 8)):
        monitor = LangevinMonitor(warn_ratio=None)
        model = small_model(LAdam(1e-2, sigma=SIGMA, seed=0, gradient_accumulation_steps=accumulation))
        features, targets = examples(4, batch=4)
        model.fit(features, targets, batch_size=batch, epochs=2, shuffle=False, verbose=0, callbacks=[monitor])
        rows.append(monitor.history)
    for accumulated, whole in zip(*rows, strict=True):
        assert accumulated.layer == whole.layer
        assert dataclasses.astuple(accumulated)[2:] == pytest.approx(dataclasses.astuple(whole)[2:], rel=5e-3)


def test_mixed_float16_and_a_skipped_step():
    """Finds the inner optimizer. If a step overflows, the drift is NaN without a warning, and a number afterwards."""
    with policy("mixed_float16"):
        monitor = LangevinMonitor(warn_ratio=1e-12)
        model = small_model(LAdam(1e-3, sigma=1e-3))
        assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
        features, targets = examples(1)
        targets[:] = 1e4

        class Overflow(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                self.model.optimizer.dynamic_scale.assign(2.0**60 if epoch == 0 else 1.0)

        with pytest.warns(UserWarning, match="at the end of epoch 2"):
            model.fit(features, targets, epochs=2, verbose=0, callbacks=[monitor, Overflow()])
    skipped, made = (row for row in monitor.history if row.layer == ALL)
    assert np.isnan([skipped.drift_rms, skipped.noise_to_drift, skipped.gradient_norm]).all()
    assert skipped.distance == 0
    assert made.drift_rms == pytest.approx(1e-3, rel=0.2)  # Adam's first step


def test_data_of_unknown_length():
    """The first epoch is measured as one execution; after it the length is known."""

    def batches():
        features, targets = examples(STEPS)
        for i in range(STEPS):
            yield features[4 * i : 4 * i + 4], targets[4 * i : 4 * i + 4]

    monitor, known = LangevinMonitor(warn_ratio=None), LangevinMonitor(warn_ratio=None)
    model = small_model(LAdam(1e-3, sigma=1e-3, seed=0))
    other = small_model(LAdam(1e-3, sigma=1e-3, seed=0))
    fit(other, known, epochs=2, steps=STEPS)
    for epoch in range(2):
        model.fit(batches(), epochs=epoch + 1, initial_epoch=epoch, verbose=0, callbacks=[monitor])
    # On TensorFlow Keras advances the optimizer's counter once more when the data end, so Adam's t differs by one.
    tolerance = 0.1 if BACKEND == "tensorflow" else 1e-2
    for unknown, row in zip(monitor.history, known.history, strict=True):
        assert unknown.distance == pytest.approx(row.distance, rel=tolerance)
        assert unknown.drift_rms == pytest.approx(row.drift_rms, rel=tolerance)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frequency": 0}, r"`frequency` must be an int >= 1\. Received: frequency=0\. "),
        ({"warn_ratio": -1.0}, r"Received: warn_ratio=-1.0\. Pass one"),
        ({"csv": "no/such/folder/monitor.csv"}, r"a folder that exists\. Received: .*\. Make "),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        LangevinMonitor(**arguments)


def test_it_is_serializable(tmp_path):
    monitor = LangevinMonitor(frequency=3, csv=tmp_path / "monitor.csv", warn_ratio=7.0, layer_logs=True)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(monitor))
    assert again.get_config() == monitor.get_config()
    assert again.get_config()["csv"] == str(tmp_path / "monitor.csv")


# --- other changes during training -----------------------------------------------------------------------------------


def two_heads(optimizer, **arguments):
    """Returns a model with a head, named `all`, that the loss does not reach."""
    inputs = keras.Input((4,))
    trunk = keras.layers.Dense(8, name="trunk")(inputs)
    outputs = [keras.layers.Dense(2, name="used")(trunk), keras.layers.Dense(2, name="all")(trunk)]
    model = keras.Model(inputs, outputs)
    model.compile(optimizer=optimizer, loss=["mse", None], **arguments)
    return model


@pytest.mark.parametrize("case", of_each_kind())
@pytest.mark.parametrize("steps_per_execution", EXECUTIONS)
def test_weights_without_a_gradient_do_nothing(case, steps_per_execution):
    model = two_heads(case.make(sigma=0.01, seed=0, weight_decay=0.0), steps_per_execution=steps_per_execution)
    monitor = LangevinMonitor(warn_ratio=None)
    fit(model, monitor)
    whole, _, used, unused = monitor.history
    assert (unused.layer, unused.sigma) == ("all (2)", 0)
    numbers = [getattr(unused, name) for name in ("noise_rms", "drift_rms", "distance", "gradient_norm")]
    np.testing.assert_allclose(numbers, 0, atol=1e-9)
    assert min(used.noise_rms, used.drift_rms, used.distance, used.gradient_norm) > 0
    layers = monitor.history[1:3]
    assert whole.gradient_norm == pytest.approx(np.hypot(*(row.gradient_norm for row in layers)))
    sizes = [40, 18]
    noise = np.sqrt(np.dot(sizes, [row.noise_rms**2 for row in layers]) / sum(sizes))
    assert whole.noise_rms == pytest.approx(noise)


@pytest.mark.skipif(BACKEND != "torch", reason="on other backends a compiled step ignores the change")
def test_a_layer_that_is_frozen_between_fits():
    model = small_model(LAdam(1e-3, sigma=0.01, seed=0))
    monitor = LangevinMonitor(warn_ratio=None)
    fit(model, monitor)
    model.get_layer("second").trainable = False
    before = model.get_layer("second").get_weights()
    fit(model, monitor)
    assert (model.get_layer("second").get_weights()[0] == before[0]).all()
    row = monitor.history[-2]
    assert (row.layer, row.sigma, row.noise_rms, row.drift_rms, row.gradient_norm) == ("second", 0, 0, 0, 0)


class Meddler(keras.callbacks.Callback):
    """Changes everything it can at an epoch's end and restores it later; sets the learning rate at a batch's start."""

    def on_train_batch_begin(self, batch, logs=None):
        self.model.optimizer.learning_rate = 0.02

    def on_train_batch_end(self, batch, logs=None):
        self.model.optimizer.learning_rate = 0.3

    def on_epoch_begin(self, epoch, logs=None):
        if epoch:
            self.model.set_weights(self.kept)
            self.model.optimizer.sigma, self.model.optimizer.seed = 0.01, 0

    def on_epoch_end(self, epoch, logs=None):
        self.kept = self.model.get_weights()
        self.model.set_weights([0 * each for each in self.kept])
        self.model.optimizer.sigma, self.model.optimizer.seed = 7.0, 9


def history_of(order, *others, fit_arguments=None, **arguments):
    """Returns the history of a monitor that is the first or the last callback."""
    monitor = LangevinMonitor(warn_ratio=None)
    model = small_model(LSGD(0.02, sigma=0.01, seed=0, **arguments))
    callbacks = [monitor, *others] if order == "first" else [*others, monitor]
    fit(model, *callbacks, epochs=3, **fit_arguments or {})
    return monitor.history


def assert_alike(history, expected, tolerance):
    for ours, theirs in zip(history, expected, strict=True):
        assert dataclasses.astuple(ours)[2:] == pytest.approx(dataclasses.astuple(theirs)[2:], rel=tolerance)


@pytest.mark.parametrize("order", ["first", "last"])
@pytest.mark.parametrize("validated", [False, True])
def test_swapped_averages_are_not_measured(order, validated):
    arguments = {"use_ema": True, "ema_momentum": 0.9}
    validation = {"validation_data": examples(1)} if validated else {}
    swap = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
    seen = history_of(order, swap, fit_arguments=validation, **arguments)
    assert_alike(seen, history_of(order, **arguments), 1e-4)


@pytest.mark.parametrize("order", ["first", "last"])
def test_what_other_callbacks_set_is_that_of_the_step(order):
    assert_alike(history_of(order, Meddler()), history_of(order), 1e-3)


def test_a_layer_that_is_called_all_leaves_the_model_its_numbers():
    model, monitor = two_heads(LSGD(0.01, sigma=0.01, seed=0)), LangevinMonitor(layer_logs=True, warn_ratio=None)
    logs = fit(model, monitor).history
    assert logs["distance"] == [monitor.history[0].distance]
    assert logs["distance/all (2)"] == [0.0]
    assert [row.layer for row in monitor.history] == ["all", "trunk", "used", "all (2)"]


def test_layers_of_one_path_are_told_apart():
    blocks = [keras.Sequential([keras.layers.Dense(units, name="fc")], name="block") for units in (8, 2)]
    x = inputs = keras.Input((4,))
    for block in blocks:
        x = block(x)
        block.name = f"block_{x.shape[-1]}"
    model = keras.Model(inputs, x)
    model.compile(optimizer=LSGD(0.01, sigma=0.01), loss="mse")
    monitor = LangevinMonitor(layer_logs=True, warn_ratio=None)
    logs = fit(model, monitor).history
    _, first, second = monitor.history
    assert second.layer == f"{first.layer} (2)"
    assert {path: values.size for path, values in layer_noise(model.optimizer).items()} == {
        first.layer: 40,
        second.layer: 18,
    }
    assert logs[f"distance/{first.layer}"] == [first.distance] != [second.distance] == logs[f"distance/{second.layer}"]


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="this Keras has no MultiOptimizer")
def test_parts_of_a_multi_optimizer():
    """Each layer's numbers are those of its own optimizer; layers of optimizers without noise are left out."""
    parts = keras.optimizers.OptimizerMap(
        keras.optimizers.SGD(0.01),
        {"first/.*": LSGD(0.01, sigma=0.2, seed=0), "second/.*": LAdam(0.001, sigma=0.01, seed=0)},
    )
    monitor = LangevinMonitor(warn_ratio=None)
    model = small_model(keras.optimizers.MultiOptimizer(parts))
    before = weights_of(model)
    fit(model, monitor, steps=1)
    whole, first, second = monitor.history
    assert (first.layer, second.layer) == ("first", "second")
    assert first.sigma == pytest.approx(0.2)
    assert second.sigma == pytest.approx(0.01)
    assert np.isnan(whole.sigma)
    moved = [after - start for after, start in zip(weights_of(model), before, strict=True)]
    assert first.distance == pytest.approx(np.sqrt(sum(np.sum(np.square(each)) for each in moved[:2])), rel=1e-4)
    assert first.noise_rms == pytest.approx(0.2 * 0.1)
    features, targets = examples(1)
    expected = np.concatenate([np.ravel(each) for each in gradients(before, features, targets)[:2]])
    assert first.gradient_norm == pytest.approx(np.sqrt(np.sum(np.square(expected))), rel=1e-3)
