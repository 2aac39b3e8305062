"""Pages, deliveries, contacts, changes to schedules."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _pages()
    _people()
    _deliveries()
    op.create_table(
        "setting",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_setting"),
    )


def _pages() -> None:
    op.create_table(
        "page",
        sa.Column("id", _ID, nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("service", sa.String(300), nullable=False),
        sa.Column("title", sa.String(1000), nullable=False),
        sa.Column("urgency", sa.String(10), nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("policy_name", sa.String(200), nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("calls", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Double),
        sa.Column("opened_at", sa.Double, nullable=False),
        sa.Column("last_alert_at", sa.Double, nullable=False),
        sa.Column("alerts", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("acked_at", sa.Double),
        sa.Column("acked_by", sa.String(200), nullable=False),
        sa.Column("snoozed_until", sa.Double),
        sa.Column("resolved_at", sa.Double),
        sa.Column("resolved_by", sa.String(200), nullable=False),
        sa.Column("first_call_at", sa.Double),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_page"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_page_due", "page", ["due_at"])
    op.create_index("ix_page_state", "page", ["state", "id"])
    op.create_table(
        "page_call",
        sa.Column("id", _ID, nullable=False),
        sa.Column("page_id", _ID, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("user", sa.String(200), nullable=False),
        sa.Column("via", sa.String(300), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_page_call"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_page_call_page", "page_call", ["page_id"])
    op.create_index("ix_page_call_at", "page_call", ["at"])


def _people() -> None:
    op.create_table(
        "contact_proof",
        sa.Column("user", sa.String(200), nullable=False),
        sa.Column("channel", sa.String(200), nullable=False),
        sa.Column("address", sa.String(500), nullable=False),
        sa.Column("verified_at", sa.Double),
        sa.Column("drilled_at", sa.Double),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("code_expires", sa.Double),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("user", "channel", "address", name="pk_contact_proof"),
    )
    op.create_table(
        "schedule_change",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("schedule", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("start", sa.Double, nullable=False),
        sa.Column("end", sa.Double, nullable=False),
        sa.Column("user", sa.String(200), nullable=False),
        sa.Column("replaces", sa.String(200), nullable=False),
        sa.Column("reason", sa.String(1000), nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("removed", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_schedule_change"),
    )
    op.create_index("ix_schedule_change_schedule", "schedule_change", ["schedule", "end"])


def _deliveries() -> None:
    op.create_table(
        "delivery",
        sa.Column("id", _ID, nullable=False),
        sa.Column("key", sa.String(120), nullable=False),
        sa.Column("page_id", _ID),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("urgency", sa.String(10), nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("user", sa.String(200), nullable=False),
        sa.Column("channel", sa.String(200), nullable=False),
        sa.Column("address", sa.String(1000), nullable=False),
        sa.Column("fallbacks", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("owner", sa.String(64)),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("bundle", _ID),
        sa.Column("maybe_duplicate", sa.Boolean, nullable=False),
        sa.Column("sent_at", sa.Double),
        sa.Column("provider_id", sa.String(500), nullable=False),
        sa.Column("outcome", sa.String(2000), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
        sa.UniqueConstraint("key", name="uq_delivery_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_delivery_due", "delivery", ["state", "due_at", "priority"])
    op.create_index("ix_delivery_page", "delivery", ["page_id"])
    op.create_index("ix_delivery_address", "delivery", ["channel", "address", "sent_at"])
    op.create_table(
        "replica",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("beat", sa.Integer, nullable=False),
        sa.Column("seen_at", sa.Double, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_replica"),
    )
