"""The documentation site: `sphinx-build -W docs docs/_build` makes it. A broken link or reference is an error.

Sphinx with the PyData theme: NumPy, SciPy and pandas use it, and JAX, Flax and Optax use a theme that is built on it.
"""

import os
import re
from importlib.resources import files
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from fontTools import subset

os.environ.setdefault("KERAS_BACKEND", "jax")

from keras_langevin import __version__

project, author, version = "keras-langevin", "the keras-langevin authors", __version__
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "myst_nb", "sphinx_copybutton"]
exclude_patterns = ["_build"]
html_theme = "pydata_sphinx_theme"
html_title = "keras-langevin"
html_theme_options = {
    "navbar_align": "left",
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False

toc_object_entries_show_parents = "hide"
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say what an argument is
napoleon_numpy_docstring = False
napoleon_use_param = False  # `x, y: the data` stays one entry
napoleon_use_rtype = False
napoleon_attr_annotations = False
add_module_names = False
default_role = "code"

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the notebooks have their outputs
nb_merge_streams = True
html_math_renderer = "mathml"
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True


def formulas(app, what, name, obj, options, lines):
    """An indented block after a paragraph of a docstring is a formula, shown as it stands. The page of an optimizer
    has it typeset, and leaves it out here. Pages, and names with their module, are links."""
    typeset = re.match("optimizers/(?!index)", app.env.docname)
    found, in_formula = [], False
    for number, line in enumerate(lines):
        line = re.sub(r"\bdocs/([\w/-]+)\.md", r":doc:`/\1`", line)
        line = re.sub(r"`(keras_langevin\.[\w.]+)`", r":py:obj:`\1`", line)
        line = re.sub(r"^( *)([A-Z]\. )", r"\1\\\2", line)  # a reference that begins with an initial is no list
        if line.startswith("    ") and number > 1 and not lines[number - 1] and lines[number - 2][:1].strip():
            in_formula = not lines[number - 2].startswith("Example")
            if not in_formula:
                found += [".. code-block:: python", ""]
            elif not typeset:
                found += [".. code-block:: text", "    :class: wrapped", ""]
        in_formula = in_formula and line.startswith("    ")
        if not (in_formula and typeset):
            found.append(line)
    lines[:] = found


def without_hooks(app, what, name, obj, skip, options):
    """The methods that Keras calls on a callback are no part of its use."""
    return True if name.startswith("on_") else None


def mathml(writer, node):
    """Formulas are MathML, which browsers typeset by themselves. LaTeX that docutils misreads is an error."""
    if wrong := re.search(r"frac\d\d|\\(hat|bar|tilde) ?\w[_^]", node.astext()):
        raise ValueError(f"In a formula, write \\tfrac{{1}}{{2}} and \\hat v{{}}_t. Received: {wrong[0]}")
    if isinstance(node, nodes.math_block):
        writer.body.append(f'<div class="formula">{tex2mathml(node.astext(), as_block=True)}</div>')
    else:
        writer.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def long_code(app, doctree, docname):
    """Words of code that do not fit a line of a phone may break. Others, such as `1e-6`, stay in one piece."""
    for node in doctree.findall(nodes.literal):
        if max(map(len, node.astext().split()), default=0) > 24:
            node["classes"].append("long")


def math_font(app, error):
    """STIX Two Math, for systems without a font for formulas. Without one, browsers put indices on the base line."""
    options = subset.Options(flavor="woff", layout_features=["*"])
    font = subset.load_font(str(files("ziamath") / "fonts" / "STIXTwoMath-Regular.ttf"), options)
    latin, greek, symbols, italics = (0x20, 0x180), (0x2C6, 0x400), (0x2000, 0x2300), (0x1D400, 0x1D800)
    characters = subset.Subsetter(options)
    characters.populate(unicodes=[code for block in (latin, greek, symbols, italics) for code in range(*block)])
    characters.subset(font)
    subset.save_font(font, str(Path(app.outdir) / "_static" / "math.woff"), options)


def setup(app):
    app.add_html_math_renderer("mathml", (mathml, None), (mathml, None))
    app.connect("doctree-resolved", long_code)
    app.connect("build-finished", math_font)
    app.connect("autodoc-skip-member", without_hooks)
    app.connect("autodoc-process-docstring", formulas, priority=400)  # before napoleon looks for sections
