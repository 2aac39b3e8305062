"""Fixtures that every test may use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import postgres, postgres_url
from watchkeeper.store import Database

__all__ = ["postgres", "postgres_url"]


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database, once on each kind."""
    sqlite = request.param == "sqlite"
    url = str(tmp_path / "wk.db") if sqlite else request.getfixturevalue("postgres_url")
    database = Database.open(url)
    yield database
    database.close()
