"""Writes a report into a folder: a page, Markdown, figures, CSV and LaTeX."""

import base64
import re
import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from keras_langevin import plots
from keras_langevin.experiments.report import words
from keras_langevin.experiments.report.analysis import ENOUGH_SEEDS, DepthGroup, depth_groups
from keras_langevin.experiments.report.collecting import SettingResult
from keras_langevin.files import replaced, writing_to
from keras_langevin.names import count, printable
from keras_langevin.plots.files import new_figure, save_figure
from keras_langevin.plots.paired_differences import GAP, HEADING, ROW
from keras_langevin.plots.style import FONT, Styles, plain, shortened, styles

FIGURES = "figures"  # the folder of the figures
TITLE = "Langevin optimizers beside their parents"
CURVES = {"train_loss": "train loss (cross-entropy)", "validation_accuracy": "validation accuracy (%)"}
_WIDTH = 4.4  # of figures, in inches: one fits on a phone, two or three side by side on a desktop


def write(results: list[SettingResult], folder: str | Path, *, title: str | None = None) -> list[Path]:
    """Writes the report into a folder (made if missing) and returns the paths of its files, `report.html` last.

    Each file is written whole or not at all, and the same results give the same bytes. Raises `StorageError` if the
    folder cannot be written.
    """
    folder, found = Path(folder), pictures(results)
    number = sum(len(result.pairs) for result in results)
    how_to_read = Path(__file__).with_name("how_to_read.txt").read_text("utf-8")
    how_to_read = how_to_read.format(enough=ENOUGH_SEEDS, differences=count(number, "difference"))
    about = {"title": title or TITLE, "results": results, "words": words, "pictures": found, "number": number}
    about |= {"how_to_read": how_to_read, "embedded": partial(_embedded, folder)}
    with writing_to(folder):
        (folder / FIGURES).mkdir(parents=True, exist_ok=True)
        for picture in (each for own in found for each in own):
            figure = picture.draw()
            figure.draw_without_rendering()
            figure.set_layout_engine("none")  # the layout is done, not again for each file
            for ending in ("png", "svg", "pdf"):
                save_figure(figure, folder / f"{picture.file}.{ending}")
        texts = {
            "results.csv": csv(words.runs_frame(results)),
            "differences.csv": csv(words.differences_frame(results)),
            "table.tex": latex(results),
            "report.md": re.sub(r"\n{3,}", "\n\n", _rendered("page.md", about, finalize=escaped)),
            "report.html": _rendered("page.html", about, autoescape=True),
        }
        for name, text in texts.items():
            with replaced(folder / name) as file:
                file.write(text)
    return [folder / name for name in (FIGURES, *texts)]


