"""Subscribers of status pages are told when planned work begins and ends."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and room in notices for what is planned."""
    op.create_table(
        "status_planned",
        sa.Column("page", sa.String(200), nullable=False),
        sa.Column("until", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("page", name="pk_status_planned"),
    )
    op.add_column(
        "status_notice", sa.Column("planned", sa.String(100), nullable=False, server_default="")
    )
