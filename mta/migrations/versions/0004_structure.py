"""Which deliveries only a provider can carry that takes MIME as it is."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column(
        "spool_deliveries", sa.Column("needs_mime", sa.Boolean, nullable=False, server_default=sa.false())
    )
