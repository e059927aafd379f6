from __future__ import annotations

import base64
import time
import tracemalloc
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mta.mime import Mailbox, parse
from mta.plaintext import html_to_text

MEGABYTE = 1_000_000


def simple(body: bytes, content_type: bytes = b"text/plain", head: bytes = b"") -> bytes:
    return b"Subject: S\r\n" + head + b"Content-Type: " + content_type + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    ("label", "octets", "text"),
    [
        ("utf-8", "Grüße – “so”".encode("cp1252"), "Grüße – “so”"),
        ("iso-8859-1", "Grüße – 家".encode(), "Grüße – 家"),
        ("iso-8859-1", "Grüße – “so”".encode("cp1252"), "Grüße – “so”"),
        ("us-ascii", "Grüße".encode(), "Grüße"),
        ("gb2312", "中文囍镕".encode("gb18030"), "中文囍镕"),
        ("gb2312", "联通".encode("gb18030"), "联通"),
        ("", "Grüße".encode("cp1252"), "Grüße"),
        ("", "Grüße".encode(), "Grüße"),
        ("x-nope", "Grüße".encode(), "Grüße"),
        ("x-nope", "Grüße".encode("cp1252"), "Grüße"),
        ('""', "Grüße".encode(), "Grüße"),
        ("punycode", b"abc-" * 1000, "abc-" * 1000),
        ("zlib", b"abc", "abc"),
        ("idna", b"abc", "abc"),
        ("utf-16", b"plain", "plain"),
        ("utf-16", "Grüße".encode("utf-16"), "Grüße"),
        ("shift_jis", "日本語".encode("cp932"), "日本語"),
        ("iso-2022-jp", "日本語".encode("iso-2022-jp"), "日本語"),
        ("koi8-r", "Привет".encode("koi8-r"), "Привет"),
        ("windows-1251", "Привет".encode("cp1251"), "Привет"),
        ("euc-kr", "안녕".encode("cp949"), "안녕"),
        ("big5", "中文".encode("big5"), "中文"),
        ("utf-8", "Grüße and cut ".encode() + "ü".encode()[:1], "Grüße and cut \ufffd"),
        ("utf-8", b"a\0b", "ab"),
    ],
)
def test_text_with_a_right_wrong_or_no_charset_is_readable(label: str, octets: bytes, text: str) -> None:
    kind = b"text/plain" + (b"; charset=" + label.encode() if label else b"")
    assert parse(simple(octets, kind)).text == text


def test_html_charset_in_its_meta_element_is_used_when_there_is_no_label() -> None:
    octets = '<meta charset="gb2312"><p>中文'.encode("gb18030")
    assert "中文" in (parse(simple(octets, b"text/html")).html or "")


@pytest.mark.parametrize(
    ("value", "subject"),
    [
        (b"=?x-nope?B?SGk=?=", "Hi"),
        (b"=?utf-8?Q?Gr=C3=BC=C3=9Fe?= and =?utf-8?b?4pyT?=", "Grüße and ✓"),
        (b"=?utf-8?Q?a?=\r\n =?utf-8?Q?b?=", "ab"),
        (b"=?utf-8?B?8J+a?=\r\n =?utf-8?B?gA==?=", "🚀"),
        (b"=?utf-8?Q?a b?=", "a b"),
        (b"=?utf-8?B?SGk?=", "Hi"),
        (b"=?utf-8?B?!!!?=", ""),
        (b"=?utf-8?X?a?=", "=?utf-8?X?a?="),
        (b"=?utf-8*de?Q?=C3=BC?=", "ü"),
        (b"=?iso-8859-1?Q?=FC?=x", "üx"),
        ("Grüße".encode(), "Grüße"),
        ("Grüße".encode("cp1252"), "Grüße"),
        (b"=?utf-8?Q?a=0D=0ABcc:_x?=", "a Bcc: x"),
        (b"=?utf-8?Q?a=00b?=", "ab"),
        (b"one\r\n\ttwo", "one\ttwo".replace("\t", " ")),
    ],
)
def test_subject_encoded_well_or_badly_is_readable(value: bytes, subject: str) -> None:
    assert parse(b"Subject: " + value + b"\r\n\r\nx").subject == subject


