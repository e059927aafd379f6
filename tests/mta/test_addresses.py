from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mta.addresses import USUAL, Address, BadAddress, parse_address, parse_recipients

MEGABYTE = 1_000_000


def emails(text: str) -> list[str]:
    result = parse_recipients(text)
    assert result.errors == ()
    return [address.email for address in result.addresses]


@pytest.mark.parametrize(
    "text",
    [
        "ann@example.com;bob@example.com",
        "ann@example.com, bob@example.com",
        "ann@example.com\r\nbob@example.com",
        "ann@example.com\nbob@example.com",
        "ann@example.com\rbob@example.com",
        "ann@example.com\tbob@example.com",
        "ann@example.com bob@example.com",
        "ann@example.com\u00a0 bob@example.com",
        "ann@example.com；bob@example.com",
        " ;; ann@example.com ,;\n bob@example.com ; ;",
        '"Doe, Ann" <ann@example.com>, bob@example.com',
        '"Doe; \\"Ann\\"" <ann@example.com> bob@example.com',
        "Ann <ann@example.com> Bob <bob@example.com>",
        "ann@example.com Bob Carl <bob@example.com>",
        "ann@example.com (home, old; see below) bob@example.com",
    ],
)
def test_two_recipients_with_any_separator_are_two(text: str) -> None:
    assert emails(text) == ["ann@example.com", "bob@example.com"]


@pytest.mark.parametrize(
    ("text", "name", "email"),
    [
        ('"A; B" <ann@example.com>', "A; B", "ann@example.com"),
        ("ann@work.example <ann@example.com>", "ann@work.example", "ann@example.com"),
        ("Ann (HR, Rome) <ann@example.com>", "Ann (HR, Rome)", "ann@example.com"),
        ("ann@example.com (Ann Doe)", "Ann Doe", "ann@example.com"),
        ("Ann 'The \"Boss\"' Doe<ann@example.com>", "Ann 'The Boss' Doe", "ann@example.com"),
        ("  Ann \t  Doe\u00a0< ann@example.com >", "Ann Doe", "ann@example.com"),
        ('"Ann"@example.com', "", "ann@example.com".replace("a", "A", 1)),
        ('"john doe"@example.com', "", '"john doe"@example.com'),
        ('<"a>b@c"@example.com>', "", '"a>b@c"@example.com'),
        ("o'neil@example.com", "", "o'neil@example.com"),
        ("a+b@example.com", "", "a+b@example.com"),
        ("ann@localhost", "", "ann@localhost"),
        ("家族 👨‍👩‍👧 <ann@example.com>", "家族 👨‍👩‍👧", "ann@example.com"),
    ],
)
def test_one_recipient_with_name_quotes_or_comment_is_one(text: str, name: str, email: str) -> None:
    [address] = parse_recipients(text).addresses
    assert (address.name, address.email) == (name, email)
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("text", "culprit", "reason"),
    [
        ("ann; bob@example.com", "ann", "the @ is missing"),
        ("Ann Doe; bob@example.com", "Ann Doe", "the @ is missing"),
        ("Ann ann@example.com; bob@example.com", "Ann ann@example.com", "angle brackets"),
        ("ann@; bob@example.com", "ann@", "the part after the @ is missing"),
        ("@example.com; bob@example.com", "@example.com", "the part before the @ is missing"),
        ('""@example.com; bob@example.com', '""@example.com', "the part before the @ is missing"),
        ("ann@-example.com; bob@example.com", "ann@-example.com", "hyphen"),
        ("ann@example-.com; bob@example.com", "ann@example-.com", "hyphen"),
        ("ann@example..com; bob@example.com", "ann@example..com", "two dots"),
        ("ann@bücher..example; bob@example.com", "ann@bücher..example", "two dots"),
        ("ann@.example.com; bob@example.com", "ann@.example.com", "dot"),
        ("ann@example.com.; bob@example.com", "ann@example.com.", "dot"),
        ("ann@ex_ample.com; bob@example.com", "ann@ex_ample.com", "_"),
        ("ann@☃☃.example; bob@example.com", "ann@☃☃.example", "international"),
        ("ann@xn--a.example; bob@example.com", "ann@xn--a.example", "international"),
        ("ann@[127.0.0.1]; bob@example.com", "ann@[127.0.0.1]", "IP address"),
        ("ann@127.0.0.1; bob@example.com", "ann@127.0.0.1", "IP address"),
        ("a..nn@example.com; bob@example.com", "a..nn@example.com", "two dots"),
        (".ann@example.com; bob@example.com", ".ann@example.com", "dot"),
        ("ann@home@example.com; bob@example.com", "ann@home@example.com", "more than one @"),
        ("mailto:ann@example.com; bob@example.com", "mailto:ann@example.com", ":"),
        ("Ann <>; bob@example.com", "Ann <>", "between < and >"),
        ("Ann <ann>; bob@example.com", "Ann <ann>", "the @ is missing"),
        ("<ann@example.com; bob@example.com", "<ann@example.com", "<"),
        ('"Ann <ann@example.com>; bob@example.com', '"Ann <ann@example.com>', "quotation mark"),
        ("a" * 65 + "@example.com; bob@example.com", "a" * 65 + "@example.com", "64"),
        ("ann@" + "a" * 64 + ".com; bob@example.com", "ann@" + "a" * 64 + ".com", "63"),
        ("ann@" + "a.b" * 127 + "; bob@example.com", "ann@" + "a.b" * 65 + "a…", "255"),
        ("a" * 64 + "@" + ("a" * 61 + ".") * 3 + "info; bob@example.com", None, "254"),
        ("ü" * 33 + "@example.com; bob@example.com", "ü" * 33 + "@example.com", "64"),
        ("A" * 257 + " <ann@example.com>; bob@example.com", None, "256"),
    ],
)
def test_bad_address_among_good_is_named_with_its_reason(text: str, culprit: str | None, reason: str) -> None:
    result = parse_recipients(text)
    assert [address.email for address in result.addresses] == ["bob@example.com"]
    [error] = result.errors
    assert culprit in (None, error.value)
    assert reason in error.reason


