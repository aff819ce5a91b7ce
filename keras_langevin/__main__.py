"""`python -m keras_langevin`: the command `keras-langevin`."""

import sys

from keras_langevin.cli import main

if __name__ == "__main__":
    sys.exit(main())
