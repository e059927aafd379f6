"""The operations of a store as data: checked when made, then carried out here or sent to another host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from store.entry import Entry, Match, checked_data, checked_match

Result = TypeVar("Result", covariant=True)


class Operation(Generic[Result]):
    """One thing asked of a store; `Result` is the type of its answer. `JsonStore` says what each means."""

    __slots__ = ()

    def __post_init__(self) -> None:
        """Keep checked copies, so that what the caller does to its own maps later changes nothing here."""
        for name, check in (("data", checked_data), ("changes", checked_data)):
            if hasattr(self, name):
                object.__setattr__(self, name, check(getattr(self, name)))
        for name in ("matching", "expecting"):
            if hasattr(self, name):
                object.__setattr__(self, name, checked_match(getattr(self, name)))


class Write(Operation[Result]):
    """An operation that may change something."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class PutMany(Write[list[int]]):
    """Add entries."""

    entries: Sequence[Mapping[str, str]]

    def __post_init__(self) -> None:
        object.__setattr__(self, "entries", [checked_data(data) for data in self.entries])


@dataclass(frozen=True, slots=True)
class PutIfAbsent(Write[tuple[int, bool]]):
    """Add an entry unless one matches."""

    matching: Match
    data: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Update(Write[int | None]):
    """Change the first entry that matches."""

    matching: Match
    changes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class UpdateById(Write[bool]):
    """Change the entry of an id, if it is as expected."""

    id: int
    changes: Mapping[str, str]
    expecting: Match = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UpdateAll(Write[int]):
    """Change every entry that matches."""

    matching: Match
    changes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Remove(Write[bool]):
    """Take the entry of an id out."""

    id: int


@dataclass(frozen=True, slots=True)
class Get(Operation[list[Entry]]):
    """Look for entries."""

    matching: Match
    newest_first: bool = False
    limit: int | None = None
    before: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "matching", checked_match(self.matching))
        if self.limit is not None and self.limit < 0:
            raise ValueError(f"limit is {self.limit}; it must be 0 or more, or None for no limit")


@dataclass(frozen=True, slots=True)
class GetById(Operation[Entry | None]):
    """Look at the entry of an id."""

    id: int


@dataclass(frozen=True, slots=True)
class Count(Operation[int]):
    """Count the entries that match."""

    matching: Match
