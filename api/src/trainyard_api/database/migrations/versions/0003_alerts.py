"""Alerts of failures, from this moment on."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, UUID

revision = "0003"
down_revision = "0002"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "alerts",
        sa.Column("id", UUID(), primary_key=True, server_default=sa.text("gen_random_uuid()")),
        sa.Column("cause", sa.Text(), nullable=False, unique=True),
        sa.Column("type", sa.String(50), nullable=False),
        sa.Column("occurred_at", _TIME, nullable=False),
        sa.Column("data", JSONB(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False, server_default=sa.func.now()),
        sa.Column("state", sa.String(16), nullable=False, server_default=sa.text("'pending'")),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("next_attempt_at", _TIME, nullable=False, server_default=sa.func.now()),
        sa.Column("ended_at", _TIME),
        sa.Column("last_error", sa.Text()),
        sa.Column("announced_at", _TIME),
    )
    op.create_index("alerts_created_at_idx", "alerts", ["created_at", "id"])
    op.create_index(
        "alerts_due_idx",
        "alerts",
        ["next_attempt_at"],
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index("alerts_state_idx", "alerts", ["state", "created_at", "id"])
    op.create_index(
        "retrain_logs_failed_idx",
        "retrain_logs",
        ["completed_at"],
        postgresql_where=sa.text("status = 'failed'"),
    )
    op.create_table(
        "alerting",
        sa.Column("since", _TIME, primary_key=True, server_default=sa.func.now()),
    )
    op.execute("INSERT INTO alerting DEFAULT VALUES")


def downgrade() -> None:
    """Drop the tables, with all that is in them."""
    op.drop_index("retrain_logs_failed_idx", "retrain_logs")
    for table in ("alerting", "alerts"):
        op.drop_table(table)
