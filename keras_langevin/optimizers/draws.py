"""What is drawn at once, and P for it."""

import keras
from keras import ops

from keras_langevin.optimizers import noise
from keras_langevin.optimizers.noise import Draw

# Variables of at most so many elements are drawn together: a draw for each costs more to compile and to launch than to
# compute. A round number, not tuned.
_SMALL = 1 << 16


def draws_of(variables, indices, places, law: str) -> list[tuple[tuple[int, ...], Draw]]:
    """What is drawn at once: the small variables of a precision together, each large one alone.

    Args:
        variables: list of noisy variables.
        indices: their numbers in the optimizer.
        places: list of `noise.Place` of all of the optimizer's variables.
        law: of the noise.

    Returns:
        List of pairs: the numbers of the variables, and their draw.
    """
    found = []
    by_dtype: dict[str, list[int]] = {}
    for variable, index in zip(variables, indices, strict=True):
        by_dtype.setdefault(noise_dtype(variable), []).append(index)
    for numbers in by_dtype.values():
        for chosen in noise.pooled([places[index] for index in numbers], _SMALL):
            together = tuple(numbers[i] for i in chosen)
            found.append((together, Draw(tuple(places[index] for index in together), len(together) > 1, law)))
    return found


class Preconditioner:
    """P of a draw, in the form in which a backend works on it. Its elements are in the precision of the noise.

    Args:
        optimizer: the optimizer, after its parent's step.
        indices: tuple of ints, the numbers of the draw's variables in the optimizer.
        draw: `noise.Draw`.
        before: for each of the optimizer's `slots_before`, a dict from a variable's number to the tensor that the slot
            was before the step.
        gate: `LayerGate` or `None`. Where it is closed, P is 0.
    """

    def __init__(self, optimizer, indices: tuple[int, ...], draw: Draw, before: list[dict | None], gate=None):
        self._optimizer, self._indices, self._draw, self._before = optimizer, indices, draw, before
        self._gate = gate
        self._dtype = noise_dtype(optimizer._trainable_variables[indices[0]])
        self._found = None

    def of(self, number: int):
        """P of the draw's variable of that number: a tensor of its shape, or a scalar."""
        index = self._indices[number]
        factor = self._from([slot_of(self._optimizer, slots, index) for slots in self._slots()])
        return factor if self._gate is None else _where(self._gate.of(index), factor)

    def whole(self):
        """P of the whole draw: a tensor of the draw's shape, or a scalar."""
        if self._found is None:
            self._found = self.of(0) if len(self._indices) == 1 else self._together()
        return self._found

    def of_span(self, span: slice):
        """P of neighbouring elements of the draw's one variable: a flat tensor, or a scalar."""
        if not self._optimizer._is_elementwise:
            return self.whole() if not self.whole().shape else ops.reshape(self.whole(), [-1])[span]
        (index,) = self._indices
        slots = [slot_of(self._optimizer, slots, index) for slots in self._slots()]
        factor = self._from([None if slot is None else ops.reshape(slot, [-1])[span] for slot in slots])
        return factor if self._gate is None else _where(self._gate.of(index), factor)

    def _together(self):
        shapes = [place.shape for place in self._draw.places]
        if not self._optimizer._is_elementwise:
            factors = [self.of(number) for number in range(len(shapes))]
            return _flat(factors, shapes)
        slots = [[slot_of(self._optimizer, slots, index) for index in self._indices] for slots in self._slots()]
        factor = self._from([None if slot[0] is None else noise.concatenate(slot) for slot in slots])
        if self._gate is None:
            return factor
        return _where(_flat([self._gate.of(index) for index in self._indices], shapes), factor)

    def _slots(self) -> list:
        return [*map(self._optimizer._slots_named, self._optimizer._slots), *self._before]

    def _from(self, tensors):
        t = ops.cast(self._optimizer.iterations + 1, self._dtype)
        tensors = [None if tensor is None else ops.cast(tensor, self._dtype) for tensor in tensors]
        return ops.cast(self._optimizer.preconditioner(t, *tensors), self._dtype)


def slot_of(optimizer, slots, index: int):
    """A variable's slot as a tensor; `None` where the parent keeps none, and zeros where it keeps none of this variable
    (one that Keras overwrites with its gradient)."""
    if slots is None:
        return None
    if slots[index] is None:
        return ops.zeros(optimizer._trainable_variables[index].shape)
    return ops.convert_to_tensor(slots[index])


def _flat(values, shapes):
    """Values of many variables, each a scalar or of its variable's shape, in one flat tensor."""
    return noise.concatenate([ops.broadcast_to(value, shape) for value, shape in zip(values, shapes, strict=True)])


def _where(is_open, factor):
    return ops.where(is_open, factor, ops.zeros_like(factor))


def noise_dtype(variable) -> str:
    """The precision of noise and P: float64 for a float64 variable, else float32."""
    return "float64" if keras.backend.standardize_dtype(variable.dtype) == "float64" else "float32"
