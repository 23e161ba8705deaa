"""Who asked for which retraining, and what became of it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, UUID

revision = "0001"
down_revision = None

_TIME = sa.DateTime(timezone=True)


def _id() -> sa.Column[object]:
    return sa.Column("id", UUID(), primary_key=True, server_default=sa.text("gen_random_uuid()"))


def _user() -> sa.Column[object]:
    return sa.Column("usuario_id", UUID(), sa.ForeignKey("usuarios.id"), nullable=False)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "usuarios",
        _id(),
        sa.Column("subject", sa.Text(), nullable=False, unique=True),
        sa.Column("created_at", _TIME, nullable=False, server_default=sa.func.now()),
    )
    op.create_table(
        "analises",
        _id(),
        _user(),
        sa.Column("tipo", sa.String(50), nullable=False),
        sa.Column("data_criacao", _TIME, nullable=False, server_default=sa.func.now()),
        sa.Column("detalhes", JSONB()),
    )
    op.create_index("analises_usuario_id_idx", "analises", ["usuario_id", "data_criacao"])
    op.create_table(
        "retrain_logs",
        _id(),
        _user(),
        sa.Column("retrain_type", sa.String(50)),
        sa.Column("full_retrain", sa.Boolean(), server_default=sa.false()),
        sa.Column("python_response", JSONB()),
        sa.Column("status", sa.String(50), server_default=sa.text("'initiated'")),
        sa.Column("created_at", _TIME, server_default=sa.func.now()),
        sa.Column("completed_at", _TIME),
        sa.Column("error_message", sa.Text()),
    )
    op.create_index("retrain_logs_usuario_id_idx", "retrain_logs", ["usuario_id", "created_at"])
    op.create_index("retrain_logs_created_at_idx", "retrain_logs", ["created_at", "id"])
    op.create_index(
        "retrain_logs_open_idx",
        "retrain_logs",
        ["created_at"],
        postgresql_where=sa.text("status IN ('initiated', 'processing')"),
    )
    op.create_table(
        "retrain_runs",
        sa.Column(
            "retrain_id",
            UUID(),
            sa.ForeignKey("retrain_logs.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("model", sa.String(253), primary_key=True),
        sa.Column("run", sa.String(63), nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False, server_default=sa.text("'initiated'")),
        sa.Column("started_at", _TIME),
        sa.Column("completed_at", _TIME),
        sa.Column("error_message", sa.Text()),
    )
    op.create_index("retrain_runs_model_idx", "retrain_runs", ["model", "completed_at"])
    op.create_index("retrain_runs_run_idx", "retrain_runs", ["run"])


def downgrade() -> None:
    """Drop the tables, with all that is in them."""
    for table in ("retrain_runs", "retrain_logs", "analises", "usuarios"):
        op.drop_table(table)
