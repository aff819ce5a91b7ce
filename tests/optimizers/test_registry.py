"""Optimizers by name."""

import keras
import pytest

from keras_langevin import LAdam, optimizers
from keras_langevin.optimizers.registry import PARENTS, REGISTRY
from tests.optimizers.cases import CASES


def test_every_optimizer_is_in_the_registry_and_in_the_contract():
    assert {case.langevin: case.parent for case in CASES} == PARENTS
    assert set(REGISTRY) == {cls.__name__.lower() for pair in PARENTS.items() for cls in pair}


@pytest.mark.parametrize("name", ["ladam", "LAdam", "L-Adam", "l-adam"])
def test_get_by_name(name):
    optimizer = optimizers.get(name, learning_rate=0.5, sigma=0.25, layers=0.3, seed=1)
    assert type(optimizer) is LAdam
    assert (float(optimizer.sigma), optimizer.layers, optimizer.seed) == (0.25, 0.3, 1)


def test_get_a_parent():
    assert isinstance(optimizers.get("Adam"), keras.optimizers.Adam)
    assert not isinstance(optimizers.get("Adam"), optimizers.Langevin)


def test_get_from_a_configuration_or_an_instance():
    optimizer = LAdam(sigma=0.25, seed=1)
    again = optimizers.get(keras.optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()
    assert optimizers.get(optimizer) is optimizer


def test_keras_finds_the_class_by_its_registered_name():
    assert keras.saving.get_registered_object("keras_langevin>LAdam") is LAdam


def test_an_unknown_name_has_a_suggestion():
    with pytest.raises(ValueError, match=r"'ladamm'.*ladam"):
        optimizers.get("ladamm")


def test_arguments_go_with_a_name_only():
    with pytest.raises(ValueError, match="with an optimizer's name only"):
        optimizers.get(LAdam(), sigma=1.0)


def test_something_else_is_refused():
    with pytest.raises(ValueError, match="Received: identifier=3 of type int"):
        optimizers.get(3)
