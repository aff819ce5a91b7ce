"""Side-by-side experiments: configuration, runs, records, statistics, reports.

`config`, `store`, `statistics` and `report` need no Keras, so results can be read and drawn anywhere.
"""

from keras_langevin import extras

# what training needs; `report` and `engines.Processes` check what they need as well
extras.check("experiments", "scipy", "rich", "filelock", what="keras_langevin.experiments")
