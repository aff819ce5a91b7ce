"""Side-by-side experiments: configuration, runs, records, statistics, reports.

`config`, `store`, `statistics` and `report` need no Keras, so that results are read and drawn anywhere.
"""
