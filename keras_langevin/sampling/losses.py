"""Copies the loss that a model is compiled with."""


def own_loss(model):
    """Copies the compiled loss without its state: a function of labels and outputs that returns their mean loss. It
    leaves out the losses of layers and regularizers.

    Args:
        model: a Keras model.

    Returns:
        Keras's `CompileLoss`, not yet built by `build(y, y_pred)`; `None` for a model compiled without a loss.
    """
    compiled = getattr(model, "_compile_loss", None)
    if compiled is None:
        return None
    return type(compiled)(compiled._user_loss, compiled._user_loss_weights, output_names=compiled.output_names)
