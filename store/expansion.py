"""Schema changes that the release before can live with: they add, and take nothing away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event

_CONTRACTS = re.compile(
    r"\s*(?:DROP\s+(?!INDEX)"
    r"|TRUNCATE\b"
    r"|DELETE\s"
    r"|ALTER\s+TABLE\s.*\b(?:DROP|RENAME|ALTER)\s"
    r"|ALTER\s+TABLE\s.*\bADD\s(?!.*\bDEFAULT\b).*\bNOT\s+NULL\b"
    r"|ALTER\s+TABLE\s.*\bADD\s+(?:CONSTRAINT|UNIQUE|CHECK|FOREIGN|PRIMARY)\b"
    r"|ALTER\s+(?!TABLE|INDEX))",
    re.IGNORECASE | re.DOTALL,
)


def contracts(statement: str) -> bool:
    """Whether a statement takes away, or demands, what the release before does not know of."""
    return _CONTRACTS.match(statement) is not None


@contextmanager
def contractions(connection: Connection) -> Iterator[list[str]]:
    """Gather the statements that contract, of all that a connection executes."""
    found: list[str] = []

    def look(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if contracts(statement):
            found.append(" ".join(statement.split()))

    event.listen(connection, "before_cursor_execute", look)
    try:
        yield found
    finally:
        event.remove(connection, "before_cursor_execute", look)
