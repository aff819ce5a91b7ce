"""The loss that a model is compiled with, apart from the model."""


def own_loss(model):
    """A copy of the compiled loss without a state, a function of labels and outputs that returns their mean loss; the
    losses of layers and regularizers are not part of it.

    Args:
        model: a Keras model.

    Returns:
        Keras's `CompileLoss`, to be built by `build(y, y_pred)`; `None` for a model that is compiled without a loss.
    """
    compiled = getattr(model, "_compile_loss", None)
    if compiled is None:
        return None
    return type(compiled)(compiled._user_loss, compiled._user_loss_weights, output_names=compiled.output_names)
