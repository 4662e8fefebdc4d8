"""Renders what people read about the settings: the sample `emailrouter.toml`, and `docs/configuration.md`.

Promise: both say exactly what the schema says, are the same on every machine, and the sample loads to the
built-in defaults; tests hold the files to it. `python -m config.reference` writes both. Nothing calls this
at run time.
"""

import json
from pathlib import Path

from config.schema import SECTIONS, SETTINGS
from config.setting import Setting

SAMPLE = Path("emailrouter.toml")
DOCUMENTATION = Path("docs/configuration.md")

_SAMPLE_HEAD = """\
# Email Router: every setting, with its default. A line that is commented out shows an example: its default
# depends on the machine, or is none. docs/configuration.md says where else settings can come from.
# Written by `python -m config.reference` from config/schema.py.
"""

_DOCUMENTATION_HEAD = """\
# Configuration

<!-- Written by `python -m config.reference` from config/schema.py: change it there. -->

Settings come from a TOML file: the one named by `--config`, else `./emailrouter.toml`, else
`/etc/emailrouter/emailrouter.toml`. Without a file the defaults below hold. The sample at the repository's
root has them all. What is misspelt or not allowed ends the program with exit code 2 and one line that names
the key, its value and what is allowed; `emailrouter check` looks at the rest.

**Precedence**, for each key by itself: environment, then systemd credentials, then the file, then the
default.

**Environment.** `EMAILROUTER_`, the section, two underscores, the key: `EMAILROUTER_DATABASE__URL`. Lists
are JSON there: `EMAILROUTER_SMTP__LISTEN='["0.0.0.0:25", "[::]:25"]'`. A variable that begins with
`EMAILROUTER_` and is no setting is an error, except those that Kubernetes makes for a Service of that name.

**Secrets from files.** With `_FILE` after its name, a variable names a file that holds the value:
`EMAILROUTER_SERVER__SECRET_KEY_FILE=/run/secrets/key`. One newline at the end is dropped; giving both forms
is an error. systemd credentials called `section.key` are read in the same way:
`LoadCredential=server.secret_key:/etc/emailrouter/secret_key`. For `smtp.tls_cert` and `smtp.tls_key`,
whose values are paths, the file so named is the certificate or key itself:
`LoadCredential=smtp.tls_key:/etc/ssl/private/mx.pem`. Secrets are never printed: a database URL shows `***`
for its password.

**Forms.** Durations are `"250ms"`, `"60s"`, `"10m"`, `"1h"`, `"3d"`, or a whole number of seconds. Sizes
are whole octets. Addresses are `"host:port"`, IPv6 in brackets: `"[::1]:25"`; port 0 takes any free one.
Relative paths start at the working directory.
"""


def render_sample() -> str:
    """The text of `emailrouter.toml`."""
    parts = [_SAMPLE_HEAD]
    for section, model in SECTIONS.items():
        parts.append(f"\n# {model.__doc__}\n[{section}]\n")
        parts.extend(_sample_lines(known) for known in SETTINGS if known.section == section)
    return "".join(parts)


def render_documentation() -> str:
    """The text of `docs/configuration.md`."""
    parts = [_DOCUMENTATION_HEAD]
    for section, model in SECTIONS.items():
        parts.append(f"\n## `[{section}]`\n\n{model.__doc__}\n\n")
        parts.append("| key | default | meaning | environment variable |\n|---|---|---|---|\n")
        parts.extend(_row(known) for known in SETTINGS if known.section == section)
    return "".join(parts)


def write(root: Path) -> None:
    """Writes both files below `root`, the repository's top folder."""
    (root / SAMPLE).write_text(render_sample(), encoding="utf-8")
    (root / DOCUMENTATION).write_text(render_documentation(), encoding="utf-8")


def toml(value: object) -> str:
    """A default as TOML: text, number, true/false, list, inline table; TypeError for anything else."""
    match value:
        case str() | bool() | int() | float():
            # JSON's texts and numbers are TOML's; the two differ in what is below.
            return json.dumps(value, ensure_ascii=False)
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return f"{{{', '.join(f'{key} = {toml(entry)}' for key, entry in value.items())}}}"
        case _:
            raise TypeError(f"a default of type {type(value).__name__} has no TOML form here")


def _sample_lines(known: Setting) -> str:
    line = f"{known.key} = {toml(known.sample)}\n"
    if known.otherwise is None:
        return f"# {known.prose}\n{line}"
    return f"# {known.prose}\n# Default: {known.otherwise}.\n# {line}"


def _row(known: Setting) -> str:
    default = f"`{toml(known.sample)}`" if known.otherwise is None else known.otherwise
    cells = (f"`{known.key}`", default, known.prose, f"`{known.variable}`")
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


if __name__ == "__main__":
    write(Path(__file__).resolve().parents[1])