@pytest.mark.parametrize("odd", ["\0", "\x0b", "\x1b", "\u0085", "\u2028", "\u2029", "\ud800"])
@pytest.mark.parametrize("text", ["A{}nn <ann@example.com>", "a{}nn@example.com", "ann@exam{}ple.com"])
def test_control_character_anywhere_is_refused_and_not_repeated(text: str, odd: str) -> None:
    result = parse_recipients(text.format(odd))
    [error] = result.errors
    assert f"U+{ord(odd):04X}" in error.reason
    assert odd not in error.value
    assert result.addresses == ()


@pytest.mark.parametrize("odd", ["\u200b", "\u202e", "\ufeff", "\u00ad"])
def test_invisible_character_in_an_address_is_refused(odd: str) -> None:
    [error] = parse_recipients(f"ann@ex{odd}ample.com").errors
    assert f"U+{ord(odd):04X}" in error.reason


@pytest.mark.parametrize(
    ("typed", "wire"),
    [
        ("user@bücher.example", "user@xn--bcher-kva.example"),
        ("user@BÜCHER.Example", "user@xn--bcher-kva.example"),
        ("user@straße.example", "user@xn--strae-oqa.example"),
        ("user@日本語。example", "user@xn--wgv71a119e.example"),
        ("user@XN--BCHER-KVA.example", "user@xn--bcher-kva.example"),
        ("user@r3---sn-abc.example", "user@r3---sn-abc.example"),
    ],
)
def test_international_domain_becomes_its_a_label(typed: str, wire: str) -> None:
    assert parse_address(typed).email == wire


def test_non_ascii_local_part_is_kept_and_flagged() -> None:
    address = parse_address("üser@example.com")
    assert address.email == "üser@example.com"
    assert not address.ascii_local
    assert parse_address("u\u0308ser@example.com") == address


