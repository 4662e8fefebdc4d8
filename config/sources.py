"""The sources of settings: a TOML file, systemd credentials and the environment.

Each `read_*` function returns unvalidated values, with keys like `smtp.listen`. An unknown setting raises
ConfigError with the most similar name. Credentials with a very different name are ignored.
"""

import difflib
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from config.errors import (
    ConfigError,
    SourceValue,
    invalid_value_error,
    nearest_name,
    nearest_setting,
    one_line,
    unknown_setting_error,
)
from config.schema import SECTIONS, SETTINGS
from config.setting import ENVIRONMENT_PREFIX, Setting

_BY_NAME = {setting.name: setting for setting in SETTINGS}
_VARIABLES = {setting.variable: setting for setting in SETTINGS}
_FILE_SUFFIX = "_FILE"
_FILE_VARIABLES = {f"{variable}{_FILE_SUFFIX}": setting for variable, setting in _VARIABLES.items()}

# Kubernetes sets these variables for Services called emailrouter or emailrouter-NAME.
_KUBERNETES = re.compile(
    r"EMAILROUTER_([A-Z0-9]+_)*(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)"
)
_KUBERNETES_PORT = re.compile(r"EMAILROUTER_([A-Z0-9]+_)*PORT=(tcp|udp)://.*")


def read_file(path: Path) -> dict[str, SourceValue]:
    """Reads the settings of a TOML file.

    Raises FileNotFoundError, or ConfigError for an unreadable or invalid file.
    """
    origin = str(path)
    try:
        document = tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(f"{one_line(origin)}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{one_line(origin)}:{line}: must be UTF-8 text") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(_syntax_error(origin, str(error))) from None
    sources = {}
    for section, table in document.items():
        if not isinstance(table, dict):
            if section in SECTIONS:
                raise ConfigError(f"{one_line(origin)}: {section}: must be a section, [{section}]")
            raise unknown_setting_error(origin, section, nearest_setting(section))
        if section not in SECTIONS:
            raise unknown_setting_error(origin, f"[{section}]", f"[{nearest_name(section, SECTIONS)}]")
        for key, value in table.items():
            name = f"{section}.{key}"
            if name not in _BY_NAME:
                raise unknown_setting_error(origin, name, nearest_setting(name))
            sources[name] = SourceValue(value, origin)
    return sources


def read_credentials(environ: Mapping[str, str]) -> dict[str, SourceValue]:
    """Reads the files named `section.key` in systemd's `$CREDENTIALS_DIRECTORY`. Raises ConfigError."""
    if not (directory := environ.get("CREDENTIALS_DIRECTORY")):
        return {}
    sources = {}
    try:
        files = sorted(Path(directory).iterdir())
    except OSError as error:
        raise ConfigError(f"CREDENTIALS_DIRECTORY: {one_line(directory)}: {error.strerror}") from None
    for file in files:
        if setting := _BY_NAME.get(file.name):
            sources[setting.name] = _read_secret_file(setting, file, f"credential {file.name}")
        elif matches := difflib.get_close_matches(file.name, _BY_NAME, 1, 0.85):
            # A misspelled `server.secret_key` must not lead to a new secret key.
            raise unknown_setting_error(f"credential {file.name}", file.name, matches[0])
    return sources


def read_environment(environ: Mapping[str, str]) -> dict[str, SourceValue]:
    """Reads the variables named `EMAILROUTER_SECTION__KEY`. Raises ConfigError.

    `EMAILROUTER_SECTION__KEY_FILE` contains the path of a file with the value.
    """
    sources = {}
    for variable, text in environ.items():
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        if setting := _VARIABLES.get(variable):
            sources[setting.name] = _decode(setting, SourceValue(text, variable))
        elif setting := _FILE_VARIABLES.get(variable):
            if setting.variable in environ:
                raise ConfigError(f"{variable}: {setting.variable} is also set; set only one of them")
            sources[setting.name] = _read_secret_file(setting, Path(text), variable)
        elif not (_KUBERNETES.fullmatch(variable) or _KUBERNETES_PORT.fullmatch(f"{variable}={text}")):
            raise unknown_setting_error(
                "environment", variable, nearest_name(variable, [*_VARIABLES, *_FILE_VARIABLES])
            )
    return sources


def _read_secret_file(setting: Setting, file: Path, origin: str) -> SourceValue:
    """Returns the content of the file without a trailing newline.

    For a setting that is a path, returns the path of the file instead.
    """
    if setting.is_file:
        return SourceValue(str(file), origin)
    try:
        text = file.read_bytes().decode()
    except OSError as error:
        raise ConfigError(
            f"{one_line(origin)}: {setting.name} = {one_line(str(file))}: cannot be read: {error.strerror}"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{one_line(origin)}: {setting.name}: the file must contain UTF-8 text") from None
    text = text.removesuffix("\n").removesuffix("\r")
    return _decode(setting, SourceValue(text, origin, hidden=True))


def _decode(setting: Setting, source: SourceValue) -> SourceValue:
    """Converts the text to the type of the setting.

    Invalid JSON for a list raises ConfigError. Other invalid text is returned unchanged, and the validation reports it.
    """
    text = str(source.value)
    if isinstance(setting.sample, str) or text in setting.literals:
        return source
    try:
        value = json.loads(text.lower() if isinstance(setting.sample, bool) else text)
    except (ValueError, RecursionError):
        if not isinstance(setting.sample, list):
            return source
        example = json.dumps(setting.sample or ["...", "..."])
        raise invalid_value_error(setting, source, f"must be JSON in the environment, such as {example}") from None
    return SourceValue(value, source.origin, source.hidden)


def _syntax_error(origin: str, message: str) -> str:
    """Formats an error of `tomllib`. A known line number follows the file name, as editors expect."""
    match = re.fullmatch(r"(.*) \(at line ([0-9]+), (column [0-9]+)\)", message, re.DOTALL)
    if match is None:
        return f"{one_line(origin)}: invalid TOML: {one_line(message)}"
    return f"{one_line(origin)}:{match[2]}: invalid TOML: {one_line(match[1])} ({match[3]})"
