"""Completion in bash.

bash splits the line at `@`, `=` and `:` (COMP_WORDBREAKS), so click's own class cannot complete the end of an address,
and it inserts spaces and `*` unquoted. This class parses the line itself and returns what bash must insert.
"""

from __future__ import annotations

import os
import re
import shlex
from typing import Any

from click.shell_completion import BashComplete, CompletionItem, split_arg_string

_SOURCE = """\
%(complete_func)s() {
    local IFS=$'\\n' response line
    response=$(env COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORDBREAKS="$COMP_WORDBREAKS" \
%(complete_var)s=bash_complete "$1" 2>/dev/null)
    COMPREPLY=()
    for line in $response; do
        case $line in
            dir,*) compopt -o dirnames ;;
            file,*) compopt -o default ;;
            plain,*) COMPREPLY+=("${line#plain,}") ;;
        esac
    done
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""
# Characters that the shell would interpret outside quotes.
_SPECIAL = re.compile(r"""[\s\\'"`$&|;<>()*?\[\]#!{}~]""")


class BashCompletion(BashComplete):
    """Uses COMP_LINE, the line up to the cursor. Without it, COMP_WORDS and COMP_CWORD, as click does."""

    name = "bash"
    source_template = _SOURCE

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ.get("COMP_LINE")
        if line is None:
            return super().get_completion_args()
        words = split_arg_string(line)[1:]
        starts_new_word = line[-1:].isspace() and not line.endswith("\\ ") and not _is_quoted(line)
        return (words, "") if starts_new_word or not words else (words[:-1], words[-1])

    def format_completion(self, item: CompletionItem[Any]) -> str:
        line = os.environ.get("COMP_LINE")
        if line is None or item.type != "plain":
            return super().format_completion(item)
        value = str(item.value)
        if _is_quoted(line):
            return f"plain,{value}"
        # bash replaces only the part of the word after the last separator.
        _, word = self.get_completion_args()
        separators = set(os.environ.get("COMP_WORDBREAKS", "")) & set("@:=")
        end = max((word.rfind(each) for each in separators), default=-1) + 1
        rest = value.removeprefix(word[:end])
        return "plain," + _SPECIAL.sub(lambda match: f"\\{match[0]}", rest)


def _is_quoted(line: str) -> bool:
    """Whether the line ends within quotes."""
    try:
        shlex.split(line)
    except ValueError:  # no closing quotation, or a backslash at the end
        return not line.endswith("\\")
    return False
