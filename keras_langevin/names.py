"""Errors for names that users type, and names of files made from them."""

import difflib
import hashlib
import itertools
import re
from collections.abc import Iterable

_LONGEST = 80  # letters; with suffixes, that fits into the 255 bytes of file systems


def digest(text: str) -> str:
    """Returns the first eight hexadecimal digits of the text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def plain(text: str) -> str:
    """Returns the text in lower case, with `_` for path separators and other characters that a file system may reject.

    >>> plain("../TFDS/config")
    '.._tfds_config'
    """
    return re.sub(r"[^\w.@-]", "_", text.lower(), flags=re.ASCII)[:_LONGEST]


def file_name(text: str) -> str:
    """Returns `plain(text)`, with a digest if that differs from the text, so that names of different texts differ.

    >>> file_name("ladam@0.3"), file_name("ladam@a/b"), file_name("ladam@a_b")
    ('ladam@0.3', 'ladam@a_b-f913bb1f', 'ladam@a_b')
    """
    letters = plain(text)
    return letters if letters == text else f"{letters}-{digest(text)}"


def printable(text: str) -> str:
    r"""Returns the text on one line, with spaces for control characters and line ends.

    >>> printable("a\n\x1bb")
    'a  b'
    """
    return "".join(letter if letter.isprintable() else " " for letter in text)


def shown(value: object, longest: int = 80) -> str:
    """Returns a value's `repr` for an error, cut to `longest` letters.

    >>> shown("a" * 100, longest=10)
    "'aaaaaa..."
    """
    try:
        text = repr(value)
    except ValueError:  # an int with more digits than Python prints
        text = f"an int of {value.bit_length()} bits"
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def count(number: int, noun: str) -> str:
    """Returns a number with its noun in the singular or plural.

    >>> count(1, "seed"), count(2, "seed")
    ('1 seed', '2 seeds')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def unknown(kind: str, name: str, known: Iterable[str], also: Iterable[str] = ()) -> ValueError:
    """Returns the error for an unknown name. It suggests the nearest known one.

    Args:
        kind: what is named, e.g. `"optimizer"`.
        name: the name received.
        known: the known names.
        also: more known names, which are suggested but are too many to list. Defaults to none.

    Example:

    >>> raise unknown("dataset", "minst", ["digits", "mnist"])
    Traceback (most recent call last):
    ValueError: Unknown dataset 'minst'. Did you mean 'mnist'? There are: digits, mnist.
    """
    known = list(known)
    near = difflib.get_close_matches(str(name)[:_LONGEST].lower(), [*known, *also], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    listed = ", ".join(repr(each) if " " in each else each for each in known)
    return ValueError(f"Unknown {kind} {shown(name)}.{hint} There are: {listed}.")


def distinct(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """Returns the names, with a number added to each that repeats or is taken.

    Example:

    >>> distinct(["fc", "out", "fc"])
    ['fc', 'out', 'fc (2)']
    """
    seen, found = set(taken), []
    for name in names:
        numbered = (f"{name} ({number})" for number in itertools.count(2))
        found.append(next(each for each in itertools.chain([name], numbered) if each not in seen))
        seen.add(found[-1])
    return found
