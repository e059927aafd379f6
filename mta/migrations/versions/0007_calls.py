"""Which webhooks are told of whose deliveries, and what they are still to be told."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "spool_subscribers",
        sa.Column("webhook", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("statuses", sa.Text, nullable=False),
        sa.Column("due", sa.Double),
        sa.Column("lease", sa.Text, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
    )
    op.create_index("spool_subscribers_owner", "spool_subscribers", ["owner"])
    due = sa.text("due IS NOT NULL")
    op.create_index(
        "spool_subscribers_due", "spool_subscribers", ["due"], sqlite_where=due, postgresql_where=due
    )
    op.create_table(
        "spool_calls",
        sa.Column(
            "webhook",
            sa.BigInteger,
            sa.ForeignKey("spool_subscribers.webhook", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("due", sa.Double, nullable=False),
        sa.Column("expires", sa.Double, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("spool_calls_due", "spool_calls", ["webhook", "due"])
    op.create_index("spool_calls_expires", "spool_calls", ["webhook", "expires"])
