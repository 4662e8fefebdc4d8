"""One function that reads a stranger's bytes, as the table of `inventory` declares it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.system.growth import shapes
from tests.system.growth.shapes import Shape

PLAIN = (shapes.PUNCTUATION, shapes.SPACE, shapes.TEXT, shapes.CHARACTERS)


@dataclass(frozen=True, slots=True)
class Subject:
    """run: from the bytes of a shape to the work; what the product answers with an exception is caught there.

    limit: bytes that reach the function at most (a longer input is refused or cut before it). families: what its
    input is made of. regressions: shapes that once were defects. base: bytes of memory that a call may take whatever
    its input: tables, caches, arenas of the allocators. quick: the units of `make test`, where another subject runs the
    same code over all of the families.
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
    def few(self) -> tuple[Shape, ...]:
        """The shapes of `make test`: the units of plain text are left out but for some that stand for them."""
        if self.quick:
            return shapes.single_shapes(self.quick)
        plain = {unit for family in PLAIN for unit in family}
        units = [unit for unit in self.units if unit not in plain or unit in shapes.FEW_UNITS]
        return shapes.single_shapes(tuple(units))


def text(data: bytes) -> str:
    """As what was decoded from a stranger's bytes: any code point but lone surrogates."""
    return data.decode("utf-8", "replace")
