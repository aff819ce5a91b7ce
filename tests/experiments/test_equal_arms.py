"""An optimizer with noise and the one that it is compared with differ only in the noise."""

import keras
import numpy as np
import pytest

from keras_langevin import optimizers
from keras_langevin.experiments import paper, runner
from keras_langevin.experiments.config import Comparison, Sweep
from keras_langevin.experiments.controls import optimizer
from keras_langevin.experiments.engines import Local
from keras_langevin.experiments.optimizer_specs import FAMILIES, LANGEVIN, OptimizerSpec
from keras_langevin.experiments.overhead import CASES, FitCase, make_optimizer
from keras_langevin.experiments.store import Store
from keras_langevin.optimizers import without_noise
from keras_langevin.optimizers.registry import PARENTS, REGISTRY
from tests.optimizers.cases import COMMON_OPTIONS, case_name
from tests.optimizers.cases import CONTRACT_CASES as OPTIMIZERS
from tests.quick import JIT

# The arguments of the noise, and SGHMC's name for the momentum.
OF_THE_NOISE = {"name", "sigma", "layers", "seed", "noise", "is_gated", "gamma_correction", "friction"}
# Excludes those whose parent the installed Keras does not have.
SPECS = [spec for spec, name in LANGEVIN.items() if (FAMILIES[name].optimizer or spec) in REGISTRY]
REGISTERED = [(spec, OptimizerSpec(spec).parent) for spec in SPECS]
# All arms that the presets compare, at any scale.
IN_PRESETS = {
    (spec, OptimizerSpec(spec).parent, comparison.epsilon)
    for name in paper.PRESETS
    for scale in paper.SCALES
    for comparison in paper.sweep(name, scale).comparisons
    for spec in comparison.optimizers
    if OptimizerSpec(spec).is_noisy
}


def assert_equal_but_for_noise(noisy, silent):
    """Checks that the noisy optimizer has every argument of the other, as argument or attribute, with equal value."""
    config = {"epsilon_inside_sqrt": True} if isinstance(noisy, optimizers.LRMSprop) else {}  # Keras's only form
    config |= silent.get_config()
    assert set(noisy.get_config()) - set(config) <= OF_THE_NOISE
    for name in set(config) - OF_THE_NOISE:
        mine, theirs = getattr(noisy, name), config[name]
        if name == "learning_rate":
            mine = float(keras.ops.convert_to_numpy(mine))
        assert mine == theirs, f"{type(noisy).__name__} and {type(silent).__name__} differ in {name}"


@pytest.mark.parametrize(
    ("spec", "parent", "epsilon"),
    [*((*pair, epsilon) for pair in REGISTERED for epsilon in (None, 1e-4)), *sorted(IN_PRESETS, key=str)],
)
def test_two_arms_differ_in_the_noise_alone(spec, parent, epsilon):
    noisy, silent = (
        optimizer(arm, **arm.arguments(epsilon=epsilon)) for arm in (OptimizerSpec(spec), OptimizerSpec(parent))
    )
    assert_equal_but_for_noise(noisy, silent)
    silenced = optimizer(OptimizerSpec(parent), **OptimizerSpec(parent).arguments(epsilon=epsilon))
    assert silenced.get_config().get("layers", 0) == 0, "it has noise"
    if FAMILIES[OptimizerSpec(spec).family].epsilon:
        assert silent.epsilon == (epsilon or 1e-6)


def test_every_optimizer_of_the_registry_can_be_compared():
    classes = {optimizers.registry.lookup(family.optimizer or spec) for spec, family in _langevin_families()}
    samplers = {optimizers.BAOAB, optimizers.SGNHT}  # samplers with SGHMC's parent, not for training
    assert classes == set(PARENTS) - samplers
    for spec, family in _langevin_families():
        made = optimizer(OptimizerSpec(spec))
        assert getattr(made, "epsilon", None) == family.epsilon, "the table must have the class's default"


def _langevin_families():
    return [(spec, FAMILIES[LANGEVIN[spec]]) for spec in SPECS]


@pytest.mark.parametrize("case", OPTIMIZERS, ids=case_name)
def test_without_noise_keeps_every_argument(case):
    for arguments in ({}, *COMMON_OPTIONS.values(), *case.options.values()):
        noisy = case.make(**arguments, sigma=0.5, seed=1)
        silent = without_noise(noisy)
        expected = case.make_parent(**arguments)
        for name in set(expected.get_config()) - {"name"}:
            assert silent.get_config()[name] == expected.get_config()[name]
        assert getattr(silent, "layers", 0) == 0
        assert not isinstance(silent, optimizers.Langevin) or case.name


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
def test_without_noise_takes_functions_as_they_are():
    noisy = optimizers.LAdam(lambda: 0.25, sigma=lambda: 0.1, layers=lambda path: True)
    assert float(without_noise(noisy).learning_rate) == 0.25
    outside = optimizers.LRMSprop(0.5, epsilon_inside_sqrt=False, layers=lambda path: True)
    assert without_noise(outside).layers == 0


@pytest.mark.parametrize("name", CASES)
def test_the_benchmark_has_equal_arms(name):
    case = CASES[name]
    arguments = case.langevin if isinstance(case, FitCase) else {}
    assert_equal_but_for_noise(make_optimizer("langevin", **arguments), make_optimizer("parent"))


