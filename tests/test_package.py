"""The package as a whole: the cost and requirements of its import, and the direction of imports within it."""

import ast
import doctest
import importlib
import inspect
import os
import pkgutil
import statistics
import subprocess
import sys
from pathlib import Path

import keras
import pytest

import keras_langevin
from keras_langevin.experiments import comparing, results
from keras_langevin.optimizers import reference

PACKAGE = Path(keras_langevin.__file__).parent
MODULES = sorted(module.name for module in pkgutil.walk_packages([str(PACKAGE)], "keras_langevin."))
WITHOUT_KERAS = ("tuning", "config", "store", "statistics", "report", "results", "progress", "paper")


def run_python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True, check=False
    )


def test_public_names_are_there():
    for name in keras_langevin.__all__:
        assert hasattr(keras_langevin, name), name


def test_completion_offers_the_public_names():
    """It offers no module that the package imports for its own use."""
    offered = {name for name in dir(keras_langevin) if not name.startswith("__")}
    assert offered == {name for name in keras_langevin.__all__ if name[:2] != "__"} | {
        "datasets",
        "experiments",
        "plots",
    }


def public_functions():
    """Yields the functions, methods and properties that users call, and whether each must have a return type."""
    parts = ("callbacks", "datasets", "models", "optimizers", "plots", "sampling", "sigma", "experiments.engines")
    public = [comparing.compare, results.Results]
    for module in (keras_langevin, *(importlib.import_module(f"keras_langevin.{part}") for part in parts)):
        public += [getattr(module, name) for name in module.__all__]
    for function in filter(inspect.isfunction, public):
        yield function, True
    for cls in filter(inspect.isclass, public):
        for number, base in enumerate(cls.__mro__):
            for name, member in vars(base).items() if base.__module__.startswith("keras_langevin") else ():
                # an overriding method has the types of the method that it overrides; Keras has none
                mixed_into = [keras.optimizers.Optimizer] if issubclass(cls, keras_langevin.Langevin) else []
                overrides = any(hasattr(other, name) for other in (*cls.__mro__[number + 1 : -1], *mixed_into))
                if name[0] != "_" and (name == "get_config" or not overrides):
                    property_functions = (getattr(member, part, None) for part in ("fget", "fset", "__func__"))
                    for function in filter(inspect.isfunction, (member, *property_functions)):
                        yield function, function is not getattr(member, "fset", None)
        if inspect.isfunction(cls.__init__) and cls.__init__.__module__.startswith("keras_langevin"):
            yield cls.__init__, False


def test_public_functions_say_their_types():
    """An editor reads them there or from an argument's default. `basedpyright --verifytypes` would also ask for the
    types of Keras's classes, which have none, and of functions that only Keras calls."""
    missing = []
    for function, returns in public_functions():
        parameters = list(inspect.signature(function).parameters.values())
        parameters = parameters[1:] if parameters and parameters[0].name in ("self", "cls") else parameters
        names = [p.name for p in parameters if p.annotation is p.empty and p.default in (p.empty, None)]
        names += ["return"] if returns and "return" not in function.__annotations__ else []
        missing += [f"{function.__module__}.{function.__qualname__}: {', '.join(names)}"] if names else []
    assert not missing


@pytest.mark.ci
def test_import_needs_keras_and_numpy_alone():
    """With all other dependencies hidden, the import works and a weight moves."""
    code = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"sklearn", "scipy", "rich", "matplotlib", "tensorflow_datasets", "arviz"}:
            raise ModuleNotFoundError(name)
