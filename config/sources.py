"""Where settings come from: a TOML file, systemd credentials, the environment; each as `section.key -> Given`.

Promise: nothing is overlooked. A key, section, `EMAILROUTER_*` variable or credential that is no setting is
an error that names the nearest one; so is a file that cannot be read. Values are decoded to what TOML would
have given, and not validated: that is the schema's. Called by `config.load` alone, which passes the
environment.
"""

import difflib
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from config.errors import ConfigError, Given, invalid, nearest, nearest_name, one_line, unknown
from config.schema import SECTIONS, SETTINGS
from config.setting import ENVIRONMENT_PREFIX, Setting

_BY_NAME = {known.name: known for known in SETTINGS}
_VARIABLES = {known.variable: known for known in SETTINGS}
_FILE_SUFFIX = "_FILE"
_FILE_VARIABLES = {f"{variable}{_FILE_SUFFIX}": known for variable, known in _VARIABLES.items()}

# Kubernetes puts these into every pod beside a Service called emailrouter or emailrouter-smtp; nobody wrote them.
_KUBERNETES = re.compile(
    r"EMAILROUTER_([A-Z0-9]+_)*(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)"
)
_KUBERNETES_PORT = re.compile(r"EMAILROUTER_([A-Z0-9]+_)*PORT=(tcp|udp)://.*")


def from_file(path: Path) -> dict[str, Given]:
    """The settings of a TOML file. FileNotFoundError when there is none, ConfigError for all else."""
    origin = str(path)
    try:
        document = tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(f"{one_line(origin)}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{one_line(origin)}:{line}: must be UTF-8 text") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(_syntax(origin, str(error))) from None
    given = {}
    for section, table in document.items():
        if not isinstance(table, dict):
            if section in SECTIONS:
                raise ConfigError(f"{one_line(origin)}: {section}: must be a section, [{section}]")
            raise unknown(origin, section, nearest_name(section))
        if section not in SECTIONS:
            raise unknown(origin, f"[{section}]", f"[{nearest(section, SECTIONS)}]")
        for key, value in table.items():
            name = f"{section}.{key}"
            if name not in _BY_NAME:
                raise unknown(origin, name, nearest_name(name))
            given[name] = Given(value, origin)
    return given


def from_credentials(environ: Mapping[str, str]) -> dict[str, Given]:
    """The files called `section.key` in `$CREDENTIALS_DIRECTORY` (systemd's); other names are not ours."""
    if not (directory := environ.get("CREDENTIALS_DIRECTORY")):
        return {}
    given = {}
    try:
        files = sorted(Path(directory).iterdir())
    except OSError as error:
        raise ConfigError(f"CREDENTIALS_DIRECTORY: {one_line(directory)}: {error.strerror}") from None
    for file in files:
        if known := _BY_NAME.get(file.name):
            given[known.name] = _from_secret_file(known, file, f"credential {file.name}")
        elif close := difflib.get_close_matches(file.name, _BY_NAME, 1, 0.85):
            # A slip in the name would quietly make a new secret key; a name of the unit's own is not that close.
            raise unknown(f"credential {file.name}", file.name, close[0])
    return given


def from_environment(environ: Mapping[str, str]) -> dict[str, Given]:
    """The variables `EMAILROUTER_SECTION__KEY`, and `..._FILE`, which name a file that holds the value."""
    given = {}
    for variable, text in environ.items():
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        if known := _VARIABLES.get(variable):
            given[known.name] = _decode(known, Given(text, variable))
        elif known := _FILE_VARIABLES.get(variable):
            if known.variable in environ:
                raise ConfigError(f"{variable}: {known.variable} is also set; set only one of them")
            given[known.name] = _from_secret_file(known, Path(text), variable)
        elif not (_KUBERNETES.fullmatch(variable) or _KUBERNETES_PORT.fullmatch(f"{variable}={text}")):
            raise unknown("environment", variable, nearest(variable, [*_VARIABLES, *_FILE_VARIABLES]))
    return given


def _from_secret_file(key: Setting, file: Path, origin: str) -> Given:
    """The value in a file, less one final newline; for a key that is a file's path, this very file's path."""
    if key.is_file:
        return Given(str(file), origin)
    try:
        text = file.read_bytes().decode()
    except OSError as error:
        raise ConfigError(
            f"{one_line(origin)}: {key.name} = {one_line(str(file))}: cannot be read: {error.strerror}"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{one_line(origin)}: {key.name}: the file must contain UTF-8 text") from None
    text = text.removesuffix("\n").removesuffix("\r")
    return _decode(key, Given(text, origin, hidden=True))


def _decode(key: Setting, given: Given) -> Given:
    """The text as what TOML would have given: the sample's type says which. What is no number stays a text."""
    text = str(given.value)
    if isinstance(key.sample, str) or text in key.words:
        return given
    try:
        value = json.loads(text.lower() if isinstance(key.sample, bool) else text)
    except (ValueError, RecursionError):
        if not isinstance(key.sample, list):
            return given
        example = json.dumps(key.sample or ["...", "..."])
        raise invalid(key, given, f"must be JSON in the environment, such as {example}") from None
    return Given(value, given.origin, given.hidden)


def _syntax(origin: str, message: str) -> str:
    """tomllib's "what (at line 3, column 5)" as "file:3: what (column 5)", the form that editors jump to."""
    found = re.fullmatch(r"(.*) \(at line ([0-9]+), (column [0-9]+)\)", message, re.DOTALL)
    if found is None:
        return f"{one_line(origin)}: invalid TOML: {one_line(message)}"
    return f"{one_line(origin)}:{found[2]}: invalid TOML: {one_line(found[1])} ({found[3]})"
