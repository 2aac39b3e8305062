"""Alerts, integrations, silences, heartbeats."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _alerts()
    op.create_table(
        "silence",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("matchers", sa.Text, nullable=False),
        sa.Column("start", sa.Double, nullable=False),
        sa.Column("end", sa.Double, nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("reason", sa.String(1000), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_silence"),
    )
    op.create_table(
        "policy_state",
        sa.Column("slo", sa.String(500), nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("slo", name="pk_policy_state"),
    )
    op.create_table(
        "heartbeat_state",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_heartbeat_state"),
    )
    op.create_table(
        "integration_key",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("integration", sa.String(200), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("revoked_at", sa.Double),
        sa.PrimaryKeyConstraint("hash", name="pk_integration_key"),
    )


def _alerts() -> None:
    op.create_table(
        "alert",
        sa.Column("id", _ID, nullable=False),
        sa.Column("open_key", sa.String(700)),
        sa.Column("integration", sa.String(200), nullable=False),
        sa.Column("key", sa.String(500), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("urgency", sa.String(10), nullable=False),
        sa.Column("severity", sa.String(20), nullable=False),
        sa.Column("service", sa.String(300), nullable=False),
        sa.Column("summary", sa.String(1000), nullable=False),
        sa.Column("opened_at", sa.Double, nullable=False),
        sa.Column("last_at", sa.Double, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("closed_at", sa.Double),
        sa.Column("escalation_policy", sa.String(200)),
        sa.Column("page_id", _ID),
        sa.Column("due_at", sa.Double),
        sa.Column("auto_close", sa.Double),
        sa.Column("quiet", sa.String(500), nullable=False),
        sa.Column("source", sa.String(500), nullable=False),
        sa.Column("component", sa.String(500), nullable=False),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("links", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alert"),
        sa.UniqueConstraint("open_key", name="uq_alert_open_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alert_due", "alert", ["due_at"])
    op.create_index("ix_alert_page", "alert", ["page_id"])
    op.create_index("ix_alert_state", "alert", ["state", "id"])
