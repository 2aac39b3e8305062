"""The first tables: timeline, access, sources, SLI ledger, corrections and targets."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _timeline()
    _access()
    _sources()
    _ledger()
    _objectives()


def _timeline() -> None:
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("kind", sa.String(100), nullable=False),
        sa.Column("subject", sa.String(500), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_event_subject", "event", ["subject", "id"])


def _access() -> None:
    op.create_table(
        "api_token",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("scopes", sa.String(200), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double),
        sa.Column("revoked_at", sa.Double),
        sa.PrimaryKeyConstraint("id", name="pk_api_token"),
        sa.UniqueConstraint("name", name="uq_api_token_name"),
        sa.UniqueConstraint("hash", name="uq_api_token_hash"),
    )
    op.create_table(
        "web_session",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("token_id", sa.Integer, nullable=False),
        sa.Column("csrf", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_web_session"),
    )


def _sources() -> None:
    op.create_table(
        "source_state",
        sa.Column("source", sa.String(200), nullable=False),
        sa.Column("cursor", sa.Text),
        sa.Column("last_success", sa.Double),
        sa.Column("last_error", sa.Text, nullable=False),
        sa.Column("last_error_at", sa.Double),
        sa.PrimaryKeyConstraint("source", name="pk_source_state"),
    )
    op.create_table(
        "source_note",
        sa.Column("source", sa.String(200), nullable=False),
        sa.Column("day", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(50), nullable=False),
        sa.Column("message", sa.String(500), nullable=False),
        sa.Column("sli", sa.String(500), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("source", "day", "kind", "message", name="pk_source_note"),
    )
    op.create_table(
        "push_key",
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_push_key"),
    )
    op.create_index("ix_push_key_at", "push_key", ["at"])


def _ledger() -> None:
    op.create_table(
        "sli",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("key", sa.String(500), nullable=False),
        sa.Column("labels", sa.String(2000), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sli"),
        sa.UniqueConstraint("key", "labels", name="uq_sli_key_labels"),
    )
    op.create_table(
        "ledger_chunk",
        sa.Column("chunk", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("hot_start", sa.BigInteger, nullable=False),
        sa.Column("head", sa.BigInteger, nullable=False),
        sa.Column("spans", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("chunk", name="pk_ledger_chunk"),
    )
    op.create_table(
        "ledger_hot",
        sa.Column("chunk", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("minute", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("cum", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("chunk", "minute", name="pk_ledger_hot"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ledger_hour",
        sa.Column("chunk", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("hour", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("base", sa.LargeBinary, nullable=False),
        sa.Column("deltas", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("chunk", "hour", name="pk_ledger_hour"),
    )
    op.create_table(
        "ledger_state",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_state"),
    )


def _objectives() -> None:
    op.create_table(
        "slo_correction",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("slo", sa.String(500), nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("end", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_slo_correction"),
    )
    op.create_index("ix_slo_correction_slo", "slo_correction", ["slo"])
    op.create_table(
        "slo_target",
        sa.Column("slo", sa.String(500), nullable=False),
        sa.Column("since", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("target", sa.String(60), nullable=False),
        sa.PrimaryKeyConstraint("slo", "since", name="pk_slo_target"),
    )
