"""A figure as SVG inside an HTML page."""

import io
from xml.etree import ElementTree

from keras_langevin.plots.files import write_figure

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"


def inline_svg(figure, name: str, description: str) -> str:
    """An `<svg>` element that takes the page's text colour for black, and lies on the page's background.

    Args:
        figure: matplotlib Figure.
        name: str, letters and digits: identifiers inside begin with it, so that they differ from other figures'.
        description: str, what is read aloud in place of the figure.
    """
    file = io.BytesIO()
    write_figure(figure, file, "svg", text_as_paths=False, transparent=True)
    root = ElementTree.fromstring(file.getvalue())  # drops comments and the document type
    for metadata in root.findall(f"{{{_SVG}}}metadata"):
        root.remove(metadata)
    for element in root.iter():
        for key, value in element.attrib.items():
            element.attrib[key] = _rewritten(key.rpartition("}")[2], value, name)
    for size in ("width", "height"):
        del root.attrib[size]  # the page's style sheet has them
    root.attrib |= {"role": "img", "aria-label": description}
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    return ElementTree.tostring(root, encoding="unicode")


def _rewritten(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    if key == "href":
        return value.replace("#", f"#{name}-", 1)
    return value.replace("url(#", f"url(#{name}-").replace("#000000", "currentColor")
