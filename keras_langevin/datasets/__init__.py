"""Image-classification data by name: train, validation and test.

Only `keras_langevin.datasets.preprocessing` needs Keras. Loading, drawing and exporting data do not.
"""

from keras_langevin.datasets.data import CorruptDatasetError, Data, DatasetNotFoundError, Split
from keras_langevin.datasets.exported import export
from keras_langevin.datasets.loading import NAMES, load

__all__ = ["NAMES", "CorruptDatasetError", "Data", "DatasetNotFoundError", "Split", "export", "load"]
