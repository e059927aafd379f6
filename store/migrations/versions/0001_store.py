"""Entries, what they are found by, and blobs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

big_id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "store_entry",
        sa.Column("id", big_id, primary_key=True),
        sa.Column("data", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "store_posting",
        sa.Column("term", sa.LargeBinary(16), primary_key=True),
        sa.Column("entry", big_id, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table("store_group", sa.Column("members", sa.Text, primary_key=True))
    op.create_table(
        "store_answer",
        sa.Column("request", sa.Text, primary_key=True),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False, index=True),
    )
    op.create_table(
        "store_blob",
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("put_at", sa.Float, nullable=False),
    )
    op.create_table(
        "store_chunk",
        sa.Column(
            "sha256", sa.Text, sa.ForeignKey("store_blob.sha256", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
