"""Chips: the people in a field of recipients, each with where it stands in what was typed."""

from __future__ import annotations

from dataclasses import dataclass

from bitmail.retelling import retold
from mta.addresses import BadAddress, parse_address
from mta.pieces import split_addresses

SHOWN = 200
"""Chips of one field on the screen; of more people the rest is counted."""


@dataclass
class Chip:
    """One piece of a field of recipients.

    Attributes:
        label: the name, or else the address, or what was typed when it is none.
        title: the whole of it.
        reason: why it is no address, or "".
        line: the line of the field that it stands in, from 0.
        start, end: where in that line, in UTF-16 units, as browsers count.
        text: what stands there.
    """

    label: str
    title: str
    reason: str
    line: int
    start: int
    end: int
    text: str


def read_chips(field: str) -> list[Chip]:
    """The pieces of a field, right and wrong, in the order typed; in time proportional to its length."""
    chips = []
    for number, line in enumerate(field.split("\n")):
        position, units = 0, 0
        for piece in split_addresses(line):
            start = line.index(piece.tokens[0].text, position)
            end = start
            for token in piece.tokens:
                end = line.index(token.text, end) + len(token.text)
            text = line[start:end]
            units += _units(line[position:start])
            chips.append(_chip(text, number, units, units + _units(text)))
            position, units = end, units + _units(text)
    return chips


def shown(chips: list[Chip]) -> list[Chip]:
    """The first of them and the first that are wrong."""
    return [*chips[:SHOWN], *[chip for chip in chips[SHOWN:] if chip.reason][:SHOWN]]


def _chip(text: str, line: int, start: int, end: int) -> Chip:
    try:
        address = parse_address(text)
    except BadAddress as error:
        return Chip(text, text, f"{error.value}: {retold(error.reason)}.", line, start, end, text)
    return Chip(address.name or address.email, address.header, "", line, start, end, text)


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
