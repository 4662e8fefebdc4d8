"""Optional parts of SQL texts: a query has a variant for each combination of conditions on its parameters.

- `{if status: AND t.status = :status}` is included if the parameter `status` is given: neither None nor False.
- Conditions are separated by commas, and all must hold: `{if alias_id, not status: ...}`,
  `{if state = dead: ...}`, `{if not state = pending: ...}`. `{if has status: ...}` only requires the parameter, whose
  value may be None.
- `{union TICKET_STATUS: SELECT ... WHERE status = @ ...}` becomes one SELECT for each value of the `Choice` in
  `router/enumerations.py`, joined with UNION ALL. `@` is the value as a literal.

Parts can be nested. An index must fit each variant, so the text may differ where the best plan differs. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from router import enumerations
from router.choice import Choice

_INNERMOST = re.compile(r"\{(if|union) ([^{}:]+):([^{}]*)\}")
_HEAD = re.compile(r"\{if ([^{}:]+):")
_CONDITION = re.compile(r"(not |has )?(\w+)(?: = (\w+))?")


@dataclass(frozen=True, slots=True)
class Condition:
    """Whether a parameter is given, or has the value `value`. The prefix is `not `, `has ` or empty."""

    parameter: str
    value: str | None = None
    prefix: str = ""

    def holds(self, values: Mapping[str, object]) -> bool:
        if self.prefix == "has ":
            return self.parameter in values
        given = values.get(self.parameter)
        met = given is not None and given is not False if self.value is None else given == self.value
        return met is not bool(self.prefix)


def find_conditions(text: str) -> tuple[Condition, ...]:
    """Returns the distinct conditions of a text. Raises ValueError for a malformed one."""
    return tuple(dict.fromkeys(each for head in _HEAD.findall(text) for each in _parse(head)))


def select_parts(text: str, holding: frozenset[Condition]) -> str:
    """Returns the text with the parts whose conditions hold."""
    while (part := _INNERMOST.search(text)) is not None:
        kind, head, body = part.groups()
        if kind == "union":
            body = _union(head, body)
        elif not holding.issuperset(_parse(head)):
            body = ""
        text = f"{text[: part.start()]}{body.strip()}{text[part.end() :]}"
    return text


def _parse(head: str) -> Iterator[Condition]:
    for part in head.split(","):
        match = _CONDITION.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{{if {head}: ...}}: {part.strip()!r} is not a condition")
        yield Condition(match[2], match[3], match[1] or "")


def _union(name: str, body: str) -> str:
    choice: Choice[str] | None = getattr(enumerations, name, None)
    if choice is None:
        raise ValueError(f"{{union {name}: ...}}: router/enumerations.py has no choice {name}")
    return " UNION ALL ".join(body.strip().replace("@", f"'{value}'") for value in choice.values)
