"""All measurements that need a GPU, in one run of at most ten minutes, the most important first.

    python benchmarks/gpu.py --out gpu                             # the same command resumes
    python benchmarks/gpu.py --out gpu --data mnist.npz            # and figure-1; cifar10.npz: table-1
    python benchmarks/gpu.py --out rehearsal --rehearsal           # every part at a tiny size, on a CPU

It needs Keras, JAX and PyTorch, and no network. `keras-langevin data export` writes the files for `--data`. Each part
is a process with a time limit, so that a failure does not end the other parts:

    torch-checks, jax-checks      integers and normal numbers against the CPU's; bandwidth of the noise and of a copy
    torch-steps, jax-steps        L-Adam against Adam: dense nets, 100 M parameters, ResNet-20; on PyTorch with the
                                  Triton kernel, without it, and with larger pools
    vmap                          runs per minute, `--engine vmap` against `local`: dense-20, then ResNet-20
    torch-compiled                the steps with `torch.compile`
    presets                       figure-1 and table-1 at scale full, deepest nets first, as far as time allows

`OUT/gpu.json` is written after each case and has the figures, `OUT/runs.zip` the records of the presets, `OUT/log.txt`
what the parts printed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from turns import in_turns

# name -> (backend, time limit in seconds)
PARTS = {
    "torch-checks": ("torch", 60),
    "jax-checks": ("jax", 60),
    "torch-steps": ("torch", 120),
    "jax-steps": ("jax", 150),
    "vmap": ("jax", 150),
    "torch-compiled": ("torch", 150),
    "presets": ("jax", 600),
}


# --- the parts, each in its own process -------------------------------------------------------------------------------


class Part:
    """The part that runs in this process: its settings, and where its figures are written."""

    def __init__(self, options: argparse.Namespace):
        import keras

        self.name, self.out, self.data, self.runs = options.part, options.out, options.data, options.runs
        self.rehearsal, self.backend = options.rehearsal, keras.backend.backend()
        self.rounds, self.seconds = (3, 0.001) if self.rehearsal else (11, 0.05)
        results = read(self.out)
        results["provenance"][self.backend] = provenance()
        write(self.out, results)

    def case(self, name: str, compute):
        """Adds a function's result to the results unless it is there already. An error does not end the part."""
        results = read(self.out)
        cases = results["cases"].setdefault(self.name, {})
        if "error" in cases.get(name, {"error": None}):
            begin = time.perf_counter()
            try:
                found = compute()
            except Exception as error:
                traceback.print_exc()
                found = {"error": f"{type(error).__name__}: {error}"}
            cases[name] = found | {"seconds": round(time.perf_counter() - begin, 1)}
            write(self.out, results)
            print(f"{self.name}, {name}: {json.dumps(cases[name])}", flush=True)

    def quartiles(self, runs: dict, unit: float = 1e3) -> dict:
        """Returns quartiles of each function's milliseconds, and of their ratio to the first function's, in turns."""
        times = {
            name: np.array(each) for name, each in in_turns(runs, rounds=self.rounds, seconds=self.seconds).items()
        }
        first = next(iter(times.values()))
        return {
            "ms": {name: _quartiles(unit * each) for name, each in times.items()},
            "ratio": {name: _quartiles(each / first) for name, each in times.items() if each is not first},
        }


def _quartiles(values) -> list[float]:
    return [float(f"{value:.4g}") for value in np.quantile(values, (0.25, 0.5, 0.75))]


def provenance() -> dict:
    from keras_langevin.experiments import machine

    found = machine.provenance()
    if found["backend"] == "torch":
        import torch

        name = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
        return found | {"accelerator": name, "triton": _triton() is not None}
    import jax

    return found | {"accelerator": jax.devices()[0].device_kind}


def checks(part: Part):
    part.case("integers", partial(_integers, part))
    part.case("bandwidth", partial(_bandwidth, part))


