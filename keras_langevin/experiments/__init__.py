"""Side-by-side experiments: configuration, runs, records, statistics, pictures.

`config`, `store`, `statistics`, `plots` and `report` need no Keras, so that results are read and drawn anywhere.
"""
