"""The pictures of README and docs are what the code draws from the records."""

import importlib
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
# picture -> its script, and the call that draws it
PICTURES = {
    "gain-by-depth": ("readme_picture", lambda script, out: script.draw(out)),
    "first-updates": ("why_noise_helps", lambda script, out: script.draw_trace(out)),
    "noise-for-k-updates": ("why_noise_helps", lambda script, out: script.draw_first_updates(script.Records(), out)),
    "initial-kernels": ("why_noise_helps", lambda script, out: script.draw_initial_kernels(script.Records(), out)),
    "update-growth": ("update_growth", lambda script, out: script.plot(out)),
}


def test_every_picture_of_docs_has_its_script():
    assert {path.stem for path in (ROOT / "docs").glob("*.png")} == set(PICTURES)


@pytest.mark.ci
@pytest.mark.parametrize("picture", PICTURES)
def test_a_picture_is_what_its_script_draws(picture, tmp_path):
    from matplotlib.image import imread

    name, draw = PICTURES[picture]
    draw(importlib.import_module(name), tmp_path / "drawn.png")
    found, expected = imread(tmp_path / "drawn.png"), imread(ROOT / "docs" / f"{picture}.png")
    assert found.shape == expected.shape
    # Another release of matplotlib may shade an edge differently. A line or a word that moves changes more.
    differ = np.abs(found - expected).max(axis=-1) > 0.25
    assert differ.mean() < 1e-3, f"run python benchmarks/{name}.py"
