"""Words of postmortems and marks of incidents stand in SQLite in the order of their keys.

Before, a word that is in each of 5,000 postmortems led to 5,000 places of the file. In PostgreSQL
texts that are searched for phrases are not compressed: to read 5,000 takes a third of the time.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Write again what is kept otherwise from now on."""
    if op.get_bind().dialect.name != "sqlite":
        op.execute("ALTER TABLE postmortem ALTER COLUMN words SET STORAGE EXTERNAL")
        op.execute("UPDATE postmortem SET words = words || ''")
        return
    _again(
        "postmortem_word",
        sa.Column("word", sa.String(40), primary_key=True),
        sa.Column("postmortem_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("weight", sa.Double, nullable=False),
    )
    op.create_index("ix_postmortem_word_postmortem", "postmortem_word", ["postmortem_id"])
    _again(
        "incident_mark",
        sa.Column("mark", sa.String(300), primary_key=True),
        sa.Column("incident_id", sa.Integer, primary_key=True, autoincrement=False),
    )
    op.create_index("ix_incident_mark_incident", "incident_mark", ["incident_id"])


def _again(name: str, *columns: "sa.Column[object]") -> None:
    op.rename_table(name, f"{name}_before")
    op.create_table(name, *columns, sqlite_with_rowid=False)
    names = ", ".join(c.name for c in columns)
    op.execute(f"INSERT INTO {name} ({names}) SELECT {names} FROM {name}_before ORDER BY {names}")
    op.drop_table(f"{name}_before")
