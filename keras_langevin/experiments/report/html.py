"""The report as one HTML page that needs nothing else."""

from keras_langevin.experiments.report.contents import Contents
from keras_langevin.experiments.report.svg import inline_svg


def html(contents: Contents) -> str:
    """The report as a self-contained page: its styles and figures are in it, and there is no script.

    Args:
        contents: what the report says. All of it is escaped by the template.
    """
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("keras_langevin.experiments.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    numbers = iter(range(1, 1_000_000))

    def svg(draw, description):
        # the figure's own text is escaped by the XML writer
        return Markup(inline_svg(draw(), f"f{next(numbers)}", description))

    return environment.get_template("page.html").render(contents=contents, svg=svg)
