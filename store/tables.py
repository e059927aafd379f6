"""The tables of the storage tier. Migrations make them; a test holds the two together."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Integer, LargeBinary, MetaData, Text
from sqlmodel import Field, SQLModel

metadata = MetaData()

BigId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts ids only in a column declared INTEGER, which is 64 bits there."""


class EntryRow(SQLModel, table=True):
    """An entry: its map as JSON text."""

    __tablename__ = "store_entry"
    metadata = metadata
    __table_args__ = {"sqlite_autoincrement": True}

    id: int = Field(sa_column=Column(BigId, primary_key=True))
    data: str = Field(sa_column=Column(Text, nullable=False))


class PostingRow(SQLModel, table=True):
    """One thing an entry can be found by; see `store.terms`."""

    __tablename__ = "store_posting"
    metadata = metadata
    __table_args__ = {"sqlite_with_rowid": False}

    term: bytes = Field(sa_column=Column(LargeBinary(16), primary_key=True))
    entry: int = Field(sa_column=Column(BigId, primary_key=True))


class GroupRow(SQLModel, table=True):
    """Keys that are indexed together, as a JSON list."""

    __tablename__ = "store_group"
    metadata = metadata

    members: str = Field(sa_column=Column(Text, primary_key=True))


class AnswerRow(SQLModel, table=True):
    """What a write that another host asked for was answered, so that asking again changes nothing."""

    __tablename__ = "store_answer"
    metadata = metadata

    request: str = Field(sa_column=Column(Text, primary_key=True))
    answer: str = Field(sa_column=Column(Text, nullable=False))
    at: float = Field(sa_column=Column(Float, nullable=False, index=True))


class BlobRow(SQLModel, table=True):
    """A blob: which bytes, and when they were last put."""

    __tablename__ = "store_blob"
    metadata = metadata

    sha256: str = Field(sa_column=Column(Text, primary_key=True))
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    put_at: float = Field(sa_column=Column(Float, nullable=False))


class ChunkRow(SQLModel, table=True):
    """A piece of a blob, so that no side ever needs the whole of it in memory."""

    __tablename__ = "store_chunk"
    metadata = metadata

    sha256: str = Field(
        sa_column=Column(Text, ForeignKey("store_blob.sha256", ondelete="CASCADE"), primary_key=True)
    )
    number: int = Field(sa_column=Column(Integer, primary_key=True))
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


entries = metadata.tables["store_entry"]
postings = metadata.tables["store_posting"]
groups = metadata.tables["store_group"]
answers = metadata.tables["store_answer"]
blobs = metadata.tables["store_blob"]
chunks = metadata.tables["store_chunk"]
