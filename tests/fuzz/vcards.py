"""Address books that people bring along."""

from __future__ import annotations

from bitmail.cards import CARDS_LIMIT, read_cards


def one(data: bytes) -> None:
    cards = read_cards(data)
    assert len(cards) <= CARDS_LIMIT
    for card in cards:
        assert card.email
