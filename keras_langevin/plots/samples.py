"""Labelled images of a dataset."""

from pathlib import Path

import numpy as np

from keras_langevin.plots.files import new_figure, save_figure


def samples_figure(images, labels, class_names, *, title: str, path: Path):
    """Writes a PNG: samples of up to 100 classes, the first ones of each class, under their class's name.

    Args:
        images: uint8 array of shape `(num_examples, height, width, channels)`, or floats in [0, 1].
        labels: int array of shape `(num_examples,)`, class numbers.
        class_names: sequence of str.
        title: str.
        path: where the PNG goes.
    """
    classes = [number for number in range(len(class_names)) if np.any(labels == number)][:100]
    columns = min(10, len(classes))
    rounds = max(1, 60 // len(classes))  # how often each class is shown
    chosen = [np.flatnonzero(labels == number)[:rounds] for number in classes]
    # round by round, each in lines of `columns`
    order = [indices[turn] for turn in range(rounds) for indices in chosen if turn < len(indices)]
    rows = -(-len(order) // columns)
    figure = new_figure(1.05 * columns, 1.2 * rows + 0.6)
    white = 1 if np.issubdtype(images.dtype, np.floating) else 255
    for position, ax in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        ax.set_axis_off()
        if position < len(order):
            image = images[order[position]]
            grey = {"cmap": "gray", "vmin": 0, "vmax": white} if image.shape[-1] == 1 else {}
            ax.imshow(image[..., 0] if grey else image, interpolation="nearest", **grey)
            ax.set_title(class_names[labels[order[position]]], fontsize=8, pad=2)
    figure.suptitle(title, fontsize=9.5)
    save_figure(figure, path)
