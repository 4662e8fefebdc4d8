"""HTML tokens, following the tokenizer of the HTML standard (13.2.5)."""

from __future__ import annotations

import re

# Possessive quantifiers prevent backtracking.
ATTRIBUTE = re.compile(
    r"""[^\t\n\f\r\ />][^\t\n\f\r\ />=]*+
        (?:[\t\n\f\r\ ]*+=[\t\n\f\r\ ]*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^\t\n\f\r\ >"'][^\t\n\f\r\ >]*+)?+)?+""",
    re.VERBOSE,
)
TOKEN = re.compile(
    rf"""<(?:
        !--(?:-?>|.*?(?:--!?>|\Z))
      | [!?][^>]*+
      | /(?![a-zA-Z])[^>]*+
      | (?P<end>/?)(?P<name>[a-zA-Z][^\t\n\f\r\ />]*+)
        (?P<attributes>(?:
            [\t\n\f\r\ /]++
          | {ATTRIBUTE.pattern}
        )*+)(?:>|\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)

FOREIGN = frozenset({"svg", "math"})
"""Elements with foreign content, in which other rules apply to `<![CDATA[` and raw text."""
RAW_TEXT = frozenset(["title", "textarea", "style", "script", "xmp", "iframe", "noembed", "noframes", "noscript"])
END_OF_RAW_TEXT = {name: re.compile(rf"</{name}(?=[\t\n\f\r />])", re.IGNORECASE) for name in RAW_TEXT}
