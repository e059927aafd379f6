"""What providers report, the tokens they may use once, and the deliveries whose authors are to be told."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("spool_deliveries", sa.Column("deferral", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "spool_reports",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("delivery_id", sa.Text, nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("permanent", sa.Boolean, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("received", sa.Double, nullable=False),
        sa.Column("waiting", sa.Double),
        sqlite_with_rowid=False,
    )
    waiting = sa.text("waiting IS NOT NULL")
    op.create_index(
        "spool_reports_waiting",
        "spool_reports",
        ["waiting"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.create_index("spool_reports_received", "spool_reports", ["received"])
    op.create_table(
        "spool_tokens",
        sa.Column("token", sa.Text, primary_key=True),
        sa.Column("used_for", sa.Text, nullable=False),
        sa.Column("received", sa.Double, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("spool_tokens_received", "spool_tokens", ["received"])
    op.create_table(
        "spool_returns",
        sa.Column(
            "delivery_id",
            sa.Text,
            sa.ForeignKey("spool_deliveries.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("status", sa.Text, primary_key=True),
        sa.Column("submission_id", sa.Text, nullable=False),
        sa.Column("permanent", sa.Boolean, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("batch", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("spool_returns_batch", "spool_returns", ["batch", "submission_id"])
