"""No name or text contains a word that docs/style.md bans.

Exempt are, among others, the documents that list the words, quotations of RFCs, tokens of protocols and SQL, messages
in fixtures, and released versions in the changelog.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STYLE = ROOT / "docs" / "style.md"
LISTS = frozenset({"docs/style.md", "docs/glossary.md", "tests/unit/test_glossary.py"})
SKIPPED = re.compile(r"(?:^|\.)LICENSE$|__pycache__/|common_passwords\.txt$|\.(lock|png|pyc|db|db-shm|db-wal)$")
FIXTURES = re.compile(r"tests/corpus/|tests/.*/golden/")
# In these modules string literals are parts of messages, so only names, comments and docstrings are checked.
MESSAGE_LITERALS = re.compile(r"tests/unit/mail/")
# A media type, an SQL function, an ASN.1 type, metrics with public names, and the usual name of an absence notice.
TOKENS = re.compile(r"octet-stream|octet_length|OCTET STRING|emailrouter_audit_owed(_total)?|out_of_office")
QUOTATION = re.compile(r'"[^"]*"')
# The delimiters of a string literal do not make it a quotation.
DELIMITERS = re.compile(r"""^\w*(?P<quotes>\"{3}|'{3}|["'])(?P<content>.*)(?P=quotes)$""", re.DOTALL)
RELEASED = re.compile(r"^## \[\d", re.MULTILINE)
ROW = re.compile(r"^\| (`[^|]*`) \| ([^|]*) \| (everything|names|modules) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Text:
    """A part of a file. `line` is the number of its first line."""

    line: int
    text: str
    is_name: bool = False


@dataclass(frozen=True)
class Ban:
    word: str
    instead: str
    scope: str

    @cached_property
    def parts(self) -> str:
        """A regular expression for the word in lower case."""
        return r"[\W_]+".join(re.split(r"\W+", self.word.lower()))

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return any_of([self])


def any_of(banned: Iterable[Ban]) -> re.Pattern[str]:
    """Returns a pattern of any of the words, for text in lower case."""
    words = "|".join(ban.parts for ban in banned) or "(?!)"
    return re.compile(rf"(?<![^\W_])(?:{words})(?![^\W_])")


def bans() -> list[Ban]:
    rows = ROW.findall(STYLE.read_text(encoding="utf-8"))
    return [Ban(word, instead, scope) for words, instead, scope in rows for word in re.findall(r"`([^`]+)`", words)]


def split_words(text: str) -> str:
    """Separates the words of names, and returns them in lower case."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text).lower()


def without_exemptions(text: str) -> str:
    """Removes protocol tokens, and quotations in paragraphs that name an RFC.

    Line numbers do not change.
    """

    def without_quotations(paragraph: str) -> str:
        if not re.search(r"RFC \d", paragraph):
            return paragraph
        return QUOTATION.sub(lambda quotation: "\n" * quotation[0].count("\n"), paragraph)

    return "\n\n".join(map(without_quotations, TOKENS.sub("", text).split("\n\n")))


def parts_of_python(source: str, *, with_literals: bool) -> Iterator[Text]:
    comments: list[tokenize.TokenInfo] = []
    previous = tokenize.NEWLINE
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comments.append(token)
            continue
        if token.type == tokenize.NL:
            continue
        if comments:
            yield Text(comments[0].start[0], "\n".join(comment.string.lstrip("# ") for comment in comments))
            comments = []
        if token.type == tokenize.NAME:
            yield Text(token.start[0], token.string, is_name=True)
        elif token.type in {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", None)}:
            is_docstring = previous in {tokenize.NEWLINE, tokenize.INDENT}
            if with_literals or is_docstring:
                yield Text(token.start[0], DELIMITERS.sub(r"\g<content>", token.string))
        previous = token.type


def parts_of(path: str, text: str) -> Iterable[Text]:
    if path == "CHANGELOG.md" and (released := RELEASED.search(text)):
        text = text[: released.start()]
    if path.endswith(".py"):
        return parts_of_python(text, with_literals=not MESSAGE_LITERALS.match(path))
    return [Text(1, text)]


def is_module(path: str) -> bool:
    return Path(path).suffix in {".py", ".html", ".sql", ".js", ".css"}


def violations(path: str, text: str, banned: Iterable[Ban]) -> list[str]:
    found = []
    words = [ban for ban in banned if ban.scope != "modules"]
    for ban in banned:
        if ban.scope == "modules" and is_module(path) and ban.word in Path(path).with_suffix("").parts:
            found.append(f"{path}: module name {ban.word!r}: use {ban.instead}")
        elif ban.scope != "modules" and ban.pattern.search(split_words(path)):
            found.append(f"{path}: path with {ban.word!r}: use {ban.instead}")
    any_word = any_of(words)
    if not any_word.search(split_words(text)):
        return found  # splitting a file into parts is slower than this search
    for part in parts_of(path, text):
        checked = split_words(without_exemptions(part.text))
        for ban in words if any_word.search(checked) else ():
            if part.is_name or ban.scope == "everything":
                found += [
                    f"{path}:{part.line + checked.count(chr(10), 0, match.start())}: {ban.word!r}: use {ban.instead}"
                    for match in ban.pattern.finditer(checked)
                ]
    return found


def files() -> Iterator[str]:
    """Yields the paths of files, except those in hidden folders other than `.ci` and in build folders.

    Does not use git, because unit tests start no process.
    """
    for top in ROOT.iterdir():
        if top.name == ".ci" or (top.is_dir() and not top.name.startswith((".", "build", "dist"))):
            yield from (str(path.relative_to(ROOT)) for path in top.rglob("*") if path.is_file())
        elif top.is_file():
            yield top.name


def test_no_file_contains_a_banned_word() -> None:
    banned, found = bans(), []
    for path in files():
        if path in LISTS or SKIPPED.search(path) or FIXTURES.match(path):
            continue
        try:
            text = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a file that is not UTF-8
        found += violations(path, text, banned)
    assert found == []


@pytest.mark.parametrize("ban", bans(), ids=lambda ban: ban.word)
def test_each_banned_word_is_found(ban: Ban) -> None:
    name = re.sub(r"\W+", "_", ban.word)
    if ban.scope == "modules":
        (message,) = violations(f"router/{ban.word}.py", "", [ban])
        assert len(violations(f"router/{ban.word}/__init__.py", "", [ban])) == 1
    else:
        (message,) = violations("router/module.py", f"def read_{name}(): pass\n", [ban])
        camel = "".join(part.capitalize() for part in name.split("_"))
        assert len(violations("router/module.py", f"class Read{camel}: pass\n", [ban])) == 1
    assert message.endswith(f"use {ban.instead}")
    in_text = [
        violations(path, text.format(ban.word), [ban])
        for path, text in (
            ("router/module.py", '"""Summary.\n\nIt is {}.\n"""\n'),
            ("router/module.py", "x = 1  # it is {}\n"),
            ("router/module.py", 'x = f"it is {}"\n'),
            ("docs/page.md", "It is {}.\n"),
            ("api/dashboard/templates/page.html", "<p>{}</p>\n"),
        )
    ]
    assert [len(each) for each in in_text] == [ban.scope == "everything"] * 5


def test_quotations_tokens_and_parts_of_words_are_exempt() -> None:
    source = (
        '# RFC 5321 section 4.5.3: "the maximum total length is 64 octets"\n'
        'kind = "application/octet-stream"\n'
        "recommended = amended = 1\n"
    )
    assert violations("router/module.py", source, bans()) == []
    assert len(violations("router/module.py", "# 64 octets\n", bans())) == 1
    for literal in ('"""64 octets (RFC 5321)."""\n', 'x = "RFC 5321: 64 octets"\n', "x = f'RFC 5321: 64 octets'\n"):
        assert len(violations("router/module.py", literal, bans())) == 1
    assert violations("tests/unit/mail/test_x.py", 'mail = "We shall see"\n', bans()) == []
