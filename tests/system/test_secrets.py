"""Encryption of secrets, the key file, API keys and passwords."""

import itertools
import multiprocessing
import os
import stat
from collections.abc import Sequence
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.secrets import (
    KEY_FILE,
    UNUSABLE_HASH,
    DecryptionError,
    SecretBox,
    fingerprint,
    hash_api_key,
    hash_password,
    load_or_create_key,
    new_api_key,
    new_key,
    new_password,
    verify_password,
)

KEY, OTHER = "k" * 44, "o" * 44


@given(st.text())
def test_encrypted_text_can_be_decrypted(text: str) -> None:
    box = SecretBox(KEY)
    encrypted = box.encrypt(text)
    assert encrypted.isascii()
    assert box.encrypt(text) != encrypted
    assert SecretBox(KEY.encode()).decrypt(encrypted) == text


def test_decryption_requires_the_key_and_the_purpose() -> None:
    encrypted = SecretBox(KEY).encrypt("https://hooks.slack.com/services/x", "integration")
    changed = encrypted[:-3] + ("A" if encrypted[-3] != "A" else "B") + encrypted[-2:]
    cases = [
        (OTHER, encrypted, "integration"),
        (KEY, encrypted, "session"),
        (KEY, changed, "integration"),
        (KEY, "", "integration"),
        (KEY, "\ud800", "integration"),
    ]
    for key, text, purpose in cases:
        with pytest.raises(DecryptionError) as caught:
            SecretBox(key).decrypt(text, purpose)
        assert "hooks" not in str(caught.value)
    assert SecretBox(KEY).decrypt(encrypted) == "https://hooks.slack.com/services/x"


def test_box_with_a_new_and_an_old_key() -> None:
    old = SecretBox(KEY).encrypt("secret")
    both = SecretBox([OTHER, KEY])
    assert both.decrypt(old) == "secret"
    assert SecretBox(OTHER).decrypt(both.reencrypt(old)) == "secret"
    with pytest.raises(DecryptionError):
        SecretBox(KEY).decrypt(both.encrypt("secret"))


@pytest.mark.parametrize("keys", ["", "short", "x" * 15, [], [KEY, ""]])
def test_invalid_keys(keys: str | Sequence[str]) -> None:
    with pytest.raises(ValueError, match="key"):
        SecretBox(keys)


def test_repr_omits_the_key() -> None:
    assert KEY not in repr(SecretBox(KEY))


# --- the key file


def test_key_file_is_created_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    before = os.umask(0)
    try:
        key = load_or_create_key(folder)
    finally:
        os.umask(before)
    assert len(key) == 44
    assert load_or_create_key(str(folder)) == key
    assert [path.name for path in folder.iterdir()] == [KEY_FILE]
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600


def test_key_file_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text(f" {KEY}\n")
    assert load_or_create_key(tmp_path) == KEY
    (tmp_path / KEY_FILE).write_text("")
    with pytest.raises(ValueError, match="does not contain a valid secret key"):
        load_or_create_key(tmp_path)
    assert not (tmp_path / KEY_FILE).read_text()


def test_directory_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        load_or_create_key(tmp_path / "file")


def _load_at_once(folder: str, start: Barrier, results: "multiprocessing.Queue[str]") -> None:
    start.wait()
    results.put(load_or_create_key(folder))


def test_concurrent_processes_use_the_same_key(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(4), context.Queue()
    arguments = (str(tmp_path), start, results)
    processes = [context.Process(target=_load_at_once, args=arguments) for _ in range(4)]
    for process in processes:
        process.start()
    keys = {results.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()
    results.close()
    assert len(keys) == 1
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


def test_different_keys_have_different_fingerprints() -> None:
    fingerprints = [fingerprint(new_key()) for _ in range(50)]
    assert len(set(fingerprints)) == 50
    assert fingerprint(KEY) == fingerprint(f"{KEY}\n") != fingerprint(OTHER)
    assert all(len(text) == 16 for text in fingerprints)


# --- API keys


def test_api_keys() -> None:
    keys = [new_api_key() for _ in range(100)]
    assert len({clear for clear, _, _ in keys}) == 100
    for clear, stored, hint in keys:
        assert clear.startswith("er_")
        assert clear[3:].isalnum()
        assert not set(clear[3:]) & set("0O1Il")
        assert stored == hash_api_key(clear)
        assert len(stored) == 64
        head, tail = hint.split("\u2026")
        assert clear.startswith(head)
        assert clear.endswith(tail)
        assert len(hint) < 13


def test_any_text_can_be_hashed() -> None:
    assert len({hash_api_key(text) for text in ("", "er_", "\ud800", "\x00")}) == 4


# --- passwords


def test_passwords() -> None:
    password = new_password()
    stored = hash_password(password)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hash_password(password) != stored
    assert verify_password(password, stored)
    assert not verify_password(password + " ", stored)
    assert not verify_password("", stored)
    assert len({new_password() for _ in range(50)}) == 50


def test_passwords_with_any_characters() -> None:
    for password in ("", "p\u00e4ss w\u00f6rd \U0001f511", "\ud800", "a\x00b"):
        assert verify_password(password, hash_password(password))
    assert not verify_password("a", hash_password("a\x00b"))


def test_unusable_hash_matches_no_password() -> None:
    assert not verify_password("", UNUSABLE_HASH)
    assert not verify_password("password", UNUSABLE_HASH)


@pytest.mark.parametrize(
    "phc",
    [
        "",
        "plain",
        "$argon2i$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA",
        "$argon2id$v=19$m=9999999,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA",
        "$argon2id$v=19$m=19456,t=99,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA",
        "$argon2id$v=19$m=19456,t=2,p=99$AAAAAAAAAAAAAAAAAAAAAA$AAAA",
        "$argon2id$v=19$m=0,t=0,p=0$AAAA$AAAA",
        "$argon2id$v=19$m=19456,t=2,p=1$!$!",
    ],
)
def test_invalid_or_expensive_hash_matches_no_password(phc: str) -> None:
    assert not verify_password("password", phc)


def test_overlong_password_is_not_hashed() -> None:
    with pytest.raises(ValueError, match="1024"):
        hash_password("x" * 1025)
    assert not verify_password("x" * 1025, UNUSABLE_HASH)


def test_passwords_use_the_whole_alphabet() -> None:
    characters = "".join(itertools.chain.from_iterable(new_password() for _ in range(2000)))
    assert len(set(characters)) == 57
