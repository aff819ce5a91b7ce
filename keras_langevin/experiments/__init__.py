"""Side-by-side experiments: configuration, runs, records, statistics, reports.

`config`, `store`, `statistics` and `report` need no Keras, so that results are read and drawn anywhere.
"""

from keras_langevin import extras

# what training needs; `report` and `engines.Processes` say what else they do
extras.check("experiments", "scipy", "rich", "filelock", what="keras_langevin.experiments")
