import dataclasses
import re

import pytest

from keras_langevin import models
from keras_langevin.experiments.config import SETTINGS, Comparison, OptimizerSpec
from keras_langevin.experiments.optimizer_specs import FAMILIES, MODIFIERS
from keras_langevin.models.registry import SINGLES


@pytest.mark.parametrize(
    ("spec", "optimizer", "layers", "label"),
    [
        ("adam", "adam", None, "Adam"),
        ("LAdam", "ladam", None, "L-Adam"),
        ("L-Adam", "ladam", None, "L-Adam"),
        ("ladam@0.3", "ladam", 0.3, "30%-Layer L-Adam"),
        ("ladam@.5", "ladam", 0.5, "50%-Layer L-Adam"),
        ("ladam@1.0", "ladam", 1.0, "100%-Layer L-Adam"),
        ("lsgd@3", "lsgd", 3, "L-SGD on the first 3"),
        ("lrmsprop@dense_[12]", "lrmsprop", "dense_[12]", "L-RMSprop on dense_[12]"),
        ("ladam@-2", "ladam", [-2, -1], "L-Adam on the last 2"),
        ("ladam@[0,7,-1]", "ladam", [0, 7, -1], "L-Adam on layers 0, 7, -1"),
        ("clip-ladam@0.3", "clipladam", 0.3, "30%-Layer L-Adam, clipped"),
        ("warmup-adam", "warmupadam", None, "Adam, warm-up"),
        ("isotropic-adam@2", "isotropicadam", 2, "Adam + isotropic noise on the first 2"),
        ("gradient-noise-sgd", "gradientnoisesgd", None, "SGD + gradient noise"),
    ],
)
def test_an_arm_is_a_name_and_layers(spec, optimizer, layers, label):
    arm = OptimizerSpec(spec)
    assert (arm.optimizer, arm.layers, arm.label) == (optimizer, layers, label)
    assert type(arm.layers) is type(layers)


@pytest.mark.parametrize("spec", ["LAdam@0.3", "L-Adam@0.3", "l-adam@0.3", "ladam@0.3"])
def test_an_arm_has_one_spelling(spec):
    """Its runs are stored under this spelling."""
    assert Comparison(optimizers=(spec,)).optimizers == ("ladam@0.3",)
    assert OptimizerSpec(f"first-35-{spec}").spec == "first-35-ladam@0.3"


@pytest.mark.parametrize(
    ("spec", "number", "label"),
    [
        ("first-35-ladam", 35, "L-Adam for the first 35 updates"),
        ("kernels-5-ladam@0.3", 5, "30%-Layer L-Adam on kernels for the first 5 updates"),
        ("biases-ladam", None, "L-Adam on biases"),
        ("clip-5-ladam", None, None),
    ],
)
def test_a_number_before_an_optimizer_is_that_of_its_first_updates(spec, number, label):
    arm = OptimizerSpec(spec)
    assert arm.noisy_updates == number
    if label is None:
        assert arm.unmodified == "5ladam"
    else:
        assert (arm.label, arm.unmodified, arm.parent) == (label, "ladam", "adam")


def test_the_help_names_every_model_and_optimizer_and_what_may_stand_before_a_name():
    text = SETTINGS["optimizers"].text.replace("-", "")
    assert all(re.search(rf"\b{name}", text) for name in {*MODIFIERS, *FAMILIES})
    names = [*(f"{family}-{depth}" for family, (_, depth) in models.FAMILIES.items()), *SINGLES]
    assert all(re.search(rf"(?<!-)\b{name}[,;]", SETTINGS["model"].text) for name in names)


@pytest.mark.parametrize(
    ("spec", "parent", "is_noisy"),
    [
        ("adam", "adam", False),
        ("ladam@0.3", "adam", True),
        ("clip-adam", "clipadam", False),
        ("clip-ladam", "clipadam", True),
        ("isotropic-rmsprop", "rmsprop", True),
        ("gradient-noise-adam", "adam", True),
    ],
)
def test_an_arm_is_compared_with_what_has_no_noise_and_the_same_remedy(spec, parent, is_noisy):
    arm = OptimizerSpec(spec)
    assert (arm.parent, arm.is_noisy) == (parent, is_noisy)
    assert (
        OptimizerSpec(arm.parent).label == {"adam": "Adam", "clipadam": "Adam, clipped", "rmsprop": "RMSprop"}[parent]
    )


