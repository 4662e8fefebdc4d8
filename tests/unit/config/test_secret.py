"""Secrets print as `***`, and error messages do not quote invalid secrets."""

import copy
import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.schema import Config, DatabaseSettings, ServerSettings
from config.secret import DatabaseUrl, Secret, redact

KEY = "correct-horse-battery"


def test_secret_prints_as_asterisks() -> None:
    secret = Secret(KEY)
    printed = [str(secret), repr(secret), f"{secret}", f"{secret!r}", repr([secret]), json.dumps(secret, default=str)]
    assert all("***" in text and KEY not in text for text in printed)
    assert secret.reveal() == KEY


def test_secret_compares_by_value() -> None:
    assert Secret(KEY) == Secret(KEY) != Secret(KEY + "2")
    assert len({Secret(KEY), Secret(KEY)}) == 1
    assert Secret(KEY) != KEY
    assert Secret("\udcff") == Secret("\udcff")
    assert copy.deepcopy(Secret(KEY)) == pickle.loads(pickle.dumps(Secret(KEY))) == Secret(KEY)


@pytest.mark.parametrize("written", ["", "short", "has a blank in the middle", KEY + "\n", None, 12345678901234567])
def test_invalid_secret_is_rejected(written: object) -> None:
    with pytest.raises(ValueError, match="at least 16 characters without whitespace"):
        Secret.parse(written)


def test_configuration_never_prints_secrets() -> None:
    config = Config(
        server=ServerSettings(secret_key=Secret(KEY)),
        database=DatabaseSettings(url=DatabaseUrl(f"postgresql://u:{KEY}@db/mail")),
    )
    assert config.database.url.reveal() == f"postgresql://u:{KEY}@db/mail"
    for text in (str(config), repr(config), repr(config.model_dump()), config.model_dump_json()):
        assert "***" in text
        assert KEY not in text


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///emailrouter.db", Path("emailrouter.db")),
        ("sqlite:////var/lib/emailrouter/mail.db", Path("/var/lib/emailrouter/mail.db")),
    ],
)
def test_sqlite_url(url: str, path: Path) -> None:
    database = DatabaseUrl(url)
    assert (database.dialect, database.path, str(database), database.reveal()) == ("sqlite", path, url, url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://user@host/db", "postgresql://user@host/db"),
        ("postgres://user:pw@host:5432/db", "postgres://user:***@host:5432/db"),
        ("postgresql://u:p@w@[::1]:5432/db", "postgresql://u:***@[::1]:5432/db"),
        ("postgresql://u:pw@h1:1,h2:2/db?sslmode=require", "postgresql://u:***@h1:1,h2:2/db?sslmode=require"),
        ("postgresql:///db?host=/run/pg&password=pw", "postgresql:///db?host=/run/pg&password=***"),
        ("postgresql://host/db?pass%77ord=pw", "postgresql://host/db?pass%77ord=***"),
    ],
)
def test_postgresql_url(url: str, shown: str) -> None:
    database = DatabaseUrl(url)
    assert (database.dialect, database.path, database.reveal()) == ("postgresql", None, url)
    assert str(database) == shown
    assert repr(database) == f"DatabaseUrl('{shown}')"


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("sqlite://mail.db", "three slashes"),
        ("sqlite:mail.db", "must be sqlite"),
        ("sqlite:///", "must name a file"),
        ("sqlite:////var/", "must name a file"),
        ("sqlite:///:memory:", "in-memory databases"),
        ("sqlite:///mail.db?mode=ro", "without options"),
        ("mysql://u:hidden@h/db", "must be sqlite"),
        ("u:hidden@h/db", "must be sqlite"),
        ("postgresql://u:hidden@host", "name is missing"),
        ("postgresql://u:hidden", "host or port"),
        ("postgresql://u:hid/den@host/db", "host or port|write / as %2F"),
        ("postgresql://u:12/hidden@host/db", "write / as %2F"),
        ("postgresql://u:hid#den@host/db", "write # as %23"),
        ("postgresql://u:12?hidden@host/db", "name is missing"),
        ("postgresql://u:hidden@host:99999/db", "host or port"),
        ("postgresql://u:hidden@[::1/db", "host is invalid"),
        ("postgresql://u:hid den@host/db", "without whitespace"),
        ("", "must be sqlite"),
        (None, "must be sqlite"),
    ],
)
def test_invalid_url_is_rejected_and_not_quoted(url: object, allowed: str) -> None:
    with pytest.raises(ValueError, match=allowed) as caught:
        DatabaseUrl.parse(url)
    assert "hid" not in str(caught.value)
    assert "hid" not in redact(url)


@given(st.text(min_size=8), st.sampled_from(["postgresql://u:{}@h/db", "postgres://u:{}", "{}", "mysql://u:{}@h/db"]))
def test_password_is_never_displayed(password: str, form: str) -> None:
    url = form.format(f"<<{password}>>")
    try:
        shown = str(DatabaseUrl(url))
    except ValueError as error:
        shown = f"{error} {redact(url)}"
    assert "<<" not in shown
