"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.postgres import postgres, postgres_url
from watchkeeper.store import Database

__all__ = ["postgres", "postgres_url"]

# `make test` says the same of the same commit each time: its examples are derived from the test.
# `make fuzz` draws new ones, and prints how a failure is reproduced.
settings.register_profile("steady", derandomize=True)
settings.register_profile("fuzz", print_blob=True)
settings.load_profile(os.environ.get("WATCHKEEPER_EXAMPLES", "steady"))


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database, once on each kind."""
    sqlite = request.param == "sqlite"
    url = str(tmp_path / "wk.db") if sqlite else request.getfixturevalue("postgres_url")
    database = Database.open(url)
    yield database
    database.close()