SMALL = {"model": "dense-2", "epochs": 3, "batch_size": 64, "seeds": 1, "limit": 200, "jit": JIT}


def train(comparison, folder):
    store = Store(folder, comparison)
    job = runner.Job(comparison, runner.prepare(comparison), store)
    runner.run([job], Local(), save_weights=True)
    return store


NUMBERS = ("status", "test_accuracy", "test_loss", "curves")


# One of each kind; `test_without_noise_it_is_the_parent` checks the step of all of them at every change.
USUAL = {"ladam", "lrmsprop-eps-outside", "sghmc"}


@pytest.mark.parametrize("spec", [pytest.param(s, marks=[] if s in USUAL else pytest.mark.slow) for s in SPECS])
def test_no_layers_is_the_optimizer_without_noise_bit_for_bit(spec, tmp_path):
    """Records, losses and weights are equal, also on PyTorch, where both use the same fused steps for all variables."""
    pair = OptimizerSpec(spec).parent, f"{spec}@0"
    comparison = Comparison(optimizers=(*pair, spec), **SMALL)
    store = train(comparison, tmp_path)
    records, weights = zip(*(store.read(arm, 0) for arm in comparison.arms), strict=True)
    silent, without_layers, noisy = ({name: record[name] for name in NUMBERS} for record in records)
    assert silent == without_layers
    assert silent != noisy
    for first, second in zip(*map(_weights, weights[:2]), strict=True):
        np.testing.assert_array_equal(first, second)
    configs = [record["optimizer_config"] for record in records]
    assert configs[2]["sigma"] == records[2]["arguments"]["sigma"], "the record must have the initial sigma"
    for config, record in zip(configs, records, strict=True):
        assert config["learning_rate"] == record["arguments"]["learning_rate"]
        assert (
            config.get("epsilon") == record["arguments"].get("epsilon") == FAMILIES[OptimizerSpec(spec).family].epsilon
        )


def _weights(content: bytes) -> list[np.ndarray]:
    """Returns the layers' weights in a Keras weights file, without the optimizer's variables."""
    import io

    import h5py

    found = []
    with h5py.File(io.BytesIO(content)) as file:
        file["layers"].visititems(lambda _, item: found.append(item[()]) if hasattr(item, "shape") else None)
    assert found
    return found


@pytest.mark.ci
def test_a_grid_over_sigma_trains_what_has_none_once(tmp_path, monkeypatch):
    trained = []

    class Counting(Local):
        def run(self, tasks, jobs, ledger):
            trained.extend((task.comparison.sigma, task.arm.spec, task.seed) for task in tasks)
            super().run(tasks, jobs, ledger)

    settings = SMALL | {"epochs": 1, "sigma": [1e-3, 1e-2, 1e-1], "optimizers": ["sgd", "lsgd"]}

    def jobs(names=(0, 1, 2)):
        comparisons = [Sweep(settings).comparisons[number] for number in names]
        data = runner.prepare(comparisons[0])
        return [runner.Job(c, data, Store(tmp_path / f"{c.sigma}", c)) for c in comparisons]

    runner.run(jobs((1,)), Local(), save_weights=True)  # one value was trained before
    runner.run(jobs(), Counting(), save_weights=True)
    assert trained == [(1e-3, "lsgd", 0), (1e-1, "lsgd", 0)]
    found = [job.store.read(OptimizerSpec("sgd"), 0) for job in jobs()]
    assert found[0] == found[1] == found[2] and found[0][1]
    assert len({job.store.read(OptimizerSpec("lsgd"), 0)[0]["test_loss"] for job in jobs()}) == 3
    trained.clear()
    runner.run(jobs(), Counting())
    assert trained == []


@pytest.mark.ci
def test_a_failed_run_of_a_grid_is_on_record_everywhere_and_tried_again_once(tmp_path):
    settings = SMALL | {"epochs": 1, "sigma": [1e-3, 1e-2], "optimizers": ["sgd", "lsgd"]}
    comparisons = Sweep(settings).comparisons
    data = runner.prepare(comparisons[0])
    jobs = [runner.Job(c, data, Store(tmp_path / f"{c.sigma}", c)) for c in comparisons]

    class Failing:
        def run(self, tasks, jobs, ledger):
            assert len(tasks) == 3
            for task in tasks:
                ledger.fail(task, "OSError: no luck")

    runner.run(jobs, Failing())
    assert [record["status"] for job in jobs for record in job.store.records()] == ["failed"] * 4
    runner.run(jobs, Failing())
    runner.run(jobs, Local())
    assert [record["status"] for job in jobs for record in job.store.records()] == ["finished"] * 4


def test_epsilon_is_a_setting_of_all_arms_and_may_have_several_values():
    sweep = Sweep({"optimizers": ["adam", "ladam", "sgd"], "epsilon": [1e-7, 1e-3]})
    found = [[c.arguments(arm).get("epsilon") for arm in c.arms] for c in sweep.comparisons]
    assert found == [[1e-7, 1e-7, None], [1e-3, 1e-3, None]]
    for wrong in (0, -1.0, float("nan"), "1e-7", True):
        with pytest.raises(ValueError, match="`epsilon` must be a float > 0"):
            Comparison(epsilon=wrong)
