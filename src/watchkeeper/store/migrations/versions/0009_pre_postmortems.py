"""Postmortems and all their texts."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "postmortem",
        sa.Column("id", _ID, nullable=False),
        sa.Column("incident_id", _ID),
        sa.Column("title", sa.String(300), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("due_at", sa.Double),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("severity", sa.String(50), nullable=False),
        sa.Column("services", sa.Text, nullable=False),
        sa.Column("reviewers", sa.Text, nullable=False),
        sa.Column("published_at", sa.Double),
        sa.Column("published_by", sa.String(200), nullable=False),
        sa.Column("next_at", sa.Double),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_postmortem"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_postmortem_incident", "postmortem", ["incident_id"], unique=True)
    op.create_index("ix_postmortem_state", "postmortem", ["state", "id"])
    op.create_index("ix_postmortem_next", "postmortem", ["next_at"])
    op.create_table(
        "postmortem_text",
        sa.Column("postmortem_id", _ID, autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("base", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("postmortem_id", "version", name="pk_postmortem_text"),
    )
