"""SendGrid's `mail/send` and `scopes`, version 3, as its documentation and its OpenAPI file have them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

from tests.fakes.http import FakeService, Reply, Request, reply

RESERVED = {
    *("x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding"),
    *("to", "from", "subject", "reply-to", "cc", "bcc"),
}


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as it was accepted: the JSON, and the mail that the recipient gets of it."""

    to: str
    asked: dict[str, Any]

    @property
    def raw(self) -> bytes:
        return composed(self.asked)


class FakeSendGrid(FakeService):
    """Knows one key."""

    def __init__(
        self, *script: Any, key: str = "SG.key-1", scopes: tuple[str, ...] = ("mail.send",), **more: Any
    ) -> None:
        super().__init__(*script, **more)
        self.key, self.scopes = key, scopes

    def answer(self, request: Request) -> Reply:
        if request.headers.get("authorization") != f"Bearer {self.key}":
            text = "The provided authorization grant is invalid, expired, or revoked"
            return reply(401, {"errors": [{"message": text, "field": None, "help": None}]})
        match (request.method, request.path):
            case ("GET", "/v3/scopes"):
                return reply(200, {"scopes": list(self.scopes)})
            case ("POST", "/v3/mail/send"):
                return self._send(json.loads(request.body))
        return reply(404, {"errors": [{"message": "not found", "field": None}]})

    def _send(self, asked: dict[str, Any]) -> Reply:
        if faults := [{"field": field, "message": message} for field, message in find_faults(asked)]:
            return reply(400, {"errors": faults})
        self.accepted.append(Mail(asked["personalizations"][0]["to"][0]["email"], asked))
        return reply(202, b"", X_Message_Id=f"sg-{len(self.accepted)}", Content_Type="")


def find_faults(asked: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What SendGrid answers 400 to."""
    [person] = asked["personalizations"]
    for index, to in enumerate(person["to"]):
        if "@" not in to["email"] or not to["email"].isascii():
            yield f"personalizations.0.to.{index}.email", "Does not contain a valid address."
    if not asked.get("subject"):
        yield "subject", "The subject is required."
    for index, content in enumerate(asked["content"]):
        if not content["value"]:
            yield (
                f"content.{index}.value",
                "The content value must be a string at least one character in length.",
            )
    kinds = [content["type"] for content in asked["content"]]
    if "text/plain" in kinds[1:] or (kinds[0] != "text/plain" and "text/html" in kinds[1:]):
        yield "content", "The content types have to be in the order text/plain, text/html, others."
    for index, file in enumerate(asked.get("attachments", ())):
        if not file["content"] or not file["filename"]:
            yield f"attachments.{index}.content", "The attachment content is required."
    for name, value in asked.get("headers", {}).items():
        if name.lower() in RESERVED:
            yield "headers", f"The header {name} is reserved."
        if not isinstance(value, str):
            yield "", "Bad Request"


def composed(asked: dict[str, Any]) -> bytes:
    """The mail that SendGrid makes of a request; its parts are made by the standard library."""
    [person] = asked["personalizations"]
    fields = {
        "From": _named(asked["from"]),
        "To": ",\n ".join(map(_named, person["to"])),
        "Subject": _words(asked["subject"]),
        **asked.get("headers", {}),
    }
    if "reply_to_list" in asked:
        fields["Reply-To"] = ",\n ".join(map(_named, asked["reply_to_list"]))
    head = "".join(f"{name}: {value}\n" for name, value in fields.items())
    mail = EmailMessage()
    first, *others = asked["content"]
    mail.set_content(first["value"], subtype=first["type"].partition("/")[2], cte="base64")
    for other in others:
        kind, *parameters = other["type"].partition("/")[2].split("; ")
        mail.add_alternative(
            other["value"], subtype=kind, cte="base64", params=dict(one.split("=") for one in parameters)
        )
    shown = [file for file in asked.get("attachments", ()) if file["disposition"] == "inline"]
    html = mail.get_body(("html",))
    for file in asked.get("attachments", ()):
        main, _, sub = file["type"].partition("/")
        whole = base64.b64decode(file["content"])
        more: dict[str, Any] = {"filename": file["filename"], "disposition": file["disposition"]}
        if file in shown:
            more["cid"] = f"<{file['content_id']}>"
        if main in ("message", "multipart"):
            main, sub = "application", "x-was-" + file["type"].replace("/", "-")
        holder = html if file in shown and html is not None else mail
        add = holder.add_related if file in shown and html is not None else holder.add_attachment
        add(whole, maintype=main, subtype=sub, **more)
    return head.encode() + mail.as_bytes()


def _named(person: dict[str, str]) -> str:
    return f"{_words(person.get('name', ''))} <{person['email']}>"


def _words(text: str) -> str:
    pieces = [base64.b64encode(text[at : at + 10].encode()).decode() for at in range(0, len(text), 10)]
    return "\n ".join(f"=?utf-8?b?{piece}?=" for piece in pieces)
