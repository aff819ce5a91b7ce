"""Names that users type."""

import difflib
from collections.abc import Iterable


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
    near = difflib.get_close_matches(name.lower(), [*known, *also], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return ValueError(f"Unknown {kind} {name!r}.{hint} There are: {', '.join(known)}.")