import keras
sys.meta_path.insert(0, Hidden())
import keras_langevin
from keras_langevin.optimizers import reference
variable = keras.Variable([1.0], name="w")
keras_langevin.LAdam(1e-3, sigma=1e-3).apply([keras.ops.ones(1)], [variable])
assert float(variable[0]) != 1.0
"""
    result = run_python(code)
    assert result.returncode == 0, result.stderr


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="TensorFlow is the backend")
def test_import_leaves_tensorflow_alone_on_another_backend():
    result = run_python("import keras_langevin, sys; sys.exit('tensorflow' in sys.modules)")
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_import_adds_little_to_keras():
    """The import adds less than 0.3 s of processor time to `import keras`, in the median of three new processes."""
    code = "import time, keras; t = time.process_time(); import keras_langevin; print(time.process_time() - t)"
    seconds = [float(run_python(code).stdout) for _ in range(3)]
    assert statistics.median(seconds) < 0.3


def test_command_imports_no_keras_before_it_must():
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "keras_langevin_command", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "keras_langevin.cli" in result.stderr
    assert "| keras\n" not in result.stderr


@pytest.mark.ci
def test_a_script_may_have_the_name_of_the_command(tmp_path):
    script = tmp_path / "keras-langevin.py"
    script.write_text("import keras_langevin; print(keras_langevin.LAdam.__name__)", "utf-8")
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert ended.stdout == "LAdam\n"


@pytest.mark.parametrize("name", [*(f"experiments.{name}" for name in WITHOUT_KERAS), "plots", "plots.files"])
def test_results_are_read_without_keras(name):
    """As in the command, these modules load even if `keras` cannot be imported."""
    code = f"""
import sys
sys.modules["keras"] = None
import keras_langevin_command
import keras_langevin.{name}
"""
    result = run_python(code)
    assert result.returncode == 0, result.stderr


def imported_modules(name):
    """Yields the project's modules that the module `name` imports, anywhere in its code."""
    spec = importlib.util.find_spec(name)
    tree = ast.parse(Path(spec.origin).read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("keras_langevin"):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("keras_langevin"))


def test_plots_take_numbers_and_know_nothing_of_where_they_are_from():
    allowed = ("plots", "files", "values", "confidence", "extras")
    for name in (name for name in MODULES if name.startswith("keras_langevin.plots")):
        for target in imported_modules(name):
            assert target.split(".")[1] in allowed, f"{name} imports {target}"


def test_imports_run_one_way():
    """No module imports itself through others, except for the packages' `__init__`."""
    graph = {name: {target for target in imported_modules(name) if target in MODULES} for name in MODULES}
    done = set()

    def visit(name, trail):
        assert name not in trail, " -> ".join([*trail, name])
        if name not in done:
            for target in graph[name]:
                visit(target, [*trail, name])
            done.add(name)

    for name in MODULES:
        visit(name, [])


def test_optimizers_models_and_datasets_do_not_import_one_another():
    """Only sampling imports optimizers, because it reports the temperature that one samples at."""
    rooms = ("optimizers", "models", "datasets", "sampling")
    known = {"sampling": ("optimizers",)}
    everybodys = {"names", "files", "archive", "values", "confidence", "keras_internals", "reading"}
    everybodys |= {"batches", "extras", "quiet"}
    for name in MODULES:
        room = name.split(".")[1]
        for target in imported_modules(name):
            other = target.split(".")[1]
            if room in rooms:
                assert other in (room, *known.get(room, ()), *everybodys), f"{name} imports {target}"


def is_importable(name):
    """Excludes modules that run when imported, and those of a backend that may not be installed."""
    _, _, backend = name.partition(".noise.on_")
    return not name.endswith("__main__") and backend in ("", keras.backend.backend())


# On JAX, Keras compiles a random generator for each shape of kernel, which takes a minute; TensorFlow takes seconds.
# The runner trains the comparison of `comparing`, and has its own tests on JAX (test_controls, test_equal_arms).
LONG_ON_JAX = {f"keras_langevin.{name}" for name in ("experiments.comparing", "models.densenet", "models.resnet")}


def examples_of(name):
    is_long = keras.backend.backend() == "jax" and name in LONG_ON_JAX
    return pytest.param(name, marks=[pytest.mark.slow] * is_long)


@pytest.mark.parametrize("name", [examples_of(name) for name in MODULES if is_importable(name)])
def test_docstring_examples(name):
    module = importlib.import_module(name)
    results = doctest.testmod(module)
    assert results.failed == 0


def test_the_update_in_the_docs_is_the_reference():
    page = (Path(__file__).parents[1] / "docs" / "how-it-works.md").read_text("utf-8")
    assert inspect.getsource(reference.adam) in page
