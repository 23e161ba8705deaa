"""True outcomes of predictions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, UUID

revision = "0004"
down_revision = "0003"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "feedback",
        sa.Column("id", UUID(), primary_key=True),
        sa.Column("usuario_id", UUID(), sa.ForeignKey("usuarios.id"), nullable=False),
        sa.Column("model", sa.String(63), nullable=False),
        sa.Column("model_type", sa.String(16), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("columns", JSONB(), nullable=False),
        sa.Column("object_key", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False, server_default=sa.func.now()),
        sa.Column("written_at", _TIME),
    )
    op.create_index("feedback_model_idx", "feedback", ["model", "created_at"])
    op.create_index(
        "feedback_unwritten_idx",
        "feedback",
        ["created_at", "id"],
        postgresql_where=sa.text("written_at IS NULL"),
    )
    op.create_table(
        "feedback_rows",
        sa.Column(
            "feedback_id",
            UUID(),
            sa.ForeignKey("feedback.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("features", JSONB(), nullable=False),
        sa.Column("prediction", JSONB()),
        sa.Column("outcome", JSONB(), nullable=False),
    )


def downgrade() -> None:
    """Drop the tables, with all that is in them."""
    for table in ("feedback_rows", "feedback"):
        op.drop_table(table)
