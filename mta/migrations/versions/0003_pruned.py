"""A summary in place of old finished deliveries, and the chores that one container does for all."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("spool_submissions", sa.Column("summary", sa.LargeBinary))
    chores = op.create_table(
        "spool_chores",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("due", sa.Double, nullable=False),
        sqlite_with_rowid=False,
    )
    op.bulk_insert(chores, [{"name": "prune", "due": 0.0}])
