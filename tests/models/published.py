"""Published parameter counts, in millions.

`python -m tests.models.published` prints a table of ours next to them.

References:
    He, Zhang, Ren and Sun, CVPR 2016, table 6; Huang, Liu, van der Maaten and Weinberger, CVPR 2017, table 2; and for
    DenseNet-121 the documentation of `keras.applications` (8.1 M with the 1000 classes of ImageNet).
"""

import math

from keras_langevin import models

BC = {"bottleneck": True, "compression": 0.5}

# name, options, published count in millions as printed
PUBLISHED = [
    ("resnet-20", {}, "0.27"),
    ("resnet-32", {}, "0.46"),
    ("resnet-44", {}, "0.66"),
    ("resnet-56", {}, "0.85"),
    ("resnet-110", {}, "1.7"),
    ("densenet-40", {}, "1.0"),
    ("densenet-100", {}, "7.0"),
    ("densenet-100", BC, "0.8"),
    ("densenet-121", {}, "8.1"),
]


def parameters(name: str, options: dict) -> tuple[int, int]:
    """Returns the numbers of trainable and of all parameters, for CIFAR-10 or, if the net is made for it, ImageNet."""
    if name == "densenet-121":
        model = models.build(name, (224, 224, 3), 1000, **options)
    else:  # zeros are fastest to create
        model = models.build(name, (32, 32, 3), 10, kernel_initializer="zeros", **options)
    return sum(math.prod(variable.shape) for variable in model.trainable_variables), model.count_params()


def table() -> str:
    """Returns the table in Markdown."""
    lines = ["| model | trainable parameters | all parameters | published |", "|---|---|---|---|"]
    for name, options, published in PUBLISHED:
        arguments = "".join(f", {key}={value}" for key, value in options.items())
        trainable, total = parameters(name, options)
        lines.append(f"| {name}{arguments} | {trainable:,} | {total:,} | {published} M |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
