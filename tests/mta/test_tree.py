"""The tree of a mail, and what needs MIME as it is."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mta.tree import is_plain, lowered_head, needs_mime, read_tree
from tests.mta.corpus import CORPUS, by_hand, multipart


def test_tree_when_read_then_every_part_with_its_place() -> None:
    raw = CORPUS["inline image and files"]
    tree = read_tree(raw)
    assert [entity.kind for entity in tree.walk()] == [
        *("multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html"),
        *("image/png", "image/png", "image/png", "application/pdf"),
    ]
    for entity in tree.walk():
        assert raw[entity.start : entity.end].endswith(entity.body)
    assert [entity.file_name for entity in tree.walk() if entity.is_file] == [
        "a.png",
        "b.png",
        "c.png",
        "d.pdf",
    ]
    assert [entity.content for entity in tree.walk()][-1] == b"%PDF"


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("signature", "a signature"),
        ("encryption", "encryption"),
        ("report", "the form of a report"),
        ("DKIM signature of its own", "a DKIM signature of its own"),
        ("empty file", "an empty file"),
        ("plain", ""),
        ("mail in a mail", ""),
        ("no text", ""),
        ("invitation", ""),
    ],
)
def test_mail_when_it_needs_mime_then_says_what_for(name: str, what: str) -> None:
    assert needs_mime(read_tree(CORPUS[name])) == what


def at_a_glance(raw: bytes) -> bool:
    return is_plain(raw, lowered_head(raw))


def test_mail_when_a_glance_says_plain_then_it_needs_no_mime() -> None:
    plain = {name for name, raw in CORPUS.items() if at_a_glance(raw)}
    assert plain
    assert {needs_mime(read_tree(CORPUS[name])) for name in plain} == {""}
    assert not at_a_glance(by_hand("Content-Type: application/pdf", " \n"))
    assert not at_a_glance(by_hand("Dkim-Signature: v=1"))


@given(
    st.lists(
        st.sampled_from(
            [
                b"\r\n",
                b"\n",
                b" ",
                b"a",
                b"Content-Type:",
                b"image/png",
                b"MULTIPART/signed",
                b"DKIM-Signature:",
                b"application/pkcs7-mime",
            ]
        ),
        max_size=12,
    )
)
def test_octets_when_a_glance_says_plain_then_no_second_look_finds_more(pieces: list[bytes]) -> None:
    raw = b"".join(pieces)
    assert not (at_a_glance(raw) and needs_mime(read_tree(raw)))


def test_mail_when_signed_below_the_top_then_needs_mime_too() -> None:
    inner = 'Content-Type: multipart/signed; boundary="c"\n\n--c\n\nHi\n--c\nContent-Type: x/y\n\nz\n--c--\n'
    assert needs_mime(read_tree(multipart("multipart/mixed", inner))) == "a signature"


def test_mail_when_nested_very_deep_then_read_in_time() -> None:
    head = "".join(f'Content-Type: multipart/mixed; boundary="{n}"\n\n--{n}\n' for n in range(500))
    start = time.process_time()
    tree = read_tree(by_hand("Subject: Deep\n" + head))
    assert needs_mime(tree) == ""
    assert len(list(tree.walk())) < 100
    assert time.process_time() - start < 20


@settings(max_examples=100)
@given(st.binary(max_size=2000))
def test_octets_when_no_mail_at_all_then_a_tree_and_no_error(octets: bytes) -> None:
    assert isinstance(needs_mime(read_tree(octets)), str)
