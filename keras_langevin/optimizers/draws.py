"""Groups variables into draws, and computes P for a draw."""

import math
import numbers

import keras
from keras import ops

from keras_langevin.optimizers import noise
from keras_langevin.optimizers.noise import Draw

# Variables with at most this many elements are drawn together: one draw for each would cost more to compile and launch
# than to compute. A round number, not tuned.
_SMALL = 1 << 16


def draws_of(variables, indices, places, law: str) -> list[tuple[tuple[int, ...], Draw]]:
    """Groups variables into draws: the small variables of each precision together, each large one alone.

    Args:
        variables: list of noisy variables.
        indices: their numbers in the optimizer.
        places: list of `noise.Place` of all of the optimizer's variables.
        law: str, the law of the noise.

    Returns:
        List of (numbers of the variables, their draw).
    """
    found = []
    by_dtype: dict[str, list[int]] = {}
    for variable, index in zip(variables, indices, strict=True):
        by_dtype.setdefault(noise_dtype(variable), []).append(index)
    for own in by_dtype.values():
        small = tuple(index for index in own if math.prod(places[index].shape) <= _SMALL)
        large = [(index,) for index in own if index not in small]
        for together in [small] * bool(small) + large:
            found.append((together, Draw(tuple(places[index] for index in together), len(together) > 1, law)))
    return found


class Preconditioner:
    """P of a draw, in the form that a backend needs. Its elements have the precision of the noise.

    Args:
        optimizer: the optimizer, after its parent's step.
        indices: tuple of ints, the numbers of the draw's variables in the optimizer.
        before: list with one entry for each of the optimizer's `slots_before`: a dict from a variable's number to its
            slot before the step, a tensor.
        gate: `LayerGate` or `None`. P is 0 in closed layers.
    """

    def __init__(self, optimizer, indices: tuple[int, ...], before: list[dict | None], gate=None):
        self._optimizer, self._indices, self._before, self._gate = optimizer, indices, before, gate
        self._dtype = noise_dtype(optimizer._trainable_variables[indices[0]])
        self._whole = None

    def of(self, position: int):
        """Returns P of one of the draw's variables: a tensor of its shape, or a scalar."""
        index = self._indices[position]
        factor = self._computed([slot_of(self._optimizer, kept, index) for kept in self._kept()])
        return factor if self._gate is None else _where(self._gate.of(index), factor)

    def whole(self, gaps: list[int] | None = None):
        """Returns P of the whole draw: a tensor of the draw's shape, or a scalar.

        Args:
            gaps: for a flat draw, how many padding elements to put before each variable, and after the last.
        """
        if self._whole is None:
            self._whole = self.of(0) if len(self._indices) == 1 else self._together(gaps)
        return self._whole

    def of_span(self, span: slice):
        """Returns P of consecutive elements of the draw's only variable: a flat tensor, or a scalar."""
        if not self._optimizer._is_elementwise:
            return self.whole() if not self.whole().shape else ops.reshape(self.whole(), [-1])[span]
        (index,) = self._indices
        slots = [slot_of(self._optimizer, kept, index) for kept in self._kept()]
        factor = self._computed([None if slot is None else ops.reshape(slot, [-1])[span] for slot in slots])
        return factor if self._gate is None else _where(self._gate.of(index), factor)

    def _together(self, gaps):
        shapes = [tuple(self._optimizer._trainable_variables[index].shape) for index in self._indices]
        if not self._optimizer._is_elementwise:
            return _flat([self.of(position) for position in range(len(shapes))], shapes, gaps)
        slots = []
        for kept in self._kept():
            of_each = [slot_of(self._optimizer, kept, index) for index in self._indices]
            slots.append(None if of_each[0] is None else _joined(of_each, gaps))
        factor = self._computed(slots)
        if self._gate is None:
            return factor
        return _where(_flat([self._gate.of(index) for index in self._indices], shapes, gaps), factor)

    def _kept(self) -> list:
        """Returns the slots of all variables: lists of variables, and dicts of tensors from before the step."""
        return [*map(self._optimizer._slot_list, self._optimizer._slots), *self._before]

    def _computed(self, slots):
        t = ops.cast(ops.convert_to_tensor(self._optimizer.iterations) + 1, self._dtype)
        slots = [None if slot is None else ops.cast(slot, self._dtype) for slot in slots]
        factor = self._optimizer.preconditioner(t, *slots)
        if isinstance(factor, numbers.Real):
            factor = ops.zeros_like(t) + factor  # on the device: PyTorch waits for the GPU if it copies a number to it
        return ops.cast(factor, self._dtype)


def slot_of(optimizer, kept, index: int):
    """Returns a variable's slot as a tensor, or `None` if the parent keeps no such slots. A variable without a slot
    (Keras overwrites it with its gradient) gets zeros."""
    if kept is None:
        return None
    slot = kept[index]
    if slot is None:
        return ops.zeros(optimizer._trainable_variables[index].shape)
    return slot.value if isinstance(slot, keras.Variable) else ops.convert_to_tensor(slot)


def _flat(values, shapes, gaps):
    """Joins the values of many variables, each a scalar or of its variable's shape, into one flat tensor."""
    return _joined([ops.broadcast_to(value, shape) for value, shape in zip(values, shapes, strict=True)], gaps)


def _joined(tensors, gaps):
    """Joins the elements of all tensors into one flat tensor, with zeros in the gaps."""
    if gaps is None:
        return noise.concatenate(tensors)
    parts = []
    for gap, tensor in zip(gaps, [*tensors, None], strict=True):
        parts += [ops.zeros((gap,), dtype=tensors[0].dtype)] * bool(gap) + [tensor] * (tensor is not None)
    return noise.concatenate(parts)


def _where(is_open, factor):
    return ops.where(is_open, factor, ops.zeros_like(factor))


def noise_dtype(variable) -> str:
    """Returns the precision of noise and P: float64 for a float64 variable, otherwise float32."""
    return "float64" if keras.backend.standardize_dtype(variable.dtype) == "float64" else "float32"
