"""The driver below SQLAlchemy, for the few statements that make up nearly all of the store's work.

SQLAlchemy's care for each statement took as long as the database took to answer it. Connections, pools and
transactions of one's own stay SQLAlchemy's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from store.errors import StoreUnavailable


def unavailable(error: BaseException) -> StoreUnavailable:
    """What a database error that is nobody's fault here means to a caller."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return StoreUnavailable(
        f"the database does not answer as it should: {cause}; see that it runs and its disk has room"
    )


class Driver:
    """One connection of `sqlite3` or psycopg. Statements have `?` for their parameters on both."""

    __slots__ = ("_connection", "_dialect", "is_sqlite")

    def __init__(self, connection: Any, dialect: Any) -> None:
        """
        Args:
            connection: the driver's connection.
            dialect: SQLAlchemy's word for which driver it is.
        """
        self._connection = connection
        self._dialect = dialect
        self.is_sqlite = dialect.name == "sqlite"

    @classmethod
    def below(cls, connection: Connection) -> Driver:
        """The driver in the transaction that `connection` is in."""
        return cls(connection.connection.driver_connection, connection.dialect)

    def begin(self) -> None:
        """Begin a transaction that writes. psycopg does so by itself, with the first statement.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        if self.is_sqlite:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except self._dialect.loaded_dbapi.Error as error:
                raise unavailable(error) from error

    def commit(self) -> None:
        """Make durable what was written in the transaction.

        Raises:
            StoreUnavailable: the database does not answer, or not whether it committed.
        """
        try:
            if self.is_sqlite:
                self._connection.execute("COMMIT")  # which is kept prepared, unlike that of commit()
            else:
                self._connection.commit()
        except self._dialect.loaded_dbapi.Error as error:
            raise unavailable(error) from error

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Every row that a statement gives; none for one that only changes something.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        if not self.is_sqlite:
            statement = statement.replace("?", "%b")
        try:
            cursor = self._connection.execute(statement, parameters)
            # psycopg makes a description of each column when it is asked for that, and refuses to fetch nothing.
            return cursor.fetchall() if self.is_sqlite or cursor.rownumber is not None else []
        except self._no_answer() as error:
            raise unavailable(error) from error

    def change(self, on_sqlite: str, on_postgresql: str, rows: Sequence[tuple[Any, ...]]) -> int:
        """Run a statement that changes something for every row, and say how many rows it changed.

        Args:
            on_sqlite: the statement, run once a row.
            on_postgresql: the statement, run once with an array for each column.
            rows: its parameters.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        if not rows:
            return 0
        try:
            if self.is_sqlite:
                cursor = self._connection.executemany(on_sqlite, rows)
            else:
                columns = [list(column) for column in zip(*rows, strict=True)]
                cursor = self._connection.execute(on_postgresql.replace("?", "%b"), columns)
        except self._no_answer() as error:
            raise unavailable(error) from error
        changed: int = cursor.rowcount
        return changed

    def _no_answer(self) -> tuple[type[BaseException], ...]:
        errors = self._dialect.loaded_dbapi
        # An internal one is how PostgreSQL says that it waited for us too long.
        return errors.OperationalError, errors.InterfaceError, errors.InternalError
