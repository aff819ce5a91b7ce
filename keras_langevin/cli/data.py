"""`keras-langevin data`: lists the datasets, draws samples, and exports a dataset for use without TensorFlow."""

import argparse

from keras_langevin.cli.terminal import add_shared, new_command, new_console
from keras_langevin.files import check_writable


def add(commands):
    summary = "List the datasets, draw samples, export one for a machine without TensorFlow."
    parser = commands.add_parser("data", help=summary, description=summary)
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    add_shared(new_command(actions, "list", _list), "--data-dir")
    for name, run, written in (("show", _show, "the picture, a PNG file"), ("export", _export, "the file, NAME.npz")):
        option = new_command(actions, name, run)
        option("name", metavar="NAME", help="a dataset, as in compare --dataset")
        option("--out", required=True, help=written)
        add_shared(option, "--data-dir", *(["--data-file"] if name == "show" else []))


def _list(options: argparse.Namespace):
    """List the datasets, their sizes, and which are prepared."""
    from rich.table import Table

    from keras_langevin.datasets.loading import listing
    from keras_langevin.datasets.prepared import data_folder

    table = Table("name", "shape", "classes", "train", "test", "where", box=None, pad_edge=False)
    for entry in listing(options.data_dir):
        counts = (f"{count:,}" if count else "-" for count in (entry.num_classes, entry.num_train, entry.num_test))
        table.add_row(entry.label, _times(entry.shape) or "-", *counts, entry.where or "not prepared")
    console = new_console()
    console.print(table, soft_wrap=False)
    console.print(
        f"Prepared sets are those in {data_folder(options.data_dir)} (--data-dir, else TFDS_DATA_DIR, else "
        "tensorflow-datasets' default); others are downloaded when they are first used."
    )


def _show(options: argparse.Namespace):
    """Draw labelled samples of the training split."""
    from keras_langevin.datasets import load
    from keras_langevin.plots.files import samples_figure

    path = check_writable(options.out)
    data = load(options.name, data_dir=options.data_dir, data_file=options.data_file)
    title = (
        f"{data.label}: {data.num_classes} classes, {_times(data.input_shape)}; "
        f"{len(data.train.x) + len(data.validation.x):,} training and {len(data.test.x):,} test examples"
    )
    try:
        samples_figure(data.train.x, data.train.y, data.class_names, title=title, path=path)
    except OSError as error:
        raise ValueError(f"{path} cannot be written ({error.strerror}). Choose another --out.") from error
    print(f"{title}\n  {path}")


def _export(options: argparse.Namespace):
    """Write one file that --data-file reads without TensorFlow."""
    from keras_langevin.datasets import export

    written = export(options.name, options.out, data_dir=options.data_dir)
    print(f"{written.label}: {written.num_images:,} images, {written.num_bytes / 1e6:.1f} MB")
    print(f"  {written.file}")
    print(f"To train on it: keras-langevin compare --dataset {options.name} --data-file {written.file}")


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