def _rendered(template: str, about: dict, **options) -> str:
    import jinja2

    loader = jinja2.PackageLoader("keras_langevin.experiments.report", ".")
    options |= {"undefined": jinja2.StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    return jinja2.Environment(loader=loader, **options).get_template(template).render(about, table=html_table)


def _embedded(folder: Path, file: str) -> str:
    """Returns a figure as a data URL, which embeds it in a page."""
    return f"data:image/svg+xml;base64,{base64.b64encode((folder / f'{file}.svg').read_bytes()).decode()}"


class Picture(NamedTuple):
    file: str  # its path without the suffix
    caption: str
    draw: Callable[[], Any]  # returns a matplotlib Figure


def pictures(results: list[SettingResult]) -> list[list[Picture]]:
    """Returns the figures of the whole report, then those of each setting."""
    colours, groups, whole = colours_of(results), depth_groups(results), []
    paired = "aired differences in test accuracy, with 95% intervals"
    if any(result.pairs for result in results):
        whole = [Picture(f"{FIGURES}/differences", f"P{paired}", partial(differences_figure, results, colours))]
    for index, group in enumerate(groups, start=1):
        caption = f"{group.title}: difference in test accuracy against depth, with 95% intervals"
        file = f"{FIGURES}/depth{f'-{index}' if len(groups) > 1 else ''}"
        whole.append(Picture(file, caption, partial(depth_figure, group, colours)))
    found = [whole]
    for index, result in enumerate(results, start=1):
        # in characters that every file system and link accepts
        name = re.sub(r"[^A-Za-z0-9.]+", "-", f"{result.comparison.model}-{result.comparison.dataset}")[:60]
        file, own = f"{FIGURES}/{f'{index}-' if len(results) > 1 else ''}{name}", []
        for curve, label in CURVES.items():
            draw = partial(curve_figure, result, curve, colours)
            own.append(Picture(f"{file}-{curve.replace('_', '-')}", f"{result.title}: {label} by epoch", draw))
        if result.pairs and len(results) > 1:  # else it is above already
            draw = partial(differences_figure, [result], colours, least_height=2.4)
            own.append(Picture(f"{file}-differences", f"{result.title}: p{paired}", draw))
        found.append(own)
    return found


def colours_of(results: list[SettingResult]) -> Styles:
    """Returns a colour and line style for each optimizer and its differences, the same in all figures of a report."""
    found = styles(arm.label for result in results for arm in result.arms)
    return found | {pair.name: found[pair.label] for result in results for pair in result.pairs}


def curve_figure(result: SettingResult, name: str, colours: Styles):
    """Draws a curve, a key of `CURVES`, of every optimizer: the seeds that finished, and those that diverged."""
    figure = new_figure(_WIDTH, 3.3)
    ax, (finished, diverged) = figure.subplots(), result.curves(name)
    plots.curves(finished, diverged=diverged, ylabel=CURVES[name], styles=colours, legend=False, ax=ax)
    if result.comparison.drop_epoch < result.comparison.epochs:
        ax.axvline(result.comparison.drop_epoch + 0.5, color="0.6", linestyle=":", linewidth=1)
    if name == "validation_accuracy":
        ax.set_ylim(0, 100)
    else:
        ax.set_yscale("log")
        low, high = ax.get_ylim()
        if high < 10 * low:  # powers of ten alone would give one label or none
            from matplotlib.ticker import MaxNLocator, NullLocator, ScalarFormatter

            ax.yaxis.set_major_locator(MaxNLocator(5))
            ax.yaxis.set_major_formatter(ScalarFormatter())
            ax.yaxis.set_minor_locator(NullLocator())
    return _finished(figure, result.title, columns=2)


def differences_figure(results: list[SettingResult], colours: Styles, *, least_height: float = 0.0):
    """Draws all paired differences, one below the other, under the titles of their settings."""
    blocks = [(textwrap.fill(each.title, 52, break_on_hyphens=False), each.pairs) for each in results if each.pairs]
    rows = sum(HEADING * (heading.count("\n") + 1) + ROW * len(pairs) + GAP for heading, pairs in blocks)
    figure = new_figure(_WIDTH, max(least_height, min(0.36 * rows + 0.8, 400)))  # no higher than a picture can be
    ax, top = figure.subplots(), 0.0
    for heading, pairs in blocks:
        plots.paired_differences(
            {pair.name: pair.difference.values for pair in pairs},
            intervals={pair.name: pair.interval for pair in pairs},
            marked={pair.name: pair.diverged for pair in pairs},
            heading=heading,
            styles=colours,
            top=top,
            ax=ax,
        )
        top = ax.get_ylim()[0]
    return figure


def depth_figure(group: DepthGroup, colours: Styles):
    figure = new_figure(_WIDTH, 3.7)
    how = {"intervals": group.intervals, "xlabel": "depth (the number in the model's name)", "styles": colours}
    plots.gain_against_depth(group.differences, **how, legend=False, ax=figure.subplots())
    return _finished(figure, group.title, columns=1)


def _finished(figure, title: str, *, columns: int):
    """Adds a title, and a legend below the axes. The figure grows if they need more than one and two lines."""
    lines = textwrap.wrap(plain(title), 48, break_on_hyphens=False)
    figure.suptitle("\n".join(lines), fontsize=FONT)
    more = len(lines) - 1
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if handles:
        labels = [shortened(label, 44) for label in labels]
        columns = columns if max(map(len, labels)) < 24 else 1
        options = {"frameon": False, "loc": "outside lower center", "fontsize": FONT}
        figure.legend(handles, labels, ncols=min(columns, len(handles)), **options)
        more += max(0, -(-len(handles) // columns) - 2)
    figure.set_figheight(figure.get_figheight() + 0.19 * more)
    return figure


def escaped(text: str) -> str:
    """Escapes text for Markdown, also text that looks like HTML or a table."""
    text = re.sub(r"([\\`*_\[\]|~#$!])", r"\\\1", str(text).replace("&", "&amp;"))
    return text.replace("<", "&lt;").replace(">", "&gt;")


_SPECIAL = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}", "±": r"$\pm$", "−": "$-$", "×": r"$\times$",
    "σ": r"$\sigma$", "γ": r"$\gamma$", "ε": r"$\varepsilon$", **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}  # fmt: skip


def latex_escaped(text: str) -> str:
    return re.sub("|".join(map(re.escape, _SPECIAL)), lambda match: _SPECIAL[match[0]], text)


def latex(results: list[SettingResult]) -> str:
    r"""Returns a `table` environment with booktabs, for `\input`, with a block of rows for each setting."""
    from pandas import concat

    columns = ["optimizer", "trained", "test %", "difference", "95% interval", "p (Holm)", "P(improve)"]
    frames = [words.optimizers_table(result, columns).assign(setting=result.title) for result in results]
    caption = (
        "Trained: how many seeds finished above chance level. Test accuracy in percent, mean ± standard deviation over "
        "seeds. Difference: to the parent without noise on equal seeds, in percentage points, with the 95% interval of "
        "the mean; p by the sign-flip test (with five seeds or fewer Student's t test) and Holm's correction; "
        "P(improve): the probability that a run has a higher accuracy than one of the parent."
    )
    shown = concat(frames).set_index(["setting", "optimizer"]).style.format(latex_escaped).hide(names=True)
    shown = shown.format_index(latex_escaped, axis=0).format_index(latex_escaped, axis=1)
    how = {"column_format": "llrrrrrr", "position_float": "centering", "multirow_align": "naive", "hrules": True}
    text = shown.to_latex(caption=latex_escaped(caption), **how)
    return "% \\usepackage{booktabs}, and for \\textquotedbl \\usepackage[T1]{fontenc}\n" + text


def csv(frame) -> str:
    return frame.map(_guarded).rename(columns=_guarded).to_csv(index=False, lineterminator="\n")


def _guarded(value: Any) -> Any:
    """Returns a value in one line that no spreadsheet takes for a formula."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    if not text.lstrip().startswith(("=", "+", "-", "@")):
        return text
    try:
        list(map(float, text.split()))
    except ValueError:
        return f"'{text}"
    return text


def html_table(frame) -> str:
    from pandas import option_context

    first = frame.columns[0]
    with option_context("display.max_colwidth", None):
        return frame.set_index(first).rename_axis(index=None, columns=first).to_html(border=0)
