"""The chat side of incidents: files, rooms in other chats, what came from there."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "incident_file",
        sa.Column("id", _ID, nullable=False),
        sa.Column("incident_id", _ID, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("type", sa.String(100), nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_incident_file"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_incident_file_incident", "incident_file", ["incident_id", "id"])
    _rooms()


def _rooms() -> None:
    op.create_table(
        "incident_room",
        sa.Column("incident_id", _ID, autoincrement=False, nullable=False),
        sa.Column("channel", sa.String(200), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("external", sa.String(300), nullable=False),
        sa.Column("told", sa.Integer, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("invited", sa.Text, nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("doubt", sa.Boolean, nullable=False),
        sa.Column("said", sa.Text, nullable=False),
        sa.Column("since", sa.Double),
        sa.Column("lease", sa.Double),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "channel", name="pk_incident_room"),
    )
    op.create_index("ix_incident_room_due", "incident_room", ["open", "due_at"])
    op.create_index("ix_incident_room_external", "incident_room", ["channel", "external"])
    op.create_table(
        "incident_room_message",
        sa.Column("incident_id", _ID, autoincrement=False, nullable=False),
        sa.Column("channel", sa.String(200), nullable=False),
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("external", sa.String(300), nullable=False),
        sa.PrimaryKeyConstraint(
            "incident_id", "channel", "number", name="pk_incident_room_message"
        ),
    )
    op.create_index(
        "ix_incident_room_message_external", "incident_room_message", ["channel", "external"]
    )
    op.create_table(
        "chat_seen",
        sa.Column("channel", sa.String(200), nullable=False),
        sa.Column("event", sa.String(300), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("channel", "event", name="pk_chat_seen"),
    )
    op.create_index("ix_chat_seen_at", "chat_seen", ["at"])
    op.create_table(
        "chat_person",
        sa.Column("channel", sa.String(200), nullable=False),
        sa.Column("external", sa.String(200), nullable=False),
        sa.Column("user", sa.String(200), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("channel", "external", name="pk_chat_person"),
    )
    op.create_table(
        "chat_cursor",
        sa.Column("channel", sa.String(200), nullable=False),
        sa.Column("since", sa.Text, nullable=False),
        sa.Column("lease", sa.Double),
        sa.Column("owner", sa.String(50), nullable=False),
        sa.PrimaryKeyConstraint("channel", name="pk_chat_cursor"),
    )
