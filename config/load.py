"""Reads the configuration: returns a valid `Config` or raises `ConfigError` with the line to print.

Precedence, highest first: the environment, systemd credentials, the file, the defaults. Nothing is created or
changed, and relative paths stay relative to the working directory.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from config.errors import ConfigError, SourceValue, first_validation_error, one_line
from config.schema import Config
from config.sources import read_credentials, read_environment, read_file

__all__ = ["ConfigError", "load", "validate"]

# Searched in this order without --config.
DEFAULT_PATHS = (Path("emailrouter.toml"), Path("/etc/emailrouter/emailrouter.toml"))


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Reads and validates the configuration. Raises ConfigError.

    If `path` is None, reads the first default path that exists, if any. Any other `path` must exist.
    """
    file, sources = _read_first_file(path)
    sources |= read_credentials(environ)
    sources |= read_environment(environ)
    # systemd separates several state directories with colons. The first one is used.
    if "server.data_dir" not in sources and (state := environ.get("STATE_DIRECTORY", "").split(":")[0]):
        sources["server.data_dir"] = SourceValue(state, "STATE_DIRECTORY")
    return validate(sources, file)


def validate(sources: dict[str, SourceValue], file: Path | None = None) -> Config:
    """Returns the configuration with these values, with keys like `smtp.listen`. Raises ConfigError."""
    document: dict[str, dict[str, Any]] = {}
    for name, source in sources.items():
        section, _, key = name.partition(".")
        document.setdefault(section, {})[key] = source.value
    try:
        return Config.model_validate({**document, "source": file})
    except ValidationError as error:
        raise first_validation_error(error, sources) from None


def _read_first_file(path: Path | None) -> tuple[Path | None, dict[str, SourceValue]]:
    for candidate in (path,) if path else _accessible_default_paths():
        try:
            return candidate, read_file(candidate)
        except FileNotFoundError:
            if path:
                raise ConfigError(f"{one_line(str(path))}: --config must name an existing file") from None
    return None, {}


def _accessible_default_paths() -> Sequence[Path]:
    """Returns the default paths, without the relative one if the working directory may not be entered.

    This happens to a process that starts in /root and then changes its user.
    """
    return [candidate for candidate in DEFAULT_PATHS if candidate.is_absolute() or os.access(candidate.parent, os.X_OK)]