def steps(part: Part):
    from keras_langevin.experiments import overhead

    for name, case in _cases(part, overhead).items():
        part.case(name, partial(_steps, part, overhead, case))


def compiled(part: Part):
    from keras_langevin.experiments import overhead

    for name, case in _cases(part, overhead).items():
        if isinstance(case, overhead.FitCase):
            part.case(name, partial(_steps, part, overhead, replace(case, jit_compile=True)))


def vmap(part: Part):
    sizes = {"dense-20": ((60_000, 28, 28, 1), 12), "resnet-20": ((50_000, 32, 32, 3), 3)}
    if part.rehearsal:
        sizes = {"dense-2": ((200, 4, 4, 1), 3)}
    for model, (shape, epochs) in sizes.items():
        part.case(model, partial(_engines, part, model, shape, epochs))


def presets(part: Part):
    for name in ("figure-1", "table-1"):
        part.case(name, partial(_preset, part, name))


RUN = {
    "torch-checks": checks,
    "jax-checks": checks,
    "torch-steps": steps,
    "jax-steps": steps,
    "vmap": vmap,
    "torch-compiled": compiled,
    "presets": presets,
}


# --- integers and bandwidth -------------------------------------------------------------------------------------------


def _triton():
    import torch

    from keras_langevin.optimizers.noise import on_torch

    return on_torch._on_triton(torch.device("cuda")) if torch.cuda.is_available() else None


@contextmanager
def _without_triton():
    from keras_langevin.optimizers.noise import on_torch

    chosen, on_torch._kernels = on_torch._kernels, lambda *_: None
    try:
        yield
    finally:
        on_torch._kernels = chosen


def _integers(part: Part) -> dict:
    """Compares words, signs and normal numbers of the accelerator with those of the CPU."""
    from keras_langevin.optimizers import noise
    from keras_langevin.optimizers.noise import Draw, Place

    size = 5000 if part.rehearsal else 5_000_000
    pool = noise.places_of([(64, 64), (64,), (), (1000,), (3, 3, 16, 16)] * 20)
    draws = {
        "large": (1, Draw((Place(0, 0, (size,)),), False)),
        "at the end of a block": (2**31 - 1, Draw((Place(2**32 - 1, 2**32 - size, (size,)),), False)),
        "pool": (77, Draw(tuple(pool[::2]), True)),
    }
    seed, found = noise.split_seed(2**63 + 12345), {}
    ways = {"in use": None} | ({"operations": _without_triton} if part.backend == "torch" else {})
    for name, (update, draw) in draws.items():
        functions = {
            "words": lambda seed, update, draw=draw: noise.random_bits(seed, update, draw),
            "signs": lambda seed, update, draw=draw: noise.sample(seed, update, draw._replace(law="rademacher")),
            "normals": lambda seed, update, draw=draw: noise.sample(seed, update, draw),
        }
        for kind, function in functions.items():
            expected = _on(part.backend, "cpu", function, seed, update)
            for way, context in ways.items():
                if context:
                    with context():
                        mine = _on(part.backend, None, function, seed, update)
                else:
                    mine = _on(part.backend, None, function, seed, update)
                key = f"{name}, {kind}, {way}"
                if kind == "normals":
                    found[key] = float(np.max(np.abs(mine / expected - 1)))
                else:
                    found[key] = bool(np.array_equal(mine, expected))
    return {"equal, or the largest relative difference": found}


def _on(backend: str, device: str | None, function, seed, update) -> np.ndarray:
    """Returns the value of a function of seed and update on the given device; `None` is the default device."""
    if backend == "torch":
        import torch

        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        return function(torch.as_tensor(seed, device=device), torch.tensor(update, device=device)).cpu().numpy()
    import jax

    with jax.default_device(jax.devices(device)[0]):
        return np.asarray(jax.jit(function)(seed, np.int32(update)))


