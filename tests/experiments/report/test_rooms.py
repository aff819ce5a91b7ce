"""How many modules it takes to write a report."""

import sys

import pytest

from keras_langevin.experiments import report
from tests.experiments.records import COMPARISON, of_seeds, write_folder


@pytest.mark.usefixtures("blank_pictures")
def test_a_report_is_written_in_at_most_ten_rooms(tmp_path):
    """A room is a module of `experiments` in which a function is called. `plots` counts as one, and so does `tuning`,
    which is needed if rates were tuned."""
    folder = write_folder(tmp_path / "results", COMPARISON, of_seeds([0.1, 0.8, 0.81], [0.91, 0.92]))
    entered = set()

    def note(frame, event, _):
        entered.add(frame.f_globals.get("__name__", ""))

    sys.setprofile(note)
    try:
        report.write(report.analyse(report.collect([folder])), tmp_path / "report")
    finally:
        sys.setprofile(None)
    rooms = {name for name in entered if name.startswith("keras_langevin.experiments.")}
    rooms |= {"plots" for name in entered if name.startswith("keras_langevin.plots.")}
    assert {"plots", "keras_langevin.experiments.report.writing"} < rooms
    assert len(rooms | {"keras_langevin.experiments.tuning"}) <= 10, sorted(rooms)
