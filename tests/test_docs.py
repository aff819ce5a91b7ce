"""The documentation site has every public name. (`.ci/run` builds it; there a broken link is an error.)"""

import json
import re
from pathlib import Path

import pytest

import keras_langevin
from keras_langevin import models, optimizers, plots, sampling

DOCS = Path(__file__).parents[1] / "docs"
SEARCH = DOCS.parent / ".ci" / "site" / "searchindex.js"
# Modules, tables, and names that a page describes in words.
WITHOUT_PAGE = {"FAMILIES", "REGISTRY", "Highway", "__version__", "callbacks", "models", "optimizers", "sampling"}


def test_every_public_name_has_an_entry():
    pages = "\n".join(path.read_text("utf-8") for path in DOCS.rglob("*.md"))
    entries = {
        name.rpartition(".")[2] for name in re.findall(r"^.. auto(?:class|function):: (\S+)", pages, re.MULTILINE)
    }
    public = {name for package in (keras_langevin, models, optimizers, plots, sampling) for name in package.__all__}
    assert public - WITHOUT_PAGE == entries & public, sorted(public - WITHOUT_PAGE - entries)


# `.ci/run` builds the site before it runs the tests.
@pytest.mark.skipif(not SEARCH.exists(), reason="needs the site: sphinx-build docs .ci/site")
@pytest.mark.parametrize(
    ("word", "page"), [("ladam", "optimizers/ladam"), ("sigma", "choosing-sigma"), ("layer", "layers")]
)
def test_the_search_finds_the_page_by_its_title(word, page):
    """Words are stemmed. Sphinx ranks a word in a title above one in the text."""
    index = json.loads(re.fullmatch(r"Search\.setIndex\((.*)\)", SEARCH.read_text("utf-8"), re.DOTALL)[1])
    found = index["titleterms"][word]
    assert index["docnames"].index(page) in (found if isinstance(found, list) else [found])
