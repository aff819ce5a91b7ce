"""Reports over the results of one comparison or many: collect, analyse, write. No Keras."""

from keras_langevin import extras
from keras_langevin.experiments.report.analysis import analyse
from keras_langevin.experiments.report.collecting import collect
from keras_langevin.experiments.report.words import about_setting, show, terminal_table
from keras_langevin.experiments.report.writing import write

extras.check("experiments", "pandas", "matplotlib", "jinja2", what="keras_langevin.experiments.report")

__all__ = ["about_setting", "analyse", "collect", "show", "terminal_table", "write"]
