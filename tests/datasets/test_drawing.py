import numpy as np
import pytest

from keras_langevin.datasets.data import stratified

LABELS = np.random.default_rng(0).choice(7, size=1000, p=[0.4, 0.3, 0.15, 0.1, 0.03, 0.015, 0.005])


@pytest.mark.parametrize("size", [0, 1, 10, 333, 999, 1000])
def test_each_class_keeps_its_share(size):
    chosen = stratified(LABELS, size, seed=0)
    assert len(set(chosen)) == size and np.all(np.diff(chosen) > 0)
    drawn, expected = np.bincount(LABELS[chosen], minlength=7), np.bincount(LABELS) * size / 1000
    assert np.abs(drawn - expected).max() <= 1


def test_a_smaller_draw_is_part_of_a_larger_one():
    assert set(stratified(LABELS, 100, seed=0)) < set(stratified(LABELS, 300, seed=0))


def test_the_draw_is_a_function_of_the_seed():
    draws = [stratified(LABELS, 100, seed).tolist() for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


def test_equal_classes_are_drawn_equally():
    labels = np.arange(5000) % 10
    assert set(np.bincount(labels[stratified(labels, 200, seed=0)])) == {20}


def test_a_class_without_examples_is_no_trouble():
    assert len(stratified(np.array([0, 0, 2, 2]), 2, seed=0)) == 2
