"""Terms: the short fingerprints by which entries are found.

An entry has one term for each of its keys, one for each key with its value, and one for each declared group
whose keys it has, with their values. Finding a match means finding the entries that have all terms of the
match, by one index.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import TypeAlias

from store.entry import ANY, Match

Group: TypeAlias = tuple[str, ...]
"""Keys that are indexed together, in alphabetical order."""


def terms_of(data: Mapping[str, str], groups: Sequence[Group]) -> set[bytes]:
    """Every term an entry can be found by."""
    terms = {_key_term(key) for key in data}
    terms.update(_term(key, value) for key, value in data.items())
    for group in groups:
        if all(key in data for key in group):
            terms.add(group_term(group, data))
    return terms


def terms_for(matching: Match, groups: Sequence[Group]) -> list[bytes]:
    """The fewest terms that an entry must have to match: a group stands for the keys it covers."""
    valued = {key: value for key, value in matching.items() if value is not ANY}
    covering = [group for group in groups if all(key in valued for key in group)]
    covered = {key for group in covering for key in group}
    return [
        *(group_term(group, valued) for group in covering),
        *(_term(key, value) for key, value in valued.items() if key not in covered),
        *(_key_term(key) for key in matching if key not in valued),
    ]


def group_term(group: Group, data: Mapping[str, str]) -> bytes:
    """The term of a group for an entry that has all its keys."""
    return _term(*(part for key in group for part in (key, data[key])))


@lru_cache(1024)
def _key_term(key: str) -> bytes:
    return _term(key)


def _term(*parts: str) -> bytes:
    """128 bits, so that no two terms meet by chance or intent, and no value is too long for an index."""
    return blake2b("\0".join(parts).encode(), digest_size=16).digest()
