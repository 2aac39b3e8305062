"""Episodes of budget spent and their causes."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "cause_episode",
        sa.Column("slo", sa.String(500), nullable=False),
        sa.Column("start", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("end", sa.BigInteger, nullable=False),
        sa.Column("onset", sa.BigInteger, nullable=False),
        sa.Column("bad", sa.Double, nullable=False),
        sa.Column("total", sa.Double, nullable=False),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("service", sa.String(200), nullable=False),
        sa.Column("change_id", sa.String(100), nullable=False),
        sa.Column("judged_at", sa.Double, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("slo", "start", name="pk_cause_episode"),
    )
    op.create_index("ix_cause_episode_end", "cause_episode", ["end"])
    op.create_table(
        "cause_label",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("slo", sa.String(500), nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("end", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("what", sa.String(300), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("change_id", sa.String(100), nullable=False),
        sa.Column("said", sa.String(30), nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cause_label"),
    )
    op.create_index("ix_cause_label_slo", "cause_label", ["slo", "start"])
    op.create_table(
        "cause_looked",
        sa.Column("slo", sa.String(500), nullable=False),
        sa.Column("bad", sa.Double, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("slo", name="pk_cause_looked"),
    )
