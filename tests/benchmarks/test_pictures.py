"""The pictures of README and docs are what the code draws of the records."""

import importlib
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


def drawn(script: str, picture: str, out: Path):
    module = importlib.import_module(script)
    if script == "readme_picture":
        module.draw(out)
    elif picture == "first-updates":
        module.draw_trace(out)
    else:
        {"noise-for-k-updates": module.draw_first_updates, "initial-kernels": module.draw_initial_kernels}[picture](
            module.Records(), out
        )


@pytest.mark.ci
@pytest.mark.parametrize(
    ("script", "picture"),
    [
        ("readme_picture", "gain-by-depth"),
        ("why_noise_helps", "first-updates"),
        ("why_noise_helps", "noise-for-k-updates"),
        ("why_noise_helps", "initial-kernels"),
    ],
)
def test_a_picture_is_what_its_script_draws(script, picture, tmp_path, monkeypatch):
    from matplotlib.image import imread

    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    drawn(script, picture, tmp_path / "drawn.png")
    found, expected = imread(tmp_path / "drawn.png"), imread(ROOT / "docs" / f"{picture}.png")
    assert found.shape == expected.shape
    # Another release of matplotlib may shade an edge differently. A line or a word that moves is more than this.
    differ = np.abs(found - expected).max(axis=-1) > 0.25
    assert differ.mean() < 1e-3, f"run python benchmarks/{script}.py"
