"""How far each replica's clock is ahead of the wall clock, so that a restart goes on from there."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; replicas of an older version leave it empty."""
    op.add_column("replica", sa.Column("ahead", sa.Double))
