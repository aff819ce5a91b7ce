"""The private names of Keras that we use: they are all in one place, and a Keras without one raises a clear error."""

import ast
import subprocess
import sys
from pathlib import Path

import keras
import pytest

import keras_langevin
from keras_langevin import cli, keras_internals
from tests.reliability.children import environment

PACKAGE = Path(keras_langevin.__file__).parent
# Names with an underscore that are public: methods of named tuples. PyTorch documents its `_foreach_...` functions.
OTHERS = {"_replace"}
BACKENDS = {"on_tensorflow.py", "on_jax.py", "on_torch.py"}


def private_names() -> dict[str, str]:
    """Returns names with an underscore that the package reads but does not define, each with a file that reads it."""
    defined, read = set(), {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                defined.add(node.name)
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                defined |= {target.id for target in targets if isinstance(target, ast.Name)}
            elif isinstance(node, ast.keyword) and node.arg in ("slots", "slots_before"):
                names = ast.literal_eval(node.value) if isinstance(node.value, ast.Tuple) else ()
                read |= dict.fromkeys((name for name in names if name.startswith("_")), path.name)
            elif isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
                defined.add(node.attr) if isinstance(node.ctx, ast.Store) else read.setdefault(node.attr, path.name)
    # Keras's methods that our classes override, and attributes of its objects that we set, on any backend
    overridden = listed() & defined
    return {name: file for name, file in read.items() if name not in defined - overridden}


def listed() -> set[str]:
    tables = keras_internals.NAMES, *keras_internals.NAMES_ON.values()
    return {name for table in tables for names in table.values() for name in names}


def test_every_private_name_that_is_read_is_listed_and_no_other():
    read = {name for name in private_names() if not name.startswith("_foreach_")} - OTHERS
    assert read == {*keras_internals.OPTIONAL, *(name for name in listed() if name.startswith("_"))}


# Imports that have no public name. `keras_internals` works without them if they are gone.
IMPORTED = {"keras_internals.py": {"keras.src.backend.common"}}


def test_nothing_else_is_imported_from_within_keras():
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            inner = {name for name in names if name.startswith("keras.src")}
            assert inner <= IMPORTED.get(path.name, set()), path


def test_the_installed_keras_has_all():
    assert keras_internals.missing() == []


@pytest.mark.parametrize("owner", sorted(keras_internals.NEW_PARENTS))
def test_a_newer_optimizer_of_another_form_is_left_out(owner, monkeypatch):
    monkeypatch.setitem(keras_internals.NAMES, owner, ("momentums_of_before",))
    assert not keras_internals.is_here(owner)
    keras_internals.check()


EVERY_RELEASE = [
    (owner, name) for owner, name in keras_internals.all_names() if owner not in keras_internals.NEW_PARENTS
]


@pytest.mark.parametrize(("owner", "name"), EVERY_RELEASE)
def test_a_keras_without_one_is_refused(owner, name, monkeypatch, capsys):
    """As if a release had renamed it. The error says what is missing, what was expected and what to install."""
    monkeypatch.setitem(keras_internals.NAMES, owner, (f"{name}_of_before",))
    with pytest.raises(ImportError) as error:
        keras_internals.check()
    for part in (f"{owner}.{name}_of_before", "expected", f"Received: Keras {keras.__version__}", "pip install"):
        assert part in str(error.value)
    assert cli.main(["bench", "--cases", "none"]) == 2
    shown = capsys.readouterr().err
    assert f"{name}_of_before" in shown and shown.count("\n") == 1


OF_ANOTHER_RELEASE = """
import keras
for base in keras.Optimizer.__mro__:
    if "_get_variable_index" in vars(base):
        base._index_of = base._get_variable_index
        del base._get_variable_index
import keras_langevin
"""


@pytest.mark.ci
def test_it_is_refused_when_the_package_is_imported():
    """Also if methods of Keras still call the missing name."""
    result = subprocess.run(
        [sys.executable, "-c", OF_ANOTHER_RELEASE], env=environment(), capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "ImportError: keras-langevin reads parts of Keras" in result.stderr
    assert "_get_variable_index" in result.stderr


def test_the_check_asks_for_what_is_set():
    """It finds an attribute that only the code of a method sets, and no others."""
    assert not hasattr(keras.optimizers.Adam, "_velocities")
    assert keras_internals.has(keras.optimizers.Adam, "_velocities")
    assert not keras_internals.has(keras.optimizers.Adam, "_velocity")
