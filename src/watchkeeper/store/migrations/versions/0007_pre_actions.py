"""Action items."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "action_item",
        sa.Column("id", _ID, nullable=False),
        sa.Column("text", sa.String(500), nullable=False),
        sa.Column("type", sa.String(10), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("due_at", sa.Double),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("incident_id", _ID),
        sa.Column("postmortem_id", _ID),
        sa.Column("team", sa.String(200), nullable=False),
        sa.Column("tracker", sa.String(200), nullable=False),
        sa.Column("external", sa.String(200), nullable=False),
        sa.Column("url", sa.String(1000), nullable=False),
        sa.Column("done_at", sa.Double),
        sa.Column("next_at", sa.Double),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("sync_at", sa.Double),
        sa.Column("sync_tries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("sync_said", sa.String(1000), nullable=False, server_default=""),
        sa.Column("synced", sa.Text, nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("id", name="pk_action_item"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_action_item_next", "action_item", ["next_at"])
    op.create_index("ix_action_item_sync", "action_item", ["sync_at"])
    op.create_index("ix_action_item_state", "action_item", ["state", "due_at"])
    op.create_index("ix_action_item_incident", "action_item", ["incident_id"])
