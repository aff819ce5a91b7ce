"""Checks for optional packages. `pip install "keras-langevin[EXTRA]"` installs them; they are imported on use."""

from importlib.util import find_spec


def check(extra: str, *modules: str, what: str = "This part of keras-langevin"):
    """Checks that the modules of an extra are installed, without importing them.

    Args:
        extra: str, the extra's name in setup.cfg.
        *modules: str, the modules' names.
        what: str, what needs them, for the error.

    Raises:
        ImportError: some are not installed.

    Example:

    >>> check("experiments", "a_module_of_nobody", what="The report")
    Traceback (most recent call last):
    ImportError: The report needs a_module_of_nobody, which is not installed. Run: pip install \
"keras-langevin[experiments]"
    """
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        names = " and ".join([", ".join(missing[:-1]), missing[-1]] if len(missing) > 1 else missing)
        raise ImportError(
            f"{what} needs {names}, which {'are' if len(missing) > 1 else 'is'} not installed. Run: pip install "
            f'"keras-langevin[{extra}]"'
        )
