"""Side-by-side experiments: configuration, runs, records, statistics, reports.

`config`, `store`, `statistics` and `report` need no Keras, so that results are read and drawn anywhere.
"""

from keras_langevin import extras

extras.check(
    "experiments",
    *("scipy", "pandas", "rich", "matplotlib", "jinja2", "filelock", "joblib", "sklearn"),
    what="keras_langevin.experiments",
)
