"""Chips: each piece of what was typed, right or wrong, and where it stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitmail.chips import SHOWN, read_chips, shown


def labels(field: str) -> list[str]:
    return [chip.label for chip in read_chips(field) if not chip.reason]


@pytest.mark.parametrize(
    ("typed", "people"),
    [
        ("ann@example.com;bob@example.com", ["ann@example.com", "bob@example.com"]),
        ('"A; B" <ann@example.com>', ["A; B"]),
        ('"Doe, Ann" <ann@example.com>, bob@example.com', ["Doe, Ann", "bob@example.com"]),
        ("a@example.com\nb@example.com", ["a@example.com", "b@example.com"]),
        ("a@example.com b@example.com", ["a@example.com", "b@example.com"]),
        ("a@example.com; ;", ["a@example.com"]),
        ("o'neil@example.com, a+b@example.com", ["o'neil@example.com", "a+b@example.com"]),
        ("user@bücher.example", ["user@xn--bcher-kva.example"]),
        ("user@straße.example", ["user@xn--strae-oqa.example"]),
        ("üser@example.com", ["üser@example.com"]),
        ("undisclosed-recipients:;", []),
        ("", []),
    ],
)
def test_what_people_type_and_paste_is_those_they_mean(typed: str, people: list[str]) -> None:
    assert labels(typed) == people


@pytest.mark.parametrize(
    "typed", ["ann", "ann@-example.com", "ann@example..com", "@example.com", 'a"b@example.com']
)
def test_what_is_no_address_is_marked_with_the_reason_beside_those_that_are(typed: str) -> None:
    wrong, right = read_chips(f"{typed}; bob@example.com")
    assert (wrong.text, right.label) == (typed, "bob@example.com")
    assert wrong.reason.startswith(f"{typed}: ")


@given(
    st.lists(
        st.sampled_from(
            ["a@b.example", "🚀 <x@y.example>", '"A, 🚀" <a@b.example>', "ann", ";", ",", " ", "\n", "("]
        )
    )
)
def test_a_chip_taken_out_leaves_the_others_as_they_were(pieces: list[str]) -> None:
    field = "".join(pieces)
    before = read_chips(field)
    for chip in before:
        lines = field.split("\n")
        units = lines[chip.line].encode("utf-16-le")
        assert units[2 * chip.start : 2 * chip.end].decode("utf-16-le") == chip.text
        lines[chip.line] = (units[: 2 * chip.start] + units[2 * chip.end :]).decode("utf-16-le")
        after = read_chips("\n".join(lines))
        if "(" not in field and ";" in field:
            assert len(after) >= len(before) - 1


def test_of_a_long_list_the_first_are_shown_and_all_that_are_wrong() -> None:
    chips = read_chips(";".join([*(f"p{number}@example.com" for number in range(3000)), "wrong"]))
    assert len(chips) == 3001
    assert [chip.text for chip in shown(chips)][-1] == "wrong"
    assert len(shown(chips)) == SHOWN + 1
