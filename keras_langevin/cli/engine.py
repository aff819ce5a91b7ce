"""Where a command trains its runs."""

import argparse

ENGINES = ("local", "processes", "ray", "vmap")
# option, and the engine that it goes with
_OWN = {"workers": "processes", "address": "ray", "cpus_per_run": "ray", "gpus_per_run": "ray", "runs_at_once": "vmap"}


def add_engine(parser: argparse.ArgumentParser):
    """The option `--engine`, and those of the engines."""
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default="local",
        help="where runs are trained: one after another in this process; several at a time in processes that share the "
        "cores; as tasks of a Ray cluster; many runs at once, for small nets on a GPU, with JAX (default: "
        "local). The results are the same, of vmap to rounding",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="processes: how many (default: one on each core)")
    parser.add_argument(
        "--address", help="ray: of a running cluster, or auto (default: RAY_ADDRESS, else one is started here)"
    )
    parser.add_argument("--cpus-per-run", type=float, metavar="X", help="ray: cores for a run (default: 1)")
    parser.add_argument(
        "--gpus-per-run", type=float, metavar="X", help="ray: 0.25 puts four runs on a GPU (default: 0)"
    )
    parser.add_argument("--runs-at-once", type=int, metavar="N", help="vmap: at most so many (default: 32)")


def chosen_engine(options: argparse.Namespace):
    """The engine of the options. Imports Keras.

    Raises:
        ValueError: an option of another engine, or a value out of its range.
    """
    given = {name: getattr(options, name) for name in _OWN if getattr(options, name) is not None}
    for name in given:
        if _OWN[name] != options.engine:
            raise ValueError(
                f"--{name.replace('_', '-')} goes with --engine {_OWN[name]}. Received: --engine {options.engine}. "
                "Change the one or leave out the other."
            )
    from keras_langevin.experiments import engines

    found = {"local": engines.Local, "processes": engines.Processes, "ray": engines.RayCluster, "vmap": engines.Vmap}
    return found[options.engine](**given)
