"""Plain text as it is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitmail.quotations import SegmentKind, segments


@pytest.mark.parametrize(
    ("text", "link", "href"),
    [
        ("see https://example.com/a(b), and", "https://example.com/a(b)", "https://example.com/a(b)"),
        ("(https://example.com/x)", "https://example.com/x", "https://example.com/x"),
        ("at www.example.org.", "www.example.org", "http://www.example.org"),
        ("or bob@example.net!", "bob@example.net", "/compose?mailto=mailto%3Abob%40example.net"),
        ("<https://example.com/?a=1&b=2>", "https://example.com/?a=1&b=2", "https://example.com/?a=1&b=2"),
    ],
)
def test_an_address_in_a_text_is_a_link_without_the_sentence_around_it(
    text: str, link: str, href: str
) -> None:
    links = [(part.text, part.href) for part in segments(text) if part.kind is SegmentKind.LINK]
    assert links == [(link, href)]


@pytest.mark.parametrize("text", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "a@b"])
def test_other_schemes_are_no_links(text: str) -> None:
    assert [part.kind for part in segments(text)] == [SegmentKind.TEXT]


def test_a_long_quotation_is_a_segment_of_its_own_unless_it_is_all_there_is() -> None:
    quoted = "".join(f"> line {number}\n" for number in range(6))
    assert [part.kind for part in segments(f"Yes.\n\n{quoted}\nBye")] == ["text", "quote", "text"]
    assert [part.kind for part in segments(quoted)] == ["text"]
    assert [part.kind for part in segments("> one\n> two\nYes.")] == ["text"]


@given(st.text(alphabet=st.sampled_from("a >\n@.:/w)(h<t p s\u200f🚀"), max_size=400))
def test_the_segments_joined_are_the_text(text: str) -> None:
    assert "".join(part.text for part in segments(text)) == text


def test_a_text_of_links_alone_has_bounded_segments() -> None:
    text = "https://example.com/ " * 20_000
    found = segments(text)
    assert len(found) <= 2001
    assert "".join(part.text for part in found) == text
