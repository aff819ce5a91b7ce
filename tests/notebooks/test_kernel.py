from pathlib import Path

import kernel
from nbformat import v4


def test_logs_of_libraries_are_left_out_and_warnings_stay():
    text = (
        "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
        "I0000 00:00:1795649450.300183   20233 port.cc:153] oneDNN custom operations are on.\n"
        "UserWarning: The noise of a step is 400 times the parent's step\n"
        "WARNING:absl:`FeatureConnector.dtype` is deprecated.\n"
    )
    outputs = [
        v4.new_output("stream", name="stderr", text=text),
        v4.new_output("stream", name="stderr", text="E0000 00:00:1.1   2 cuda_platform.cc:52] failed call to cuInit\n"),
        v4.new_output("stream", name="stdout", text="WARNING:absl: printed by the notebook\n"),
        v4.new_output("stream", name="stderr", text="WARNING:absl:`FeatureConnector.dtype` is deprecated.\n"),
        v4.new_output("stream", name="stdout", text="and more\n"),
    ]
    kept = kernel.without_logs(outputs)
    assert [(output.name, output.text) for output in kept] == [
        ("stderr", "UserWarning: The noise of a step is 400 times the parent's step\n"),
        ("stdout", "WARNING:absl: printed by the notebook\nand more\n"),
    ]


def test_the_folder_is_empty_and_stored_results_are_beside_it(tmp_path, monkeypatch):
    stored = tmp_path / "project" / "results"
    monkeypatch.setattr(kernel, "RESULTS", stored)
    (tmp_path / "first").mkdir()
    assert list(Path(kernel.place(tmp_path / "first")).parent.iterdir()) == [tmp_path / "first" / "notebooks"]
    stored.mkdir(parents=True)
    (stored / "table-1").mkdir()
    (tmp_path / "second").mkdir()
    folder = Path(kernel.place(tmp_path / "second"))
    assert list(folder.iterdir()) == []
    assert (folder / ".." / "results" / "table-1").is_dir()
