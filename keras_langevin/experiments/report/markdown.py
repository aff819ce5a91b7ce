"""The report in Markdown."""

import re

from keras_langevin.experiments.report.contents import Contents, Table


def markdown(contents: Contents) -> str:
    """The report as one Markdown text; the figures are links to PNG files beside it.

    Args:
        contents: what the report says.
    """
    parts = [f"# {escaped(contents.title)}", _listed(contents.overview)]
    for figure in contents.figures:
        parts += [_picture(figure.file, figure.caption), _listed(figure.sentences)]
    if contents.differences.rows:
        parts += ["## All differences", _table(contents.differences)]
    for section in contents.sections:
        parts += [f"## {escaped(section.title)}", escaped(section.settings), _table(section.table)]
        parts += [_listed(section.sentences), _picture(section.file, section.caption)]
    parts += ["## How to read this", _listed(contents.how_to_read)]
    parts += ["## Where the runs come from", _table(contents.origins)]
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(text: str) -> str:
    r"""Text that Markdown shows as it is, also where it looks like HTML or a table.

    Example:

    >>> print(escaped("<b>a|b_c*"))
    &lt;b&gt;a\|b\_c\*
    """
    text = re.sub(r"([\\`*_\[\]|~#$!])", r"\\\1", text.replace("&", "&amp;"))
    return text.replace("<", "&lt;").replace(">", "&gt;")


def _listed(sentences: list[str]) -> str:
    return "\n".join(f"- {escaped(sentence)}" for sentence in sentences)


def _table(table: Table) -> str:
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    lines[0] = [escaped(name) for name in lines[0]]
    lines[2:] = [[escaped(value) for value in row] for row in table.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _picture(file: str, caption: str) -> str:
    return f"![{escaped(caption)}]({file}.png)"
