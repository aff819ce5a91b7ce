"""With the recipes of `docs/interruptions.md`, as printed there, fits that are killed at random moments and restarted
end with the weights of an uninterrupted fit."""

import json
from collections import Counter

import keras
import numpy as np
import pytest

from tests.reliability.children import run
from tests.reliability.restarts import (
    BATCHES,
    FEW,
    assert_equal_states,
    blocks,
    data,
    final,
    fit,
    make_model,
    recipes,
    state,
    stop,
)

KILLED = ["backup", "double", "models", "weights", "whole"]
KILLS = 6  # for each way: 30 in all


def kill(folder, seed, **ways) -> dict[str, list[str]]:
    """Compares all trainings with the one that was not killed, and returns what each kill hit, by way."""
    hits = json.loads(run("interrupted", folder, seed, *(f"{way}={number}" for way, number in ways.items())))
    assert {way: len(hit) for way, hit in hits.items()} == ways
    for path in folder.iterdir():
        assert_equal_states(final(path), final(folder / "none-0"))
    return hits


@pytest.mark.slow
@pytest.mark.parametrize("way", KILLED)
def test_killed_fits_end_with_the_weights_of_one_that_was_not(way, tmp_path):
    hits = kill(tmp_path, KILLED.index(way), **{way: KILLS})
    # during the steps, during the write, or between the write and the next epoch's first update
    print(way, dict(Counter(hits[way])))


def dropout_model():
    return make_model(keras.layers.Dropout(0.5, seed=4))


@pytest.mark.slow
def test_the_masks_of_dropout_are_kept_by_backup_and_not_by_keras(tmp_path):
    undisturbed = dropout_model()
    fit(undisturbed, [], epochs=FEW)
    equal = []
    for keeper in (recipes()["Backup"](tmp_path / "state.npz"), keras.callbacks.BackupAndRestore(str(tmp_path / "b"))):
        stop(dropout_model(), [keeper], 2)
        model = dropout_model()
        fit(model, [keeper], epochs=FEW, initial_epoch=getattr(keeper, "epoch", 0))
        pairs = zip(model.get_weights(), undisturbed.get_weights(), strict=True)
        equal.append(all(np.array_equal(*pair) for pair in pairs))
    assert equal == [True, False]


@pytest.mark.slow
def test_the_programs_of_the_page_run_and_go_on(tmp_path, monkeypatch):
    """Each is run, and started again after its end: then it trains nothing more, or the same again."""
    monkeypatch.chdir(tmp_path)
    x, y = data()
    names = recipes() | {"keras": keras, "make_model": make_model, "x": x, "y": y}
    programs = [code for code in blocks() if "fit(" in code and "class" not in code]
    assert len(programs) == 3 and len(x) // 16 == BATCHES
    states = []
    for code in programs:
        for _ in range(2):
            exec(code, names)
            states.append(state(names["model"])[: len(make_model().variables)])
    for ours in states[1:]:
        assert_equal_states(ours, states[0])
