"""Reads the configuration: returns a valid `Config` or raises `ConfigError` with the line to print.

The value of a key comes from the first source that has it: the environment, systemd credentials,
the file, the default. A misspelled or invalid setting is an error that names its origin. The
environment is an argument. Nothing is created or changed, and relative paths stay relative to the
working directory.
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

# Without --config, the first of these files that exists is read.
DEFAULT_PATHS = (Path("emailrouter.toml"), Path("/etc/emailrouter/emailrouter.toml"))


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Reads and validates the configuration.

    Args:
        path: The file, which must exist. None reads the first existing default path, if any.
        environ: The environment variables.

    Raises:
        ConfigError: A setting is unknown or invalid, or a file cannot be read.
    """
    file, sources = _read_first_file(path)
    sources |= read_credentials(environ)
    sources |= read_environment(environ)
    # systemd separates several state directories with colons; the first is the main one.
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
    """Returns the first existing file and its settings; None and no settings without a file."""
    for candidate in (path,) if path else _accessible_default_paths():
        try:
            return candidate, read_file(candidate)
        except FileNotFoundError:
            if path:
                raise ConfigError(f"{one_line(str(path))}: --config must name an existing file") from None
    return None, {}


def _accessible_default_paths() -> Sequence[Path]:
    """Returns the default paths, without those in a working directory that may not be entered.

    A command that root starts in /root may run as a user who cannot enter that directory.
    """
    return [candidate for candidate in DEFAULT_PATHS if candidate.is_absolute() or os.access(candidate.parent, os.X_OK)]
