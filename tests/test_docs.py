"""The documentation site has every public name. (`.ci/run` builds it, and a broken link is an error there.)"""

import re
from pathlib import Path

import keras_langevin
from keras_langevin import models, optimizers, plots, sampling

DOCS = Path(__file__).parents[1] / "docs"
# Modules, tables and what a page says in words.
WITHOUT_PAGE = {"FAMILIES", "REGISTRY", "Highway", "__version__", "callbacks", "models", "optimizers", "sampling"}


def test_every_public_name_has_an_entry():
    pages = "\n".join(path.read_text("utf-8") for path in DOCS.rglob("*.md"))
    entries = {
        name.rpartition(".")[2] for name in re.findall(r"^.. auto(?:class|function):: (\S+)", pages, re.MULTILINE)
    }
    public = {name for package in (keras_langevin, models, optimizers, plots, sampling) for name in package.__all__}
    assert public - WITHOUT_PAGE == entries & public, sorted(public - WITHOUT_PAGE - entries)