class _Factor:
    """Given values of P, with the interface of `draws.Preconditioner`."""

    def __init__(self, values):
        self._values = values

    def whole(self):
        return self._values

    def of_span(self, span):
        return self._values[span]


def _bandwidth(part: Part) -> dict:
    """Returns GB/s of a copy (4 bytes read and 4 written per element) and of the noise alone, given P (8 and 4)."""
    from keras_langevin.optimizers import noise
    from keras_langevin.optimizers.noise import Draw, Place, law

    count = 2**12 if part.rehearsal else 2**27
    draw = Draw((Place(0, 0, (count,)),), False)
    seed = noise.split_seed(1)
    if part.backend == "torch":
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
        wait = torch.cuda.synchronize if device == "cuda" else lambda: None
        weights, other, factor = (torch.rand(count, device=device) for _ in range(3))
        words, update = torch.as_tensor(seed, device=device), torch.tensor(3, device=device)
        scale = torch.tensor(1e-3, device=device)

        def add(law_name="normal"):
            variables = [SimpleNamespace(value=weights)]
            noise.add_noise(None, variables, draw._replace(law=law_name), words, update, scale, _Factor(factor))
            wait()

        def copy():
            other.copy_(weights)
            wait()

        def without_triton():
            with _without_triton():
                add()

        runs = {"copy": copy, "noise": add, "rademacher": partial(add, "rademacher")}
        runs |= {"noise, operations": without_triton} if _triton() else {}
    else:
        import jax
        import jax.numpy as jnp

        state = {name: jnp.ones(count, "float32") for name in ("copied", "weights", "factor")}

        def added(weights, factor, update, law_name):
            z = noise.sample(seed, update, draw._replace(law=law_name))
            return weights + law.increment(jnp.float32(1e-3), factor, z, SimpleNamespace(sqrt=jnp.sqrt))

        negate = jax.jit(jnp.negative, donate_argnums=0)
        step = jax.jit(added, donate_argnums=0, static_argnums=3)

        def copy():
            state["copied"] = jax.block_until_ready(negate(state["copied"]))

        def add(law_name="normal"):
            state["weights"] = jax.block_until_ready(step(state["weights"], state["factor"], 3, law_name))

        runs = {"copy": copy, "noise": add, "rademacher": partial(add, "rademacher")}
    found = part.quartiles(runs)
    size = {name: (8 if name == "copy" else 12) * count for name in runs}
    speeds = {name: [round(size[name] / 1e6 / ms, 1) for ms in reversed(found["ms"][name])] for name in runs}
    return found | {"elements": count, "GB/s": speeds}


# --- steps ------------------------------------------------------------------------------------------------------------


def _cases(part: Part, overhead) -> dict:
    if part.rehearsal:
        from keras_langevin import models

        small = overhead.FitCase(partial(models.dense, 2, (8,), 10), (8,), 16)
        return {"dense 2×8": small, "update alone, 2×400": overhead.UpdateCase(((20, 20),) * 2)}
    known, fit = overhead.CASES, partial(replace, most_steps=40)
    return {
        "dense 4×1024": fit(known["dense 4×1024"]),
        "dense 30×64": known["dense 30×64"],
        "update alone, 100 M in 24 variables": overhead.UpdateCase(((2048, 2048),) * 24),
        "update alone, 4 M": known["update alone, 4 M"],
        "resnet-20": fit(known["resnet-20"]),
        "dense 4×1024, rademacher": fit(known["dense 4×1024, rademacher"]),
        "dense 4×1024, 30% noisy": fit(known["dense 4×1024, 30% noisy"]),
        "resnet-20, 30% noisy": fit(known["resnet-20, 30% noisy"]),
    }


