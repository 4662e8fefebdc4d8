"""The first process creates the secret key.

A later process whose data directory lacks the key fails instead of creating another one.
"""

from pathlib import Path

import pytest

from config.load import load
from emailrouter.secret_key import WrongSecretKey, load_secret_box
from tests.support.stores import Store


async def test_the_first_process_makes_the_key_and_a_folder_without_it_gets_no_other(
    store: Store, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.toml"
    empty.touch()
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir()

    async def box(folder: Path, **more: str) -> str:
        config = load(empty, {"EMAILROUTER_SERVER__DATA_DIR": str(folder), **more})
        return (await load_secret_box(config, store.database)).encrypt("x")

    assert await box(first)
    assert (first / "secret_key").stat().st_mode & 0o777 == 0o600
    assert await box(first)
    with pytest.raises(WrongSecretKey, match="secret_key is missing"):
        await box(second)
    assert list(second.iterdir()) == []
    with pytest.raises(WrongSecretKey, match="all hosts of one database need the same key"):
        await box(second, EMAILROUTER_SERVER__SECRET_KEY="another-key-of-some-length")
