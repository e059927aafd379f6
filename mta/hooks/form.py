"""Forms as providers post them, kept as bytes: each field may be in a charset of its own."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from mta.charsets import decode
from mta.fields import parameters
from mta.hooks.call import HookRefused, Refusal

MOST_FIELDS = 500

logging.getLogger("python_multipart").setLevel(logging.ERROR)  # below that it logs what strangers send


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of a form, or one file.

    Attributes:
        content: its bytes.
        file_name: for a file, or "".
        type: for a file, its media type, or "".
    """

    content: bytes
    file_name: str = ""
    type: str = ""


class Form:
    """The fields of a form by name; of several with one name, the first."""

    def __init__(self, fields: dict[str, FormField]) -> None:
        self.fields = fields

    def octets(self, name: str) -> bytes | None:
        """What a field holds, or None when there is none."""
        field = self.fields.get(name)
        return None if field is None else field.content

    def text(self, name: str, charset: str = "utf-8") -> str:
        """What a field says, or ""."""
        return decode(self.octets(name) or b"", charset)


def read_form(body: bytes, content_type: str) -> Form:
    """The form in a body.

    Args:
        body: its raw bytes.
        content_type: of the request.

    Raises:
        HookRefused: there is none that can be read.
    """
    kind, options = parameters(content_type)
    try:
        if kind == "application/x-www-form-urlencoded":
            pairs = parse_qsl(
                body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS, encoding="latin-1"
            )
            fields = {name: FormField(value.encode("latin-1")) for name, value in reversed(pairs)}
            return Form(fields)
        if kind == "multipart/form-data" and options.get("boundary"):
            return Form(_Parts(body, options["boundary"]).fields)
    except (ValueError, FormParserError):
        pass
    raise HookRefused(Refusal.MALFORMED)


class _Parts:
    """Gathers the parts of a multipart body."""

    def __init__(self, body: bytes, boundary: str) -> None:
        self.fields: dict[str, FormField] = {}
        self._count = 0
        self._name = b""
        self._value = b""
        self._disposition = ""
        self._type = ""
        self._pieces: list[bytes] = []
        self._ended = False
        parser = MultipartParser(
            boundary.encode("latin-1"),
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._end_of_all,
            },
        )
        parser.write(body)
        parser.finalize()
        if not self._ended:
            raise ValueError("the form is cut short")

    def _begin(self) -> None:
        self._count += 1
        if self._count > MOST_FIELDS:
            raise ValueError("too many fields")
        self._disposition = self._type = ""
        self._pieces = []

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        name, value = self._name.lower(), decode(self._value)
        if name == b"content-disposition":
            self._disposition = value
        elif name == b"content-type":
            self._type = value
        self._name = self._value = b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._pieces.append(data[start:end])

    def _end(self) -> None:
        _, options = parameters(self._disposition)
        name = options.get("name", "")
        field = FormField(b"".join(self._pieces), options.get("filename", ""), self._type)
        self.fields.setdefault(name, field)

    def _end_of_all(self) -> None:
        self._ended = True
