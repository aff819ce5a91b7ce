"""Gives each element of each variable a place in the noise's counter: shapes in, plain ints out.

The counter has 64 bits: the number of a block, and an element of the 2³² in that block. Variables follow one another in
the optimizer's order, noisy or not, so a variable's noise does not depend on which others are noisy. A variable that
does not fit into the rest of a block starts the next block. A variable larger than a block takes one block for each
index of its leading axes.
"""

import math
from typing import NamedTuple

import numpy as np

BLOCK = 1 << 32


class Place(NamedTuple):
    """The place of a variable's first element.

    Attributes:
        block: int, the number of the block.
        offset: int in [0, 2³²), the element in that block.
        shape: tuple of ints, the variable's shape.
    """

    block: int
    offset: int
    shape: tuple[int, ...]

    @property
    def leading_axes(self) -> int:
        """How many leading axes are counted in blocks. The other axes have at most 2³² elements."""
        return next(axis for axis in range(len(self.shape) + 1) if math.prod(self.shape[axis:]) <= BLOCK)


class Draw(NamedTuple):
    """The variables that are drawn at once: one, or several as one flat array (a pool).

    Attributes:
        places: tuple of `Place`.
        flat: whether the result has shape `(total size,)`. Otherwise it has the shape of the only variable.
        law: `"normal"` or `"rademacher"`. Defaults to `"normal"`.
    """

    places: tuple[Place, ...]
    flat: bool
    law: str = "normal"

    @property
    def shape(self) -> tuple[int, ...]:
        return (sum(math.prod(place.shape) for place in self.places),) if self.flat else self.places[0].shape

    @property
    def runs(self) -> list[tuple[int, int, int]]:
        """(block, first element, length) of each run of consecutive elements. Only for flat draws."""
        runs: list[tuple[int, int, int]] = []
        for place in self.places:
            size = math.prod(place.shape)
            if runs and (place.block, place.offset) == (runs[-1][0], runs[-1][1] + runs[-1][2]):
                runs[-1] = (*runs[-1][:2], runs[-1][2] + size)
            elif size:
                runs.append((place.block, place.offset, size))
        return runs

    def spans(self, longest: int) -> list[tuple[slice, int, int]]:
        """Splits the draw, in row-major order, into pieces of at most `longest` consecutive elements.

        Returns (slice of the draw, block, first element in the block) for each piece."""
        if self.flat or not self.places[0].leading_axes:
            runs = self._replace(flat=True).runs
        else:
            (place,) = self.places
            rows = math.prod(place.shape[: place.leading_axes])
            runs = [(place.block + row, 0, math.prod(place.shape[place.leading_axes :])) for row in range(rows)]
        spans, total = [], 0
        for block, first, length in runs:
            for begin in range(0, length, longest):
                size = min(longest, length - begin)
                spans.append((slice(total, total + size), block, first + begin))
                total += size
        return spans

    def rows(self, length: int) -> tuple[list[tuple[int, np.ndarray]], list[int]]:
        """Splits the runs into whole rows, so that one formula draws all runs of a block. Only for flat draws.

        Args:
            length: int, elements per row.

        Returns:
            List of (block, array of the first element of each row), one for consecutive runs in the same block; and
            list of ints, where each variable starts in the rows.
        """
        rows: list[tuple[int, list[np.ndarray]]] = []
        runs = self.runs
        for block, first, size in runs:
            if not rows or block != rows[-1][0]:
                rows.append((block, []))
            rows[-1][1].append(np.arange(first, first + size, length, "uint64").astype("uint32"))
        ends = np.cumsum([size for _, _, size in runs], dtype=int)
        filled_up = np.cumsum([0, *(-size % length for _, _, size in runs)], dtype=int)
        begins = np.cumsum([0, *(math.prod(place.shape) for place in self.places)], dtype=int)[:-1]
        starts = begins + filled_up[np.searchsorted(ends, begins, "right")]
        return [(block, np.concatenate(firsts)) for block, firsts in rows], starts.tolist()

    def gaps(self, length: int) -> list[int]:
        """Returns how many padding elements `rows` has before each variable, and after the last."""
        rows, starts = self.rows(length)
        ends = [start + math.prod(place.shape) for start, place in zip(starts, self.places, strict=True)]
        total = length * sum(len(firsts) for _, firsts in rows)
        return [start - end for end, start in zip([0, *ends], [*starts, total], strict=True)]


def places_of(shapes: list[tuple[int, ...]]) -> list[Place]:
    """Returns the place of each variable of an optimizer.

    Example:

    >>> [(place.block, place.offset) for place in places_of([(2, 3), (), (2**32,), (3, 2**31), (5,)])]
    [(0, 0), (0, 6), (1, 0), (2, 0), (5, 0)]
    """
    places = []
    counter = 0
    for shape in shapes:
        place = Place(*divmod(counter, BLOCK), tuple(shape))
        rows = math.prod(shape[: place.leading_axes])
        size = math.prod(shape[place.leading_axes :])
        if place.leading_axes or place.offset + size > BLOCK:
            counter = -(-counter // BLOCK) * BLOCK
        places.append(Place(*divmod(counter, BLOCK), tuple(shape)))
        counter += rows * BLOCK if place.leading_axes else size
    return places
