"""What came in by each integration, and messages as they were received."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "intake_count",
        sa.Column("integration", sa.String(200), nullable=False),
        sa.Column("accepted", sa.BigInteger, nullable=False),
        sa.Column("refused", sa.BigInteger, nullable=False),
        sa.Column("accepted_at", sa.Double),
        sa.Column("refused_at", sa.Double),
        sa.Column("refusal", sa.String(1000), nullable=False),
        sa.PrimaryKeyConstraint("integration", name="pk_intake_count"),
    )
    op.create_table(
        "received",
        sa.Column(
            "alert_id",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("content_type", sa.String(200), nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("alert_id", name="pk_received"),
    )
