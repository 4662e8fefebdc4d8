"""The description of a function that reads untrusted bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.system.growth import shapes
from tests.system.growth.shapes import Shape

PLAIN = (shapes.PUNCTUATION, shapes.SPACE, shapes.TEXT, shapes.CHARACTERS)


@dataclass(frozen=True, slots=True)
class Subject:
    """A function under test and its inputs.

    Attributes:
        run: Processes the bytes of a shape; catches exceptions that the product handles.
        limit: Maximum size of the inputs in bytes. The product may accept larger ones.
        families: Groups of units, from which the shapes are built.
        regressions: Shapes of fixed defects.
        base: Memory in bytes that is independent of the input.
        quick: The units that `make test` uses; empty to select some from `families`.
    """

    name: str
    run: Callable[[bytes], object]
    limit: int
    families: tuple[tuple[bytes, ...], ...] = PLAIN
    regressions: tuple[Shape, ...] = ()
    base: int = 4 << 20
    quick: tuple[bytes, ...] = ()

    @property
    def units(self) -> tuple[bytes, ...]:
        return tuple(unit for family in self.families for unit in family)

    @property
    def quick_shapes(self) -> tuple[Shape, ...]:
        """The shapes of `make test`, without `regressions`.

        Without `quick`, a few units represent all units of `PLAIN`.
        """
        if self.quick:
            return shapes.single_shapes(self.quick)
        plain = {unit for family in PLAIN for unit in family}
        units = [unit for unit in self.units if unit not in plain or unit in shapes.FEW_UNITS]
        return shapes.single_shapes(tuple(units))


def decode_text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
