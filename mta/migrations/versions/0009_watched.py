"""What operators see more of: traces that go on, whole answers of providers, and what came of mail by the minute."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "spool_traces",
        sa.Column(
            "submission_id",
            sa.Text,
            sa.ForeignKey("spool_submissions.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("context", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.add_column("spool_attempts", sa.Column("answer", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "spool_tallies",
        sa.Column("minute", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("holder", sa.Text, primary_key=True),
        sa.Column("sent", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("held", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
