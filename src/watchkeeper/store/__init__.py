"""Store: the database, and the promise that accepted means committed.

Words: a *read* is one consistent snapshot; a *write* is one transaction that commits when its
block ends and is rolled back when it raises; *submit* puts many small writes into one transaction,
so that many requests share one fsync. The *timeline* is the append-only list of what changed.
Rules: SQLite by default, PostgreSQL by URL, the same SQLAlchemy Core on both; trouble is a
StoreError that says what to do; tables belong to the rooms and hang on ``metadata``; migrations
make them.
"""

from watchkeeper.store.database import Database
from watchkeeper.store.tables import metadata

__all__ = ["Database", "metadata"]
