"""Image-classification data by name: train, validation and test.

What needs Keras is in `keras_langevin.datasets.preprocessing`, so that data are loaded, drawn and exported without it.
"""

from keras_langevin.datasets.data import CorruptDatasetError, Data, DatasetNotFoundError, Split
from keras_langevin.datasets.exported import export
from keras_langevin.datasets.loading import NAMES, load

__all__ = ["NAMES", "CorruptDatasetError", "Data", "DatasetNotFoundError", "Split", "export", "load"]
