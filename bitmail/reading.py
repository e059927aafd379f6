"""What a mail is read from: its HTML in a frame of its own, its files, its source. Each route asks whose mail it is."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePath
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bitmail.current import off_loop, service, session_of
from bitmail.errors import NoSuchMail
from bitmail.sessions import Session
from mta.email import Attachment
from mta.parsed import ParsedMail

SHOWN_TYPES = frozenset(("image/png", "image/jpeg", "image/gif", "image/webp", "text/plain"))
"""Types of files that a browser may show rather than keep: none of them can run anything."""
_NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox"
_FRAME = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:{remote}; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox allow-same-origin allow-popups "
    "allow-popups-to-escape-sandbox"
)
Answer = Callable[[Request, Session], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class File:
    """A file of a mail, as it is listed.

    Attributes:
        number: its place in the mail.
        name: the file name.
        type: the media type.
        size: in bytes.
    """

    number: int
    name: str
    type: str
    size: int

    @property
    def can_be_shown(self) -> bool:
        """Whether a browser may show it."""
        return self.type in SHOWN_TYPES


def files_of(mail: ParsedMail) -> list[File]:
    """The files to list: all but the images that the HTML shows."""
    shown = mail.html or ""
    return [
        File(number, file.name, file.type, len(file.content))
        for number, file in enumerate(mail.attachments)
        if not (file.content_id and f"cid:{file.content_id}" in shown)
    ]


def frame_of(id: int, *, images: bool) -> str:
    """The address of the frame that shows the HTML of a mail."""
    return f"/mail/{id}/view?images={int(images)}"


async def view(request: Request, session: Session) -> Response:
    """The HTML of a mail, as a document for a frame."""
    id, images = _id(request), request.query_params.get("images") == "1"
    document = await off_loop(service().model.documents.of, session.user, id, images=images)
    policy = _FRAME.format(remote=" https: http:" if images else "")
    return Response(
        document.page,
        media_type="text/html; charset=utf-8",
        headers={
            "Content-Security-Policy": policy,
            "X-Frame-Options": "SAMEORIGIN",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "private, max-age=3600",
        },
    )


async def file(request: Request, session: Session) -> Response:
    """One file of a mail: to keep, or with `?show=1` to look at, as far as that is harmless."""
    id, number = _id(request), _number(request)
    content = await off_loop(service().model.mailboxes.content, session.user, id)
    if number >= len(content.attachments):
        raise NoSuchMail("There is no such file in this mail.")
    found = content.attachments[number]
    is_shown = request.query_params.get("show") == "1" and found.type in SHOWN_TYPES
    return download(
        found.content,
        found.name,
        found.type if is_shown else "application/octet-stream",
        is_shown=is_shown,
    )


async def files(request: Request, session: Session) -> Response:
    """All files of a mail in one archive."""
    content = await off_loop(service().model.mailboxes.content, session.user, _id(request))
    listed = [content.attachments[found.number] for found in files_of(content)]
    return download(await off_loop(_archive, listed), "attachments.zip", "application/zip")


async def message(request: Request, session: Session) -> Response:
    """The mail as it came, as a file."""
    id = _id(request)
    raw = await off_loop(service().model.mailboxes.raw, session.user, id)
    return download(raw, f"mail-{id}.eml", "message/rfc822")


async def source(request: Request, session: Session) -> Response:
    """The mail as it came, to look at."""
    raw = await off_loop(service().model.mailboxes.raw, session.user, _id(request))
    return download(raw, "source.txt", "text/plain; charset=utf-8", is_shown=True)


def routes() -> list[Route]:
    """The routes; every one of them needs a session."""
    return [
        Route(path, guarded(answer), methods=["GET"])
        for path, answer in (
            ("/mail/{id}/view", view),
            ("/mail/{id}/file/{number}", file),
            ("/mail/{id}/files", files),
            ("/mail/{id}/message", message),
            ("/mail/{id}/source", source),
        )
    ]


def guarded(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    """The same for who is logged in alone; what is somebody else's is answered like what is not there."""

    async def asked(request: Request) -> Response:
        session = await session_of(request.headers.get("cookie", ""))
        if session is None:
            return PlainTextResponse("Log in first.\n", 401)
        try:
            return await answer(request, session)
        except NoSuchMail as missing:
            return PlainTextResponse(f"{missing}\n", 404)

    return asked


def _id(request: Request) -> int:
    id = request.path_params["id"]
    if not id.isascii() or not id.isdecimal() or len(id) > 18:
        raise NoSuchMail("There is no such mail. Go back to the list.")
    return int(id)


def _number(request: Request) -> int:
    number = request.path_params["number"]
    if not number.isascii() or not number.isdecimal() or len(number) > 6:
        raise NoSuchMail("There is no such file in this mail.")
    return int(number)


def _archive(found: Iterable[Attachment]) -> bytes:
    archive, taken = io.BytesIO(), set[str]()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for attachment in found:
            name, number = attachment.name, 1
            while name.casefold() in taken:
                number += 1
                path = PurePath(attachment.name)
                name = f"{path.stem} ({number}){path.suffix}"
            taken.add(name.casefold())
            packed.writestr(name, attachment.content)
    return archive.getvalue()


def download(content: bytes, name: str, type: str, *, is_shown: bool = False) -> Response:
    """A file that can do nothing to our pages, whatever is in it."""
    how = "inline" if is_shown else "attachment"
    return Response(
        content,
        media_type=type,
        headers={
            "Content-Disposition": f"{how}; filename*=UTF-8''{quote(name, safe='')}",
            "Content-Security-Policy": _NOTHING,
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "private, max-age=3600",
        },
    )