def _steps(part: Part, overhead, case) -> dict:
    """Returns milliseconds of a step with Adam and with L-Adam, and their ratio."""
    from keras_langevin.optimizers import draws

    def prepared(arm: str):
        run, count, _ = case.prepare(arm, 3 if part.rehearsal else 40)
        counts.append(count)
        return run

    counts, runs = [], {arm: None for arm in overhead.ARMS}
    for arm in overhead.ARMS:
        runs[arm] = prepared(arm)
    if part.backend == "torch" and getattr(case, "jit_compile", None) is not True:
        small, draws._SMALL = draws._SMALL, 1 << 22
        runs["pools up to 4 M"] = prepared("langevin")
        runs["pools up to 4 M"]()  # the first call plans the draws
        draws._SMALL = small
        if _triton():
            plain = prepared("langevin")

            def operations():
                with _without_triton():
                    plain()

            runs["operations"] = operations
    return part.quartiles(runs, 1e3 / counts[0]) | {"steps in a turn": counts[0]}


# --- many runs at once ------------------------------------------------------------------------------------------------


def _engines(part: Part, model: str, shape: tuple[int, ...], epochs: int) -> dict:
    """Returns each engine's runs per minute on random images, and images per second without the first epoch."""
    from keras_langevin.datasets.data import Data, Split
    from keras_langevin.experiments import engines, runner
    from keras_langevin.experiments.config import Comparison
    from keras_langevin.experiments.store import Store

    def split(count):
        images = generator.integers(0, 256, (count, *shape[1:]), "uint8")
        return Split(images, generator.integers(0, 10, count).astype("int32"))

    generator, seeds = np.random.default_rng(0), 2 if part.rehearsal else 10
    data = Data("made-up", *map(split, (shape[0], 1000, 1000)), tuple("0123456789"), 255.0)
    comparison = Comparison(
        model=model, dataset="digits", optimizers=("ladam",), epochs=epochs, seeds=seeds, batch_size=min(512, shape[0])
    )
    found = {"runs": seeds, "epochs": epochs, "runs_per_minute": {}, "images_per_second": {}}
    for name, engine in {"vmap": engines.Vmap(), "local": engines.Local()}.items():
        with tempfile.TemporaryDirectory() as folder:
            job = runner.Job(comparison, data, Store(folder, comparison, data.sha256))
            begin = time.perf_counter()
            runner.run([job], engine)
            found["runs_per_minute"][name] = round(60 * seeds / (time.perf_counter() - begin), 2)
            records = list(job.store.records())
        if any(record["status"] == "failed" for record in records):
            raise RuntimeError(f"A run failed with the engine {name}: {records[0].get('error')}")
        speeds = [record["images_per_second"] for record in records if record["images_per_second"]]
        found["images_per_second"][name] = round(float(np.median(speeds)))
    for kind in ("runs_per_minute", "images_per_second"):
        found[f"{kind}, vmap / local"] = round(found[kind]["vmap"] / found[kind]["local"], 2)
    return found


def _preset(part: Part, name: str) -> dict:
    """Trains a preset's comparisons as `keras-langevin reproduce NAME --engine vmap` does, without its report."""
    from keras_langevin.experiments import engines, paper, runner, tuning
    from keras_langevin.experiments.store import Store

    files, comparisons = _data_files(part.data), paper.sweep(name, "smoke" if part.rehearsal else "full").comparisons
    engine, done = engines.Vmap(), []
    for comparison in reversed(comparisons):
        if comparison.dataset not in files:
            continue
        data = runner.prepare(comparison, data_file=files[comparison.dataset])
        found = {"dataset_note": data.note, "backend": part.backend}
        folder = part.runs / name / comparison.folder_name(**found)
        jobs = [runner.Job(comparison, data, Store(folder, comparison, data.sha256, **found))]
        jobs = tuning.settled(jobs, lambda trials, extends: runner.run(trials, engine))
        runner.run(jobs, engine)
        done.append(folder.name)
    missing = sorted({comparison.dataset for comparison in comparisons} - set(files))
    return {"done": done} | ({"error": f"--data has no file of {', '.join(missing)}"} if missing else {})


