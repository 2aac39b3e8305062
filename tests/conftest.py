"""Fixtures that every test may use."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.postgres import postgres, postgres_url
from tests.support.quick import quick
from watchkeeper.store import Database

__all__ = ["postgres", "postgres_url"]

# The tests start hundreds of processes. Where bytecode is not kept, each would compile us anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# `make test` says the same of the same commit each time: its examples are derived from the test.
# `make fuzz` draws new ones, and prints how a failure is reproduced.
# How fast the machine is says nothing of the code, so no example is too slow.
_PATIENT = [HealthCheck.too_slow]
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=_PATIENT)
settings.register_profile("fuzz", print_blob=True, deadline=None, suppress_health_check=_PATIENT)
settings.load_profile(os.environ.get("WATCHKEEPER_EXAMPLES", "steady"))


def pytest_collection_finish() -> None:
    """What is imported and collected by now stays: searching it for garbage again and again took a
    fifth of the tests' CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def _quick() -> Iterator[None]:
    with quick():
        yield


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database, once on each kind."""
    sqlite = request.param == "sqlite"
    url = str(tmp_path / "wk.db") if sqlite else request.getfixturevalue("postgres_url")
    database = Database.open(url)
    yield database
    database.close()
