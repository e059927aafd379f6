"""Downloads: what a person takes out of the page as a file, by a link and the browser's session."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bitmail import routes
from bitmail.cards import write_csv, write_vcards
from bitmail.contacts import Contact
from bitmail.current import off_loop, service
from bitmail.reading import guarded
from bitmail.sessions import Session


def downloads() -> list[Route]:
    """The routes, to be mounted before the page."""
    return [
        Route(routes.CONTACTS_VCARD, _contacts(write_vcards, "text/vcard", "contacts.vcf"), methods=["GET"]),
        Route(routes.CONTACTS_CSV, _contacts(write_csv, "text/csv", "contacts.csv"), methods=["GET"]),
    ]


def _contacts(write: Callable[[Iterable[Contact]], str], kind: str, name: str) -> Callable[..., object]:
    async def answer(_: Request, session: Session) -> Response:
        text = await off_loop(lambda: write(service().model.contacts.everyone(session.user)))
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return Response(text.encode(), media_type=f"{kind}; charset=utf-8", headers=headers)

    return guarded(answer)
