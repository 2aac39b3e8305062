"""Status pages: which updates are shown where, who is to be told, and who wants to be."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables, and note the updates that were written before."""
    op.create_table(
        "status_post",
        sa.Column("incident_id", _ID, autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("public", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "number", name="pk_status_post"),
    )
    op.create_index("ix_status_post_at", "status_post", ["public", "at"])
    op.create_table(
        "status_notice",
        sa.Column("id", _ID, nullable=False),
        sa.Column("page", sa.String(200), nullable=False),
        sa.Column("incident_id", _ID, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("reached", _ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_status_notice"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "status_subscriber",
        sa.Column("id", _ID, nullable=False),
        sa.Column("page", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("address", sa.String(500), nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("confirmed_at", sa.Double),
        sa.Column("components", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_status_subscriber"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_status_subscriber_address", "status_subscriber", ["page", "kind", "address"],
        unique=True,
    )  # fmt: skip
    op.create_index("ix_status_subscriber_page", "status_subscriber", ["page", "active", "id"])
    entry = sa.table("incident_entry", *map(sa.column, ("incident_id", "number", "at", "kind")),
                     sa.column("data", sa.Text))  # fmt: skip
    post = sa.table("status_post", *map(sa.column, ("incident_id", "number", "at", "public")))
    said = sa.select(
        entry.c.incident_id, entry.c.number, entry.c.at, entry.c.data.like('%"public": true%')
    ).where(entry.c.kind == "update")
    op.execute(post.insert().from_select(["incident_id", "number", "at", "public"], said))