def _data_files(paths: list[Path]) -> dict[str, Path]:
    """Returns the files by the name of their dataset."""
    found = {}
    for path in paths:
        with np.load(path, allow_pickle=False) as opened:
            found[str(opened["name"])] = path
    return found


# --- all of them ------------------------------------------------------------------------------------------------------


def read(out: Path) -> dict:
    path = out / "gpu.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {"provenance": {}, "parts": {}, "cases": {}}


def write(out: Path, results: dict):
    part = out / "gpu.json.part"
    part.write_text(json.dumps(results, indent=1, ensure_ascii=False), "utf-8")
    part.replace(out / "gpu.json")


def run_all(options: argparse.Namespace):
    begin, out = time.monotonic(), options.out
    out.mkdir(parents=True, exist_ok=True)
    if (out / "runs.zip").exists() and not options.runs.exists():
        shutil.unpack_archive(out / "runs.zip", options.runs)
    results = read(out)
    asked = {"commit": options.commit, "rehearsal": options.rehearsal}
    if results.setdefault("asked", asked) != asked:
        raise SystemExit(
            f"{out / 'gpu.json'} must come from the same commit and kind of run. Received: {results['asked']} in the "
            f"file, {asked} now. Choose another --out."
        )
    write(out, results)
    for name, (backend, most) in PARTS.items():
        left = 60 * options.minutes - (time.monotonic() - begin)
        if read(out)["parts"].get(name, {}).get("ended") == "done" or left < 20:
            continue
        seconds, ended = _run_part(name, backend, left if options.rehearsal else min(most, left - 5), options)
        results = read(out)
        results["parts"][name] = {"ended": ended, "seconds": round(seconds, 1)}
        write(out, results)
        print(f"{name}: {ended} after {seconds:.0f} s", flush=True)
        if options.runs.exists():
            shutil.make_archive(str(out / "runs"), "zip", options.runs)
    missing = [name for name in PARTS if name not in results["parts"]]
    print(f"{out / 'gpu.json'} after {time.monotonic() - begin:.0f} s" + (f"; left out: {missing}" if missing else ""))


def _run_part(name: str, backend: str, limit: float, options: argparse.Namespace) -> tuple[float, str]:
    command = [sys.executable, __file__, "--part", name, "--out", options.out, "--runs", options.runs]
    command += ["--rehearsal"] * options.rehearsal + (["--data", *options.data] if options.data else [])
    folder = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH"))))
    environment = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
    begin = time.monotonic()
    with open(options.out / "log.txt", "a", encoding="utf-8") as log:
        try:
            code = subprocess.run(
                command, env=environment, stdout=log, stderr=log, timeout=limit, check=False
            ).returncode
            ended = f"an error: exit code {code}" if code else "done"
        except subprocess.TimeoutExpired:
            ended = f"its limit of {limit:.0f} s"
    errors = [case for case, found in read(options.out)["cases"].get(name, {}).items() if "error" in found]
    return time.monotonic() - begin, f"errors in {errors}" if ended == "done" and errors else ended


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="a folder for the results")
    parser.add_argument("--data", type=Path, nargs="+", default=[], help="files of `keras-langevin data export`")
    parser.add_argument("--runs", type=Path, help="folder for the presets' runs while they train (default: OUT/runs)")
    parser.add_argument("--minutes", type=float, default=9.5, help="for all parts together (default: 9.5)")
    parser.add_argument("--commit", help="the commit to record where git is not available")
    parser.add_argument("--rehearsal", action="store_true", help="tiny sizes")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.runs = options.runs or options.out / "runs"
    if missing := [str(path) for path in options.data if not path.is_file()]:
        how = "Write them with `keras-langevin data export NAME --out FILE`."
        parser.error(f"--data must be files that exist. Received: {', '.join(missing)}. {how}")
    if options.part:
        RUN[options.part](Part(options))
    else:
        run_all(options)


if __name__ == "__main__":
    main()
