"""The registry on which every room hangs its tables, and the type of their numbers."""

from sqlalchemy import BigInteger, Integer, MetaData

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

ID = BigInteger().with_variant(Integer, "sqlite")
"""Of a number that the database gives: SQLite counts up an INTEGER only."""
