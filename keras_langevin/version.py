"""The version. setup.cfg reads it from here without importing Keras."""

__version__ = "0.1.0"
