"""The report's table in LaTeX, for a paper."""

import re

from keras_langevin.experiments.report.analysis import CellResult
from keras_langevin.experiments.report.numbers import count
from keras_langevin.experiments.report.tables import COLUMNS, cell_rows

# These have a line of their own below, for a page is narrow.
_BELOW = ("median %", "each seed %", "failures")
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
    "−": "$-$",
    "×": r"$\times$",
    "σ": r"$\sigma$",
    "γ": r"$\gamma$",
    "ε": r"$\varepsilon$",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}


def latex(results: list[CellResult]) -> str:
    r"""A `table` environment with booktabs, to be read with `\input`: a block of rows for each setting.

    Args:
        results: what `analyse` returned.
    """
    heads = [name for name in COLUMNS if name not in _BELOW]
    num_differences = sum(len(result.pairs) for result in results)
    lines = [
        "% \\usepackage{booktabs}, and for \\textquotedbl \\usepackage[T1]{fontenc}",
        r"\begin{table}",
        r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"\begin{{tabular}}{{@{{}}l{'r' * (len(heads) - 1)}@{{}}}}",
        r"\toprule",
        _row(heads),
    ]
    for result in results:
        lines += [r"\midrule", rf"\multicolumn{{{len(heads)}}}{{@{{}}l}}{{\textit{{{escaped(result.title)}}}}} \\"]
        for row in (dict(zip(COLUMNS, values, strict=True)) for values in cell_rows(result)):
            lines.append(_row([row[name] for name in heads]))
            below = escaped("; ".join(f"{name.removesuffix(' %')}: {row[name]}" for name in _BELOW))
            lines.append(rf"\multicolumn{{{len(heads)}}}{{@{{}}l}}{{\quad\scriptsize {below}}} \\")
    caption = (
        "Test accuracy in percent: mean ± standard deviation over seeds, median, every seed's value (* diverged). "
        "Difference: to the parent without noise on equal seeds, in percentage points, with the 95% interval "
        "of the mean; p by the sign-flip test (with five seeds or fewer Student's t test), and by Holm's correction "
        f"over {count(num_differences, 'difference')}."
    )
    lines += [r"\bottomrule", r"\end{tabular}", rf"\caption{{{escaped(caption)}}}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    r"""Text that LaTeX prints as it is.

    Example:

    >>> print(escaped("30%-Layer_\\{x}"))
    30\%-Layer\_\textbackslash{}\{x\}
    """
    return re.sub("|".join(map(re.escape, _SPECIAL)), lambda match: _SPECIAL[match[0]], text)


def _row(values: list[str]) -> str:
    return " & ".join(map(escaped, values)) + r" \\"
