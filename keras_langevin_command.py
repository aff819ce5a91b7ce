"""The command `keras-langevin`.

It stands outside the package, because `import keras_langevin` imports Keras on the backend that is set then. The
command chooses the backend first, and some of its work needs no Keras. So where this module is imported, the package
imports Keras only where it is used.
"""

import sys


def main(arguments: list[str] | None = None) -> int:
    try:
        from keras_langevin.cli import main
    except ImportError as error:  # the packages of the command are an extra
        print(f"keras-langevin: error: {error}", file=sys.stderr)
        return 2
    return main(arguments)


if __name__ == "__main__":
    sys.modules["keras_langevin_command"] = sys.modules["__main__"]
    sys.exit(main())