def test_same_mailbox_written_differently_is_one() -> None:
    result = parse_recipients('Ann@example.com, "Ann Doe" <ann@EXAMPLE.com>; ann@example.com')
    assert [address.email for address in result.addresses] == ["Ann@example.com"]


@pytest.mark.parametrize("text", ["", "  ", ";", "ann@example.com; bob@example.com"])
def test_parse_address_of_none_or_several_raises(text: str) -> None:
    with pytest.raises(BadAddress):
        parse_address(text)


@pytest.mark.parametrize(
    "part", [("A\r\nBcc: x", "ann", "b.example"), ("", "a\nn", "b.example"), ("", "ann", "b\n.example")]
)
def test_address_made_in_code_with_a_line_end_raises(part: tuple[str, str, str]) -> None:
    with pytest.raises(BadAddress):
        Address(*part)


NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=40)
LOCALS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30)


@given(NAMES, LOCALS)
def test_header_form_of_any_address_is_read_back_as_it_was(name: str, local: str) -> None:
    address = Address(name, local, "example.com")
    assert parse_address(address.header) == address


@given(
    st.lists(st.tuples(NAMES, LOCALS), max_size=5), st.sampled_from([";", ", ", "\r\n", " ", "\t", ";;\n,"])
)
def test_any_list_of_header_forms_is_parted_as_it_was_joined(
    parts: list[tuple[str, str]], separator: str
) -> None:
    addresses = {
        address.key: address for address in reversed([Address(*part, "example.com") for part in parts])
    }
    result = parse_recipients(separator.join(address.header for address in reversed(addresses.values())))
    assert result.errors == ()
    assert set(result.addresses) == set(addresses.values())


USUALLY = st.from_regex(USUAL, fullmatch=True)


@given(USUALLY | st.text(st.sampled_from("abXN09-.@<> _"), max_size=30))
@example("a@b.c1").via("a domain whose last label has a digit in it")
@example(f"{'a' * 64}@{'b.' * 94}c").via("as long as an address may be")
@example(f"{'a' * 65}@b.c").via("a local part that is too long")
@example("Ann B <ann@XN--P1AI.example>").via("a domain that is encoded")
def test_address_that_is_read_quickly_is_the_one_that_is_read_with_care(text: str) -> None:
    quick = Address.usual(text)
    if quick is not None:
        careful = parse_address(text)
        assert (quick, quick.email, quick.header) == (careful, careful.email, careful.header)


@given(st.lists(USUALLY, max_size=5), st.sampled_from([";", ", ", "\r\n", "\n", ";;\t,", " , "]))
def test_list_that_is_read_quickly_is_parted_as_it_was_joined(texts: list[str], separator: str) -> None:
    result = parse_recipients(separator.join(texts))
    found: dict[str, Address] = {}
    for text in texts:
        try:
            address = parse_address(text)
        except BadAddress:
            assert result.errors
        else:
            found.setdefault(address.key, address)
    assert list(result.addresses) == list(found.values())


@given(st.text(st.sampled_from('ab@.,; "\\<>()\r\n\t\u2028ü'), max_size=60))
def test_any_text_gives_valid_addresses_and_errors_that_quote_it(text: str) -> None:
    result = parse_recipients(text)
    for address in result.addresses:
        assert parse_address(address.email).email == address.email
    for error in result.errors:
        assert error.value
        assert error.reason


@pytest.mark.parametrize(
    "unit",
    [
        '"\\',
        "(",
        "<",
        '"',
        '<"',
        '<"a',
        "(\\",
        "()",
        '""',
        '\\"',
        "<a>(",
        ";x",
        "@",
        "a.",
        "a@x ",
        "a a",
        "a-",
        "a@x-",
        "a@x.",
        "a@ü",
        "ü@x;",
        " ",
        "\r\n",
    ],
)
def test_hostile_megabyte_is_read_in_bounded_time(unit: str) -> None:
    text = (unit * MEGABYTE)[:MEGABYTE]
    start = time.process_time()
    parse_recipients(text)
    assert time.process_time() - start < 40
