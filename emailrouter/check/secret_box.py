"""Reads the secret key for the checks. Never creates one."""

from __future__ import annotations

from config.schema import Config
from router.secrets import KEY_FILE, SecretBox


def read_secret_box(config: Config) -> SecretBox | None:
    """Returns None if there is no usable key."""
    server = config.server
    try:
        key = server.secret_key.reveal() if server.secret_key is not None else (server.data_dir / KEY_FILE).read_text()
        return SecretBox(key.strip())
    except (OSError, ValueError):
        return None
