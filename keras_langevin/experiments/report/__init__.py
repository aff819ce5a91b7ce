"""Reports over the results of one comparison or many: collect, analyse, write. No Keras."""

from keras_langevin.experiments.report.analysis import analyse
from keras_langevin.experiments.report.collecting import collect
from keras_langevin.experiments.report.words import about_setting, show, terminal_table
from keras_langevin.experiments.report.writing import write

__all__ = ["about_setting", "analyse", "collect", "show", "terminal_table", "write"]
