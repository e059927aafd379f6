"""Octets of a mail as text, whatever their label says."""

from __future__ import annotations

import codecs
import re

LABELS = {
    "ascii": "cp1252",
    "us-ascii": "cp1252",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-9": "cp1254",
    "tis-620": "cp874",
    "windows-874": "cp874",
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
}
"""What mails mean by a label: the larger set that holds it, as in browsers (encoding.spec.whatwg.org)."""
SEVEN_BIT = re.compile(r"utf-?7|iso2022_.*|hz")
WIDE = re.compile(r"utf-(16|32).*")
MULTI_BYTE = re.compile(r"gb18030|big5.*|cp9(32|49|50)|euc_.*|shift_jis.*|johab")
SINGLE_BYTE = re.compile(r"iso8859-.*|cp(1|4|7|8)\d+|koi8-.|mac-.*|hp-roman8|ptcp154|kz1048|tis-620")
"""Text encodings by the names of their codecs. All others, such as punycode, are no charsets of a mail."""
VALID_UTF8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
UNWANTED = {0: None, 0xFEFF: None} | dict.fromkeys(range(55296, 57344), 65533)


def decode(octets: bytes, label: str = "") -> str:
    """The text that the octets most likely mean, without NUL; never fails.

    What is valid UTF-8 is taken for it, which hardly ever happens by chance, unless a charset of several
    octets a letter is declared and fits. What is neither UTF-8 nor as declared is taken for windows-1252.

    Args:
        octets: the text as it came.
        label: the charset it was said to have, or "".
    """
    return _decode(octets, _codec(label)).translate(UNWANTED)


def _decode(octets: bytes, codec: str) -> str:
    if SEVEN_BIT.fullmatch(codec) or (
        WIDE.fullmatch(codec) and not (octets.isascii() and b"\0" not in octets)
    ):
        return octets.decode(codec, "replace")
    if octets.isascii():
        return octets.decode("ascii")
    if MULTI_BYTE.fullmatch(codec):
        attempts = [codec, "utf-8"]
    elif SINGLE_BYTE.fullmatch(codec):
        attempts = ["utf-8", codec]
    else:
        attempts = ["utf-8"]
    for attempt in attempts:
        try:
            return octets.decode(attempt)
        except UnicodeDecodeError:
            continue
    return octets.decode(_least_harm(octets, codec), "replace")


def _least_harm(octets: bytes, codec: str) -> str:
    """The codec for octets that none fits: the declared one; windows-1252 for what is hardly UTF-8."""
    if codec not in ("", "utf-8"):
        return codec
    good = sum(len(match[0]) for match in VALID_UTF8.finditer(octets))
    high = sum(octet > 127 for octet in octets)
    return "utf-8" if good * 2 > high else "cp1252"


def _codec(label: str) -> str:
    """The name of the codec for a label, or "" when there is none for texts."""
    wanted = label.strip(" \t\"'").lower()
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.:+-]{0,40}", wanted):
        return ""
    try:
        name = codecs.lookup(LABELS.get(wanted, wanted)).name
    except LookupError:
        return ""
    name = LABELS.get(name.replace("iso8859-", "iso-8859-"), name)
    known = name == "utf-8" or any(p.fullmatch(name) for p in (SEVEN_BIT, WIDE, MULTI_BYTE, SINGLE_BYTE))
    return name if known else ""