@pytest.mark.parametrize(
    ("value", "mailboxes", "label"),
    [
        (b"undisclosed-recipients:;", [], "undisclosed-recipients"),
        (b"undisclosed recipients: ;", [], "undisclosed recipients"),
        (b"Team: ann@x, Bob <bob@x>;", [("", "ann@x"), ("Bob", "bob@x")], ""),
        (b'"Doe, Ann" <ann@example.com>', [("Doe, Ann", "ann@example.com")], ""),
        (b'"=?utf-8?q?=C3=84nn?=" <ann@example.com>', [("Änn", "ann@example.com")], ""),
        (b"=?utf-8?q?Doe=2C_=C3=84nn?= <ann@example.com>", [("Doe, Änn", "ann@example.com")], ""),
        (b"just a name", [("just a name", "")], ""),
        (b"ann@exa_mple..com", [("", "ann@exa_mple..com")], ""),
        (b"", [], ""),
        (b"a@x,\r\n b@y", [("", "a@x"), ("", "b@y")], ""),
    ],
)  # fmt: skip
def test_recipients_of_any_form_are_shown(value: bytes, mailboxes: list[tuple[str, str]], label: str) -> None:
    parsed = parse(b"To: " + value + b"\r\n\r\nx")
    assert [(mailbox.name, mailbox.email) for mailbox in parsed.to] == mailboxes
    assert parsed.to_label == label


def test_mailbox_that_is_no_address_has_none() -> None:
    assert Mailbox("Ann", "ann@x..y").address is None
    assert Mailbox("Ann", "").address is None
    found = Mailbox("Ann", "ann@example.com").address
    assert found is not None
    assert found.header == "Ann <ann@example.com>"


@pytest.mark.parametrize(
    ("value", "date"),
    [
        (b"Wed, 4 Mar 2026 05:06:07 +0000", datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)),
        (b"4 Mar 26 05:06:07 GMT", datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)),
        (b"4 Mar 2026 05:06:07 -0000", datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)),
        (b"yesterday", None),
        (b"", None),
        (b"Wed, 99 Mar 2026 05:06:07 +0000", None),
        (b"Wed, 4 Mar 1066 05:06:07 +0000", None),
        (b"Wed, 4 Mar 2026 05:06:07 +9999999999", None),
        (b"Wed, 4 Mar " + b"9" * 10000 + b" 05:06:07 +0000", None),
    ],
)
def test_date_right_or_wrong_never_fails(value: bytes, date: datetime | None) -> None:
    assert parse(b"Date: " + value + b"\r\n\r\nx").date == date


def multipart(*parts: bytes, kind: bytes = b"mixed", closed: bool = True) -> bytes:
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + (b"--b--\r\n" if closed else b"")
    return b"Subject: S\r\nContent-Type: multipart/" + kind + b"; boundary=b\r\n\r\n" + body


def test_alternative_gives_both_forms() -> None:
    parsed = parse(
        multipart(
            b"Content-Type: text/plain\r\n\r\nplain",
            b"Content-Type: text/html\r\n\r\n<p>rich",
            kind=b"alternative",
        )
    )
    assert (parsed.text, parsed.html, parsed.damaged) == ("plain", "<p>rich", False)


def test_text_beside_html_is_shown_in_both_forms() -> None:
    parsed = parse(multipart(b"\r\nsee <below>", b"Content-Type: text/html\r\n\r\n<p>rich", b"\r\nfooter"))
    assert parsed.text == "see <below>\n\nrich\n\nfooter"
    html = parsed.html or ""
    assert "see &lt;below&gt;" in html
    assert "<p>rich" in html
    assert "footer" in html


