"""Names that users type, and the files and folders that are named after them."""

import difflib
import hashlib
import itertools
import re
from collections.abc import Iterable

_LONGEST = 80  # letters; file systems take 255 bytes with what is added


def digest(text: str) -> str:
    """Eight hexadecimal digits of the text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def plain(text: str) -> str:
    """A text in letters that every file system takes; no path leads out of a folder by it.

    >>> plain("../TFDS/config")
    '.._tfds_config'
    """
    return re.sub(r"[^\w.@-]", "_", text.lower(), flags=re.ASCII)[:_LONGEST]


def file_name(text: str) -> str:
    """`plain`, with a digest where that leaves out a difference from another text.

    >>> file_name("ladam@0.3"), file_name("ladam@a/b"), file_name("ladam@a_b")
    ('ladam@0.3', 'ladam@a_b-f913bb1f', 'ladam@a_b')
    """
    letters = plain(text)
    return letters if letters == text else f"{letters}-{digest(text)}"


def printable(text: str) -> str:
    r"""A text in one line: control characters and line ends are spaces.

    >>> printable("a\n\x1bb")
    'a  b'
    """
    return "".join(letter if letter.isprintable() else " " for letter in text)


def shown(value: object, longest: int = 80) -> str:
    """A value as an error shows it: its `repr`, cut where it is longer than so many letters.

    >>> shown("a" * 100, longest=10)
    "'aaaaaa..."
    """
    try:
        text = repr(value)
    except ValueError:  # an int of more digits than Python writes
        text = f"an int of {value.bit_length()} bits"
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def count(number: int, noun: str) -> str:
    """A number and a noun.

    >>> count(1, "seed"), count(2, "seed")
    ('1 seed', '2 seeds')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def unknown(kind: str, name: str, known: Iterable[str], also: Iterable[str] = ()) -> ValueError:
    """The error for an unknown name, with the nearest known one.

    Args:
        kind: what is named, e.g. `"optimizer"`.
        name: what was received.
        known: the names that there are.
        also: further names, too many to list: they are suggested only. Defaults to none.

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
    """The names, with a number where one comes again or is taken.

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
