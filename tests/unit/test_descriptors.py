"""The file descriptor limit is raised to the number that the configuration needs."""

import resource

import pytest

from api.server import MAX_CONNECTIONS
from config.schema import Config, DatabaseSettings
from config.secret import DatabaseUrl
from emailrouter import descriptors
from emailrouter.assembly import ROLES, Role
from router.errors import ConfigurationFault

SERVE: frozenset[Role] = frozenset(ROLES)
NEEDED = sum(descriptors.needed_descriptors(Config(), SERVE).values())
INFINITY = resource.RLIM_INFINITY


def test_needed_descriptors_depend_on_roles_and_limits() -> None:
    config = Config()
    assert (
        config.smtp.max_connections + MAX_CONNECTIONS + config.delivery.concurrency + descriptors.OTHER_DESCRIPTORS
        < NEEDED
    )
    assert "API connections" not in descriptors.needed_descriptors(config, frozenset({"smtp", "deliver"}))
    assert "smtp.max_connections" not in descriptors.needed_descriptors(config, frozenset({"api"}))
    larger = config.model_copy(update={"smtp": config.smtp.model_copy(update={"max_connections": 5000})})
    assert sum(descriptors.needed_descriptors(larger, SERVE).values()) == NEEDED + 4000
    postgres = config.model_copy(
        update={"database": DatabaseSettings(url=DatabaseUrl("postgresql://u@h/d"), pool_size=50)}
    )
    assert descriptors.needed_descriptors(postgres, SERVE)["database.pool_size"] == 50


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ((1024, 524288), (NEEDED, 524288)),
        ((1024, INFINITY), (NEEDED, INFINITY)),
        ((1024, 2048), (NEEDED, NEEDED)),
        ((NEEDED, NEEDED), None),
        ((INFINITY, INFINITY), None),
        ((NEEDED - 1, NEEDED), (NEEDED, NEEDED)),
    ],
)
def test_low_soft_limit_is_raised(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], expected: tuple[int, int] | None
) -> None:
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: calls.append(new))
    descriptors.raise_limit(Config(), SERVE)
    assert calls == ([] if expected is None else [expected])


def test_low_hard_limit_is_a_configuration_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 2048))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    with pytest.raises(ConfigurationFault) as refused:
        descriptors.raise_limit(Config(), SERVE)
    for part in (str(NEEDED), "2048", "smtp.max_connections 1000", "API connections 1000", "LimitNOFILE"):
        assert part in str(refused.value)
