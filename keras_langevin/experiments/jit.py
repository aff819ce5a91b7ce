"""Whether a training step is compiled as one."""

from functools import cache

import keras


def jit_compile(jit: str, model: keras.Model) -> bool | str:
    """What `Model.compile` is told.

    Args:
        jit: str, one of `config.JIT`.
        model: the model.
    """
    if jit != "auto":
        return jit == "on"
    if keras.backend.backend() == "torch":
        return False  # torch.compile wants a C++ compiler on the user's machine
    # On a processor TensorFlow's own convolutions are quicker than XLA's; Keras's choice is to use them there.
    has_convolutions = any(len(variable.shape) == 4 for variable in model.trainable_variables)
    return "auto" if has_convolutions else True


def check(jit: str):
    """Tells whether this machine can compile a step as one, where that is asked for.

    Raises:
        ValueError: `jit` is `"on"` and the backend PyTorch, whose `torch.compile` does not work: no C++ compiler, say.
    """
    if jit == "on" and keras.backend.backend() == "torch" and (why := _why_torch_cannot()):
        raise ValueError(
            f"With jit='on' on PyTorch torch.compile must work on this machine. Received: {why}. "
            "Install a C++ compiler (g++, say), or leave jit out."
        )


@cache
def _why_torch_cannot() -> str:
    import torch

    try:
        torch.compile(lambda x: x + 1)(torch.zeros(2))
    except Exception as error:  # of many classes, among them those of the compiler's process
        lines = str(error).strip().splitlines() or [""]
        return f"{type(error).__name__}: {lines[0]}"
    return ""
