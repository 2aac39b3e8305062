"""Budget policies: states, exceptions, decisions of the gate."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "budget_state",
        sa.Column("policy", sa.String(200), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("since", sa.Double, nullable=False),
        sa.Column("left", sa.Double),
        sa.Column("seen", sa.String(20), nullable=False),
        sa.Column("seen_since", sa.Double, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("policy", name="pk_budget_state"),
    )
    op.create_table(
        "gate_exception",
        sa.Column("id", _ID, nullable=False),
        sa.Column("service", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("ground", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(2000), nullable=False),
        sa.Column("requested_by", sa.String(200), nullable=False),
        sa.Column("requested_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("approved_by", sa.String(200), nullable=False),
        sa.Column("approved_at", sa.Double),
        sa.Column("revoked_by", sa.String(200), nullable=False),
        sa.Column("revoked_at", sa.Double),
        sa.Column("uses", sa.Integer, nullable=False),
        sa.Column("most_uses", sa.Integer),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_gate_exception"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_gate_exception_service", "gate_exception", ["service", "expires_at"])
    op.create_table(
        "gate_decision",
        sa.Column("id", _ID, nullable=False),
        sa.Column("uid", sa.String(40), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("service", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("verdict", sa.String(10), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("policy", sa.String(200), nullable=False),
        sa.Column("exception_id", _ID),
        sa.Column("inputs", sa.Text, nullable=False),
        sa.Column("signature", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_gate_decision"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_gate_decision_uid", "gate_decision", ["uid"], unique=True)
    op.create_index("ix_gate_decision_service", "gate_decision", ["service", "id"])
    op.create_index("ix_gate_decision_at", "gate_decision", ["at"])
