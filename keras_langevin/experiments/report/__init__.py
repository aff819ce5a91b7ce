"""Reports over the results of one comparison or many: collect, analyse, write. No Keras.

>>> from keras_langevin.experiments import report
>>> cells = report.collect(["keras-langevin-results"])  # doctest: +SKIP
>>> report.write(report.analyse(cells), "my-report")  # doctest: +SKIP
"""

from keras_langevin.experiments.report.analysis import analyse
from keras_langevin.experiments.report.collecting import collect
from keras_langevin.experiments.report.sentences import about_setting
from keras_langevin.experiments.report.tables import table
from keras_langevin.experiments.report.writing import check_folder, write

__all__ = ["about_setting", "analyse", "check_folder", "collect", "table", "write"]
