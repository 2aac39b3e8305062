"""Words of postmortems stand together on disk in SQLite, as they are searched.

Before, a word that is in each of 5,000 postmortems led to 5,000 places; PostgreSQL's are in memory.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Write the table again in the order of its key."""
    if op.get_bind().dialect.name != "sqlite":
        return
    op.rename_table("postmortem_word", "postmortem_word_before")
    op.drop_index("ix_postmortem_word_postmortem")
    op.create_table(
        "postmortem_word",
        sa.Column("word", sa.String(40), nullable=False),
        sa.Column("postmortem_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("weight", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("word", "postmortem_id", name="pk_postmortem_word"),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO postmortem_word (word, postmortem_id, weight) "
        "SELECT word, postmortem_id, weight FROM postmortem_word_before "
        "ORDER BY word, postmortem_id"
    )
    op.drop_table("postmortem_word_before")
    op.create_index("ix_postmortem_word_postmortem", "postmortem_word", ["postmortem_id"])
