"""Times functions in turns, for the scripts of this folder."""

import time
from collections.abc import Callable, Hashable


def in_turns(runs: dict[Hashable, Callable[[], None]], *, rounds: int, seconds: float = 0.05) -> dict:
    """Returns seconds per call of each function in each round. In turns, so that a busy machine slows all equally.

    Args:
        runs: the functions by name; each is called twice before it is timed.
        rounds: int, the number of turns of each function.
        seconds: float, about how long a turn lasts; it repeats the function as often as that takes. Defaults to `0.05`.

    Returns:
        dict of lists of floats, of length `rounds`.
    """
    repeats = {}
    for name, run in runs.items():
        run()
        start = time.perf_counter()
        run()
        repeats[name] = max(1, round(seconds / (time.perf_counter() - start)))
    times = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            for _ in range(repeats[name]):
                run()
            times[name].append((time.perf_counter() - start) / repeats[name])
    return times
