"""Numbers as text."""

import math


def signed(value: float) -> str:
    """A difference with its sign, a true minus.

    >>> signed(1.5), signed(-0.25), signed(-0.001), signed(float("nan"))
    ('+1.50', '−0.25', '0.00', '-')
    """
    if math.isnan(value):
        return "-"
    text = f"{value:+.2f}"
    return "0.00" if float(text) == 0 else text.replace("-", "−")


def probability(value: float) -> str:
    """A p-value to three digits.

    >>> probability(0.0625), probability(1.0), probability(0.00001234)
    ('0.0625', '1', '1.23e-05')
    """
    return "-" if math.isnan(value) else f"{value:.3g}"


def plus_minus(mean: float, std: float = math.nan, form: str = ".2f") -> str:
    """Mean and standard deviation; the mean alone where there is no deviation.

    >>> plus_minus(92.5, 1.25), plus_minus(92.5)
    ('92.50 ± 1.25', '92.50')
    """
    if math.isnan(mean):
        return "-"
    return f"{mean:{form}}" if math.isnan(std) else f"{mean:{form}} ± {std:{form}}"


def count(number: int, noun: str) -> str:
    """A number and a noun.

    >>> count(1, "seed"), count(2, "seed")
    ('1 seed', '2 seeds')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"