def test_html_alone_gives_text_for_snippet_and_quotation() -> None:
    parsed = parse(simple(b"<style>p{}</style><p>One &amp; two</p><p>Three<br>four", b"text/html"))
    assert parsed.text == "One & two\n\nThree\nfour"
    assert parsed.snippet == "One & two Three four"


def test_files_have_their_names_and_bytes() -> None:
    content = base64.encodebytes(b"\0\1\2" * 100)
    names = [
        (b'attachment; filename="a.pdf"', "a.pdf"),
        (b"attachment; filename*=utf-8''Pr%C3%BCf.pdf", "Prüf.pdf"),
        (b"attachment; filename*0*=utf-8''Pr%C3; filename*1*=%BCf; filename*2=.pdf", "Prüf.pdf"),
        (b'attachment; filename="=?utf-8?q?Pr=C3=BCf.pdf?="', "Prüf.pdf"),
        ('attachment; filename="Prüf.pdf"'.encode(), "Prüf.pdf"),
        (b'attachment; filename="../../etc/passwd"', "passwd"),
        (b"attachment", "attachment"),
    ]
    parts = [
        b"Content-Type: application/x\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: "
        + value
        + b"\r\n\r\n"
        + content
        for value, _ in names
    ]
    parsed = parse(multipart(*parts))
    assert [file.name for file in parsed.attachments] == [name for _, name in names]
    assert {file.content for file in parsed.attachments} == {b"\0\1\2" * 100}


def test_inline_image_has_its_content_id() -> None:
    parsed = parse(multipart(b"Content-Type: image/png\r\nContent-ID: <i@x>\r\n\r\nPNG", kind=b"related"))
    assert parsed.attachments[0].content_id == "i@x"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n",
        b"no header at all",
        simple(b"--b\r\n\r\ntext", b"multipart/mixed"),
        simple(b"text", b"multipart/mixed; boundary=b"),
        simple(b"text", b'multipart/mixed; boundary=""'),
        multipart(b"\r\ntext", closed=False),
        simple(b"text", "multipart/mixed; boundary=ü".encode()),
    ],
)
def test_mail_that_cannot_be_parted_is_shown_and_marked_damaged(raw: bytes) -> None:
    parsed = parse(raw)
    assert parsed.damaged
    assert "text" in parsed.text or b"text" not in raw


def nested(depth: int, filler: bytes = b"") -> bytes:
    head = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth)
    )
    return b"Subject: deep\r\n" + head + b"\r\nbottom" + filler


@pytest.mark.parametrize("depth", [200, 20_000])
def test_nesting_too_deep_is_listed_and_marked_damaged(depth: int) -> None:
    start = time.process_time()
    parsed = parse(nested(depth))
    assert (parsed.subject, parsed.damaged) == ("deep", True)
    assert time.process_time() - start < 20


