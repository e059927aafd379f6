"""Mailgun's `messages.mime`, as its documentation and its OpenAPI file have it."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tests.fakes.http import FakeService, Reply, Request, reply

PART = re.compile(rb'name="([^"]*)"(?:; filename="([^"]*)")?')


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as it was accepted."""

    to: str
    raw: bytes
    form: dict[str, Any]


class FakeMailgun(FakeService):
    """Knows one key and one domain."""

    def __init__(self, *script: Any, key: str = "key-1", domain: str = "mg.example.com", **more: Any) -> None:
        super().__init__(*script, **more)
        self.key, self.domain = key, domain

    def answer(self, request: Request) -> Reply:
        given = base64.b64encode(f"api:{self.key}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {given}":
            return Reply(401, b"Forbidden", {"Content-Type": "text/plain"})
        if request.method != "POST" or unquote(request.path) != f"/v3/{self.domain}/messages.mime":
            return reply(404, {"message": "Domain not found"})
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            return reply(400, {"message": "Expecting 'multipart/form-data' content type"})
        form, files = read_form(request)
        if "message" not in files:
            return reply(400, {"message": "'message' parameter is not a file"})
        if "to" not in form:
            return reply(400, {"message": "to parameter is missing"})
        if "@" not in form["to"]:
            return reply(400, {"message": "to parameter is not a valid address. please check documentation"})
        self.accepted.append(Mail(form["to"], files["message"], form))
        number = f"<{len(self.accepted)}.{self.domain}>"
        return reply(200, {"id": number, "message": "Queued. Thank you."})


def read_form(request: Request) -> tuple[dict[str, str], dict[str, bytes]]:
    """The values and the files of a form (RFC 7578)."""
    boundary = request.headers["content-type"].partition("boundary=")[2].strip('"')
    values: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for part in request.body.split(b"--" + boundary.encode())[1:-1]:
        head, _, body = part.partition(b"\r\n\r\n")
        name = PART.search(head)
        assert name is not None
        if name[2] is None:
            values[name[1].decode()] = body[:-2].decode()
        else:
            files[name[1].decode()] = body[:-2]
    return values, files
