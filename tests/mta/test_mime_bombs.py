"""Mails made to be expensive, as large as a mail may be: reading one takes bounded time and memory."""

from __future__ import annotations

import base64
import time
import tracemalloc
from collections.abc import Callable

import pytest

from mta.parsed import DEPTH, PARTS, parse

SIZE = 8_000_000
SECONDS = 30.0
"""For the slowest machine; a fifth of it is usual."""
TIMES = 6
"""How many times its own size reading a mail may take,"""
HEAD = 80_000_000
"""and the bytes that its head may take beside: it is read no further than that costs."""


def nested() -> bytes:
    head = b"Subject: S\r\n"
    levels = 20_000
    openings = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(levels)
    )
    return head + openings + b"\r\nx"


def messages_in_messages() -> bytes:
    return b"Content-Type: message/rfc822\r\n\r\n" * (SIZE // 33)


def many_parts() -> bytes:
    head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    return head + b"--b\r\n\r\nx\r\n" * (SIZE // 11)


def many_fields() -> bytes:
    return b"X: y\r\n" * (SIZE // 6) + b"\r\nx"


def one_field() -> bytes:
    return b"Subject: " + b" =?utf-8?q?a?=" * (SIZE // 14) + b"\r\n\r\nx"


def folds() -> bytes:
    return b"Subject: a\r\n" + b" b\r\n" * (SIZE // 4) + b"\r\nx"


def addresses() -> bytes:
    return b"To: " + b'"a, b" <c@d.example>, ' * (SIZE // 22) + b"\r\n\r\nx"


def quotes() -> bytes:
    return b"To: " + b'"\\' * (SIZE // 2) + b"\r\n\r\nx"


def parameters() -> bytes:
    many = b"".join(b"; filename*%d=x" % n for n in range(SIZE // 20))
    return b"Content-Type: text/plain\r\nContent-Disposition: attachment" + many + b"\r\n\r\nx"


def base64_rubbish() -> bytes:
    return b"Content-Transfer-Encoding: base64\r\n\r\n" + b"A!" * (SIZE // 2)


def base64_in_base64() -> bytes:
    content = b"x" * (SIZE // 4)
    for _ in range(4):
        content = b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(content)
    return content


def quoted_printable() -> bytes:
    return b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=\r\n" * (SIZE // 3)


def almost_boundaries() -> bytes:
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n" + b"\r\n--bb" * (SIZE // 6)


def tags() -> bytes:
    return b"Content-Type: text/html\r\n\r\n" + b"<b><i>" * (SIZE // 6)


def references() -> bytes:
    return b"References: " + b"<a@b> " * (SIZE // 6) + b"\r\n\r\nx"


BOMBS: tuple[Callable[[], bytes], ...] = (
    *(nested, messages_in_messages, many_parts, many_fields, one_field, folds, addresses, quotes, parameters),
    *(base64_rubbish, base64_in_base64, quoted_printable, almost_boundaries, tags, references),
)


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.__name__)
def test_bomb_when_read_then_in_bounded_time_and_memory(bomb: Callable[[], bytes]) -> None:
    raw = bomb()
    start = time.process_time()
    mail = parse(raw)
    assert time.process_time() - start < SECONDS
    assert len(mail.attachments) <= PARTS
    assert len(mail.text) <= len(raw)
    small = raw[: SIZE // 4]
    tracemalloc.start()
    parse(small)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < TIMES * len(small) + HEAD


def test_bomb_of_depth_and_of_parts_when_read_then_marked_damaged() -> None:
    assert parse(nested()).damaged
    assert parse(many_parts()).damaged
    assert DEPTH < 100
