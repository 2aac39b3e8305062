"""What was learnt: marks of incidents, recurrences, words of postmortems, digests."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "incident_mark",
        sa.Column("mark", sa.String(300), nullable=False),
        sa.Column("incident_id", _ID, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("mark", "incident_id", name="pk_incident_mark"),
    )
    op.create_index("ix_incident_mark_incident", "incident_mark", ["incident_id"])
    op.create_table(
        "incident_marked",
        sa.Column("incident_id", _ID, autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name="pk_incident_marked"),
    )
    op.create_table(
        "recurrence",
        sa.Column("incident_id", _ID, autoincrement=False, nullable=False),
        sa.Column("of", _ID, autoincrement=False, nullable=False),
        sa.Column("kinship", sa.String(10), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("shared", sa.Text, nullable=False),
        sa.Column("items", sa.Text, nullable=False),
        sa.Column("decided_by", sa.String(200), nullable=False),
        sa.Column("why", sa.String(2000), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "of", name="pk_recurrence"),
    )
    op.create_index("ix_recurrence_of", "recurrence", ["of"])
    op.create_table(
        "postmortem_word",
        sa.Column(
            "word",
            sa.String(40).with_variant(sa.String(40, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("postmortem_id", _ID, autoincrement=False, nullable=False),
        sa.Column("weight", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("word", "postmortem_id", name="pk_postmortem_word"),
    )
    op.create_index("ix_postmortem_word_postmortem", "postmortem_word", ["postmortem_id"])
    op.create_table(
        "digest",
        sa.Column("id", _ID, nullable=False),
        sa.Column("user", sa.String(200), nullable=False),
        sa.Column("channel", sa.String(200), nullable=False),
        sa.Column("address", sa.String(500), nullable=False),
        sa.Column("team", sa.String(200), nullable=False),
        sa.Column("made_by", sa.String(200), nullable=False),
        sa.Column("since", sa.Double, nullable=False),
        sa.Column("next_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_digest"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_digest_next", "digest", ["next_at"])