HOSTILE = [
    nested(29, b"x\n" * MEGABYTE),
    multipart(*[b"\r\nx"] * 50_000),
    simple(b"--b\n" * (MEGABYTE // 4), b"multipart/mixed; boundary=b"),
    simple(b"--b" * (MEGABYTE // 3), b"multipart/mixed; boundary=b"),
    b"Subject: " + b"=?" * MEGABYTE + b"\r\n\r\n",
    b"Subject: " + b"=?a?q?" * (MEGABYTE // 6) + b"\r\n\r\n",
    b"Subject: " + b"=?utf-8?q?a?= " * (MEGABYTE // 14) + b"\r\n\r\n",
    b"To: " + b'"\\' * MEGABYTE + b"\r\n\r\n",
    b"To: " + b"a@x," * (MEGABYTE // 4) + b"\r\n\r\n",
    b"To: " + b"a " * (MEGABYTE // 2) + b"\r\n\r\n",
    b"References: " + b"<" * MEGABYTE + b"\r\n\r\n",
    b"X: y\r\n" * (MEGABYTE // 6),
    b"X" * MEGABYTE,
    b"Content-Type: " + b';a="\\' * (MEGABYTE // 5) + b"\r\n\r\n",
    b"Content-Type: text/plain" + b";" + b" " * MEGABYTE + b"\r\n\r\n",
    simple(b"<!--" * (MEGABYTE // 4), b"text/html"),
    simple(b"<script>" * (MEGABYTE // 8), b"text/html"),
    simple(b"<" * MEGABYTE, b"text/html"),
    simple(b"<a" * (MEGABYTE // 2), b"text/html"),
    simple(b"</p>" * (MEGABYTE // 4), b"text/html"),
    simple(b"&" * MEGABYTE, b"text/html"),
    simple(b"&#" + b"9" * MEGABYTE, b"text/html"),
    simple(b"<meta charset" * (MEGABYTE // 13), b"text/html"),
    simple(b"x <b>" * (MEGABYTE // 5), b"text/html"),
    simple(b"=" * MEGABYTE, b"text/plain\r\nContent-Transfer-Encoding: quoted-printable"),
    simple(b"=" * MEGABYTE, b"text/plain\r\nContent-Transfer-Encoding: base64"),
]


@pytest.mark.parametrize("raw", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_megabyte_is_read_in_bounded_time(raw: bytes) -> None:
    start = time.process_time()
    parse(raw)
    assert time.process_time() - start < 20


@pytest.mark.parametrize(
    "raw",
    [
        nested(29, b"x\n" * MEGABYTE),
        multipart(*[b"\r\nx"] * 10_000),
        simple(b"<a" * (MEGABYTE // 2), b"text/html"),
        b"X: y\r\n" * (MEGABYTE // 6),
        simple(b"=" * MEGABYTE, b"text/plain\r\nContent-Transfer-Encoding: base64"),
    ],
    ids=range(5),
)
def test_hostile_megabyte_is_read_in_bounded_memory(raw: bytes) -> None:
    tracemalloc.start()
    try:
        parse(raw)
        assert tracemalloc.get_traced_memory()[1] < 20 * max(len(raw), MEGABYTE)
    finally:
        tracemalloc.stop()


HEADERS = [
    b"Subject",
    b"From",
    b"To",
    b"Date",
    b"Content-Type",
    b"Content-Transfer-Encoding",
    b"Content-Disposition",
]
VALUES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            b"multipart/mixed; boundary=b",
            b"multipart/alternative; boundary=b",
            b"text/html; charset=utf-7",
            b"base64",
            b"quoted-printable",
            b"=?utf-7?q?+2AA-?=",
            b"text/plain; charset=utf-16",
            b"text/plain; charset*=x'y",
            b"a; filename*9999*=%FF; filename*0*='",
            b"Wed, 4 Mar 2026 05:06:07 +2500",
        ]
    ),
)


@given(
    st.lists(st.tuples(st.sampled_from(HEADERS), VALUES), max_size=8),
    st.lists(st.binary(max_size=60), max_size=4),
)
def test_any_mail_is_read_without_failing_and_gives_clean_text(
    fields: list[tuple[bytes, bytes]], parts: list[bytes]
) -> None:
    head = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
    parsed = parse(head + b"\r\n" + b"\r\n--b\r\n".join([b"", *parts]))
    for text in (parsed.subject, parsed.text, parsed.html or "", parsed.snippet, parsed.to_label):
        assert "\0" not in text
        text.encode()


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_failing(raw: bytes) -> None:
    parse(raw)


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>one</p><p>two</p>\n<p>three</p>", "one\n\ntwo\n\nthree"),
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("one<br/>two<BR>three", "one\ntwo\nthree"),
        ("<script>alert(1)</script >a<!-- b -->c<style>d", "ac"),
        ("1 < 2 &lt; 3 &nope; &#x1F680;", "1 < 2 < 3 &nope; 🚀"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<ul><li>a</li><li>b</li></ul>", "a\nb"),
        ("a\n  b", "a b"),
        ("<b>bo</b>ld", "bold"),
        ("<!doctype html><title>t</title>x", "x"),
    ],
)
def test_html_as_text_reads_as_a_person_would(markup: str, text: str) -> None:
    assert html_to_text(markup) == text
