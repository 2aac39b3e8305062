"""Accounts, roles, sessions of people."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "account",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("display_name", sa.String(200), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("password", sa.String(300), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("disabled_at", sa.Double),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.UniqueConstraint("name", name="uq_account_name"),
    )
    op.create_table(
        "account_role",
        sa.Column("account_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("team", sa.String(200), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "team", name="pk_account_role"),
    )
    op.create_table(
        "signin_bucket",
        sa.Column("key", sa.String(100), nullable=False),
        sa.Column("level", sa.Double, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_signin_bucket"),
    )
    op.create_table(
        "setup_key",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_setup_key"),
    )
    with op.batch_alter_table("api_token") as token:
        token.add_column(sa.Column("account_id", sa.Integer))
    with op.batch_alter_table("web_session") as session:
        session.alter_column("token_id", existing_type=sa.Integer, nullable=True)
        session.add_column(sa.Column("account_id", sa.Integer))
    op.create_index("ix_web_session_account", "web_session", ["account_id"])
