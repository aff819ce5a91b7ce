"""`keras-langevin data`: which datasets there are, what they look like, and a file for machines without TensorFlow."""

import argparse
import os

from rich.console import Console
from rich.table import Table

from keras_langevin.cli.terminal import UsageError, add_data_dir, add_data_file


def add(commands):
    """Adds the sub-command."""
    parser = commands.add_parser(
        "data",
        help="list the datasets, draw samples, export one for a machine without TensorFlow",
        description="What there is to train on.",
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    _add(actions, "list", _list, "the datasets, their sizes, and which are prepared")
    show = _add(actions, "show", _show, "draw labelled samples of the training split")
    export = _add(actions, "export", _export, "write one file, read by --data-file without TensorFlow")
    for action, what in ((show, "the picture, a PNG file"), (export, "the file, conventionally NAME.npz")):
        action.add_argument("name", metavar="NAME", help="as compare's --dataset")
        action.add_argument("--out", required=True, help=what)
    add_data_file(show)


def _add(actions, name: str, run, summary: str) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    add_data_dir(parser)
    parser.set_defaults(run=lambda options: _checked(run, options))
    return parser


def _checked(run, options: argparse.Namespace) -> int:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        run(options)
    except ValueError as error:
        raise UsageError(error) from error
    return 0


def _list(options: argparse.Namespace):
    from keras_langevin.datasets.loading import listing
    from keras_langevin.datasets.prepared import data_folder

    table = Table("name", "shape", "classes", "train", "test", "where", box=None, pad_edge=False)
    for entry in listing(options.data_dir):
        shape = "×".join(map(str, entry.shape)) or "-"
        counts = (f"{count:,}" if count else "-" for count in (entry.num_classes, entry.num_train, entry.num_test))
        table.add_row(entry.label, shape, *counts, entry.where or "not prepared")
    console = Console()
    console.print(table)
    console.print(
        f"Prepared sets are those in {data_folder(options.data_dir)} (--data-dir, else TFDS_DATA_DIR, else "
        "tensorflow-datasets' default); others are downloaded when they are first used.",
        soft_wrap=True,
        highlight=False,
    )


def _show(options: argparse.Namespace):
    from keras_langevin.datasets import load
    from keras_langevin.files import check_writable
    from keras_langevin.plots.files import samples_figure

    path = check_writable(options.out)
    data = load(options.name, data_dir=options.data_dir, data_file=options.data_file)
    title = (
        f"{data.label}: {data.num_classes} classes, {'×'.join(map(str, data.input_shape))}; "
        f"{len(data.train.x) + len(data.validation.x):,} training and {len(data.test.x):,} test examples"
    )
    try:
        samples_figure(data.train.x, data.train.y, data.class_names, title=title, path=path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}). Choose another --out.") from error
    print(title)
    print(f"  {path}")


def _export(options: argparse.Namespace):
    from keras_langevin.datasets import export

    written = export(options.name, options.out, data_dir=options.data_dir)
    print(f"{written.label}: {written.num_images:,} images, {written.num_bytes / 1e6:.1f} MB")
    print(f"  {written.file}")
    print(f"To train on it: keras-langevin compare --dataset {options.name} --data-file {written.file}")
