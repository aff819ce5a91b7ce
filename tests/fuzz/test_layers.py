"""`layers` against a reference that follows the documentation word for word, over random nested models."""

import re
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from hypothesis import strategies as st

from keras_langevin import LSGD
from keras_langevin.optimizers.selection import LayerSelection, group_by_layer
from tests.fuzz.many import ANYTHING, check, fuzzed, refused

NAMES = ("a", "b", "dense", "dense_1", "dense_10", "block.1", "conv-2")
EXPRESSIONS = ("dense.*", ".*", "(a|b)", "net/.*", "dense_\\d+", "[", "a$", "", "/", "net", "net/a", "a/b", "nosuch")


def trees():
    """A strategy for models as nested lists: a name and the number of weights, or a name and the parts."""
    leaf = st.tuples(st.sampled_from(NAMES), st.integers(1, 3))
    return st.lists(
        st.recursive(
            leaf, lambda inner: st.tuples(st.sampled_from(NAMES), st.lists(inner, min_size=1, max_size=4)), max_leaves=8
        ),
        min_size=1,
        max_size=6,
    )


def variables_of(tree, above="net"):
    """Returns what an optimizer sees of the model: variables with paths, in the model's order."""
    found = []
    for name, inside in tree:
        if isinstance(inside, int):
            found += [SimpleNamespace(path=f"{above}/{name}/w{number}", name=f"w{number}") for number in range(inside)]
        else:
            found += variables_of(inside, f"{above}/{name}")
    return found


def layers_of(variables):
    """The reference: consecutive variables of one owner are a layer; a repeated path starts another."""
    found = []
    for variable in variables:
        owner = variable.path[: variable.path.rindex("/")]
        if not found or found[-1][0] != owner or variable.path in found[-1][1]:
            found.append((owner, []))
        found[-1][1].append(variable.path)
    return [owner for owner, _ in found]


def chosen(layers, paths):
    """The reference: the positions of the layers that `layers` chooses, or `None` if it must be refused."""
    count = len(paths)
    if layers is None:
        return list(range(count))
    if isinstance(layers, bool):
        return None
    if isinstance(layers, int):
        return list(range(layers)) if 0 <= layers <= count else None
    if isinstance(layers, float):
        if not 0 <= layers <= 1:
            return None
        number = int(layers * count + 0.5)
        return list(range(max(number, 1) if layers > 0 else 0))
    if isinstance(layers, str):
        return named(layers, paths)
    if isinstance(layers, (list, tuple)):
        places = set()
        for entry in layers:
            if isinstance(entry, bool) or not isinstance(entry, int | str):
                return None
            if isinstance(entry, int):
                if not -count <= entry < count:
                    return None
                places.add(entry if entry >= 0 else entry + count)
            else:
                found = named(entry, paths)
                if found is None:
                    return None
                places.update(found)
        return sorted(places)
    return None


def named(name, paths):
    parts, split = name.split("/"), [path.split("/") for path in paths]
    found = [place for place, path in enumerate(split) if path[: len(parts)] == parts]
    if not found:
        found = [
            place
            for place, path in enumerate(split)
            if any(path[start : start + len(parts)] == parts for start in range(len(path)))
        ]
    if not found:
        try:
            found = [
                place
                for place, path in enumerate(split)
                if re.fullmatch(name, "/".join(path)) or re.fullmatch(name, path[-1])
            ]
        except re.error:
            return None
    return found or None


def arguments():
    name = st.one_of(st.sampled_from(NAMES + EXPRESSIONS), st.lists(st.sampled_from(NAMES), max_size=3).map("/".join))
    return st.one_of(
        st.none(),
        st.integers(-2, 12),
        st.floats(-0.2, 1.2),
        name,
        st.lists(st.one_of(name, st.integers(-12, 12)), max_size=4),
        ANYTHING,
    )


@fuzzed
def test_a_selection_is_what_the_documentation_says(cases):
    seen = {"chosen": 0, "refused": 0}

    def agrees(tree, layers):
        variables = variables_of(tree)
        groups = group_by_layer(variables)
        paths = layers_of(variables)
        assert [group.path for group in groups] == paths
        assert sorted(index for group in groups for index in group.indices) == list(range(len(variables)))
        expected = chosen(layers, paths)
        try:
            found = [groups.index(group) for group in LayerSelection(layers).choose(groups, variables)]
        except ValueError as error:
            assert expected is None and refused(error), (expected, error)
            seen["refused"] += 1
        else:
            assert found == expected
            seen["chosen"] += 1

    check(cases, agrees, trees(), arguments())
    assert min(seen.values()) > cases // 10, seen


def test_a_fraction_grows_with_its_number():
    """Of n layers the fraction k/n chooses k, and a larger fraction never chooses fewer."""
    for count in range(1, 60):
        groups = group_by_layer(variables_of([(f"l{i}", 1) for i in range(count)]))
        numbers = [len(LayerSelection(k / count).choose(groups, [])) for k in range(count + 1)]
        assert numbers == list(range(count + 1))
        fine = [len(LayerSelection(float(f)).choose(groups, [])) for f in np.linspace(0, 1, 301)]
        assert fine == sorted(fine) and fine[0] == 0 and fine[-1] == count


@pytest.mark.slow
def test_real_models_agree():
    """Forty nested Keras models agree with the same reference."""

    def build(tree, name):
        model = keras.Sequential([keras.Input((2,))], name=name)
        for number, (part, inside) in enumerate(tree):
            unique = f"{part}_{number}".replace(".", "_")
            model.add(keras.layers.Dense(2, name=unique) if isinstance(inside, int) else build(inside, unique))
        return model

    def agrees(tree, layers):
        model = build(tree, "net")
        paths = layers_of(model.trainable_variables)
        expected = chosen(layers, paths)
        try:
            optimizer = LSGD(layers=layers)
            optimizer.build(model.trainable_variables)
        except ValueError as error:
            assert expected is None and refused(error)
        else:
            assert list(optimizer.noisy_layers) == [paths[place] for place in expected]

    check(40, agrees, trees(), arguments())