def test_defaults_are_the_main_job():
    comparison = Comparison()
    assert (comparison.model, comparison.dataset) == ("dense-30", "digits")
    assert (comparison.batch_size, comparison.epochs, comparison.drop_epoch) == (32, 60, 40)
    assert [comparison.arguments(arm) for arm in comparison.arms] == [
        {"learning_rate": 1e-3, "epsilon": 1e-6},
        {"learning_rate": 1e-3, "epsilon": 1e-6, "sigma": 1e-3, "layers": None},
        {"learning_rate": 1e-3, "epsilon": 1e-6, "sigma": 1e-3, "layers": 0.3},
    ]


def test_given_rates_are_for_all_optimizers():
    comparison = Comparison(optimizers=("adadelta", "ladadelta"), learning_rate=0.5, sigma=0.25)
    assert comparison.arguments(comparison.arms[0]) == {"learning_rate": 0.5, "epsilon": 1e-6}
    assert comparison.arguments(comparison.arms[1]) == {
        "learning_rate": 0.5,
        "epsilon": 1e-6,
        "sigma": 0.25,
        "layers": None,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"epochs": 1.5},
        {"batch_size": -1},
        {"seeds": 0},
        {"seeds": 100_001},
        {"seeds": 10**5000},
        {"epochs": 2**31},
        {"tuning_trials": 10**9},
        {"learning_rate": 1e39},
        {"learning_rate": 10**400},
        {"sigma": 1e39},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"sigma": -1.0},
        {"sigma": float("inf")},
        {"validation_fraction": 1.0},
        {"limit": 1},
        {"limit": 10.5},
        {"augment": "flip"},
        {"augment": "crop-flip-"},
        {"augment": "crop-flip-4.5"},
        {"precision": "bf16"},
        {"precision": None},
        {"jit": "no"},
        {"jit": True},
        {"tuning_trials": -1},
        {"tuning_seeds": 0},
        {"tuning_epochs": 0},
        {"tuning_trials": 4, "sigma": 0.0},
        {"optimizers": ()},
        {"optimizers": ("adam", "Adam")},
        {"optimizers": ("adam@0.3",)},
        {"optimizers": ("ladam@",)},
    ],
)
def test_what_is_out_of_range_is_an_error(wrong):
    with pytest.raises(ValueError, match="Received"):
        Comparison(**wrong)


def test_equal_configurations_share_a_folder_and_others_do_not():
    assert Comparison().folder_name() == Comparison(epochs=60, batch_size=32).folder_name()
    assert Comparison().folder_name() != Comparison().folder_name(backend="jax") != Comparison().folder_name()
    others = (
        {}, {"sigma": 0.1}, {"limit": 99}, {"augment": "crop-flip"}, {"jit": "on"},
        {"precision": "mixed_bfloat16"},
    )  # fmt: skip
    assert len({Comparison(**one).folder_name() for one in others}) == len(others)


def test_more_seeds_have_the_same_folder():
    assert Comparison(seeds=10).folder_name() == Comparison(seeds=3).folder_name()


@pytest.mark.parametrize(
    ("settings", "augment", "padding"),
    [
        ({}, "none", None),
        ({"dataset": "mnist"}, "none", None),
        ({"dataset": "cifar10"}, "crop-flip", 2),
        ({"dataset": "cifar100"}, "crop-flip", 2),
        ({"dataset": "cifar10", "augment": "none"}, "none", None),
        ({"dataset": "mnist", "augment": "crop-flip-4"}, "crop-flip-4", 4),
        ({"augment": "crop-flip-0"}, "crop-flip-0", 0),
    ],
)
def test_colour_images_are_augmented_unless_told_otherwise(settings, augment, padding):
    comparison = Comparison(**settings)
    assert (comparison.augment, comparison.padding) == (augment, padding)


def test_a_dataset_with_a_configuration_stays_one_folder():
    assert Comparison(dataset="eurosat/rgb").folder_name().startswith("dense-30-eurosat_rgb-")


def test_a_comparison_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Comparison().seeds = 5
