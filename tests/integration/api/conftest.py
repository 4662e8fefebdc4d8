"""Fixtures of the API tests."""

from tests.support.installation.fixtures import served, sqlite_served

__all__ = ["served", "sqlite_served"]
