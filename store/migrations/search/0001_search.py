"""The search index."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        # Every word begins with 16 characters for its owner: these are the beginnings of three and four letters,
        # which so many words share that looking at each of them would take seconds.
        op.execute(
            "CREATE VIRTUAL TABLE store_search USING fts5(at UNINDEXED, marks, author, readers, title, "
            "body, prefix='19 20', tokenize='unicode61 remove_diacritics 0')"
        )
        return
    op.create_table(
        "store_search",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("words", postgresql.TSVECTOR, nullable=False),
    )
    op.create_index("store_search_owner", "store_search", ["owner", "id"])
    op.create_index("store_search_words", "store_search", ["words"], postgresql_using="gin")
