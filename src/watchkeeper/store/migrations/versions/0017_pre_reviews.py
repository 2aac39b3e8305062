"""Reviews of weeks, with notes."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "review",
        sa.Column("team", sa.String(200), nullable=False),
        sa.Column("week", sa.String(10), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("why", sa.String(20), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("team", "week", name="pk_review"),
    )
    op.create_table(
        "review_note",
        sa.Column("id", _ID, nullable=False),
        sa.Column("team", sa.String(200), nullable=False),
        sa.Column("week", sa.String(10), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("changed_by", sa.String(200), nullable=False),
        sa.Column("changed_at", sa.Double),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_review_note"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_review_note_week", "review_note", ["team", "week"])
    op.create_table(
        "review_due",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("schedule", sa.String(300), nullable=False),
        sa.Column("next_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_review_due"),
    )
    op.create_index("ix_review_due_next", "review_due", ["next_at"])
