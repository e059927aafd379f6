"""The entry, and what may stand in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from store.errors import InvalidEntry

MAX_ID = 2**63 - 1
"""Ids are from 1 to here."""


class AnyValue(Enum):
    """The type of `ANY`."""

    ANY = "any"

    def __repr__(self) -> str:
        return "ANY"


ANY: Final = AnyValue.ANY
"""As a value in a match: the entry has this key, whatever its value."""

Match: TypeAlias = Mapping[str, str | AnyValue]
"""What an entry must have to be found. The empty match finds every entry."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A map from string to string, as the store keeps it.

    Attributes:
        id: given by the store; later entries have greater ids, and no id is given twice.
        data: the map.
    """

    id: int
    data: Mapping[str, str]

    def matches(self, matching: Match) -> bool:
        """Whether the entry has all of `matching`.

        >>> Entry(1, {"kind": "mail", "user": "anna"}).matches({"user": "anna", "kind": ANY})
        True
        """
        return all(
            key in self.data if value is ANY else self.data.get(key) == value
            for key, value in matching.items()
        )


def checked_data(data: Mapping[str, str]) -> dict[str, str]:
    """A copy of `data`, once every key and value is known to be text without NUL and lone surrogates.

    Raises:
        InvalidEntry: naming the first key at fault.
    """
    copy = dict(data)
    _check_texts(copy)
    return copy


def checked_match(matching: Match) -> dict[str, str | AnyValue]:
    """The same for a match, where `ANY` may stand for a value."""
    copy = dict(matching)
    _check_texts({key: "" if value is ANY else value for key, value in copy.items()})
    return copy


def _check_texts(data: Mapping[str, str]) -> None:
    try:  # all at once, since nearly always all is well
        text = "".join(part for pair in data.items() for part in pair)
        text.encode()
    except (TypeError, UnicodeEncodeError):
        fine = False
    else:
        fine = "\0" not in text
    if not fine:
        for key, value in data.items():
            _check_text(key, key, "key")
            _check_text(value, key, "value")


def _check_text(text: object, key: object, part: str) -> None:
    if not isinstance(text, str):
        raise InvalidEntry(f"the {part} of {key!r} is a {type(text).__name__}; it must be a string", key)
    if "\0" in text:
        raise InvalidEntry(f"the {part} of {key!r} contains NUL, which a store cannot keep; take it out", key)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidEntry(
            f"the {part} of {key!r} contains a lone surrogate, which is no Unicode text; take it out", key
        ) from None
