"""Reads the configuration: a valid `Config`, or a `ConfigError` with the one line to print.

Promise: what a key is set to comes from the environment, else systemd credentials, else the file, else its
default, each key for itself; whatever is misspelt or not allowed is an error that says where it was
written. The environment is an argument, so a test or a child process has its own. Nothing is created or
changed, and relative paths stay relative to the working directory. Called by the command line, once, before
anything else.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from config.errors import ConfigError, SourceValue, first_validation_error, one_line
from config.schema import Config
from config.sources import read_credentials, read_environment, read_file

__all__ = ["ConfigError", "load"]

# Where the file is looked for when none is named: the first that exists.
DEFAULT_PATHS = (Path("emailrouter.toml"), Path("/etc/emailrouter/emailrouter.toml"))


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The configuration. `path` must exist when given; None looks for a file, and the defaults need none.

    ConfigError: one line with the key, its value (`***` where secret) and what is allowed.
    """
    file, sources = _read_first_file(path)
    sources |= read_credentials(environ)
    sources |= read_environment(environ)
    # systemd passes several folders with colons when the unit names several; the first is the unit's main one.
    if "server.data_dir" not in sources and (state := environ.get("STATE_DIRECTORY", "").split(":")[0]):
        sources["server.data_dir"] = SourceValue(state, "STATE_DIRECTORY")
    document: dict[str, dict[str, Any]] = {}
    for name, source in sources.items():
        section, _, key = name.partition(".")
        document.setdefault(section, {})[key] = source.value
    try:
        return Config.model_validate({**document, "source": file})
    except ValidationError as error:
        raise first_validation_error(error, sources) from None


def _read_first_file(path: Path | None) -> tuple[Path | None, dict[str, SourceValue]]:
    """The file that was found, and what is in it."""
    for candidate in (path,) if path else _accessible_default_paths():
        try:
            return candidate, read_file(candidate)
        except FileNotFoundError:
            if path:
                raise ConfigError(f"{one_line(str(path))}: --config must name an existing file") from None
    return None, {}


def _accessible_default_paths() -> Sequence[Path]:
    """Where to look. Root in /root runs us as a user who may not enter it: no file of that folder is meant."""
    return [candidate for candidate in DEFAULT_PATHS if candidate.is_absolute() or os.access(candidate.parent, os.X_OK)]
