"""Incidents, their roles and timelines."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "incident",
        sa.Column("id", _ID, nullable=False),
        sa.Column("title", sa.String(300), nullable=False),
        sa.Column("severity", sa.String(50), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("declared_at", sa.Double, nullable=False),
        sa.Column("declared_by", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("began_at", sa.Double),
        sa.Column("detected_at", sa.Double),
        sa.Column("acknowledged_at", sa.Double),
        sa.Column("mitigated_at", sa.Double),
        sa.Column("resolved_at", sa.Double),
        sa.Column("last_update_at", sa.Double),
        sa.Column("update_due_at", sa.Double),
        sa.Column("due_at", sa.Double),
        sa.Column("merged_into", _ID),
        sa.Column("drill", sa.Boolean, nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("entries", sa.Integer, nullable=False),
        sa.Column("head", sa.String(64), nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_incident"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_incident_due", "incident", ["due_at"])
    op.create_index("ix_incident_state", "incident", ["state", "id"])
    op.create_index("ix_incident_declared", "incident", ["declared_at"])
    op.create_index("ix_incident_fingerprint", "incident", ["fingerprint"])
    op.create_table(
        "incident_part",
        sa.Column("incident_id", _ID, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("name", sa.String(300), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "kind", "name", name="pk_incident_part"),
    )
    op.create_index("ix_incident_part_name", "incident_part", ["kind", "name", "incident_id"])
    op.create_table(
        "incident_role",
        sa.Column("incident_id", _ID, autoincrement=False, nullable=False),
        sa.Column("role", sa.String(100), nullable=False),
        sa.Column("user", sa.String(200), nullable=False),
        sa.Column("since", sa.Double, nullable=False),
        sa.Column("offered_to", sa.String(200), nullable=False),
        sa.Column("offered_at", sa.Double),
        sa.PrimaryKeyConstraint("incident_id", "role", name="pk_incident_role"),
    )
    op.create_table(
        "incident_entry",
        sa.Column("id", _ID, nullable=False),
        sa.Column("incident_id", _ID, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("written_at", sa.Double, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("amends", sa.Integer),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_incident_entry"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_incident_entry_number", "incident_entry", ["incident_id", "number"], unique=True
    )
