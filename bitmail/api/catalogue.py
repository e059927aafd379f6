"""Every operation of the HTTP API, those by which it describes itself among them."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import RootModel
from starlette.responses import HTMLResponse

from bitmail.api import boxes, entering, mails, sending, suppressed, webhooks
from bitmail.api.asking import NoArguments
from bitmail.api.callers import Needs
from bitmail.api.description import describe
from bitmail.api.operations import AnyOperation, Call, Operation
from bitmail.api.reference import POLICY, page
from bitmail.current import off_loop, service
from bitmail.version import version


class Document(RootModel[dict[str, Any]]):
    """An OpenAPI document."""


async def openapi(_: Call[NoArguments, None]) -> Document:
    """The description of the API for programs."""
    return Document(await off_loop(document))


async def docs(call: Call[NoArguments, None]) -> HTMLResponse:
    """The description of the API for people."""
    own = next(iter(service().settings.allowed_origins()), str(call.request.base_url).rstrip("/"))
    shown = await off_loop(page, await off_loop(document), own, variables())
    return HTMLResponse(shown, headers={"Content-Security-Policy": POLICY})


GROUP = "This description"
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        name="openapi",
        group=GROUP,
        method="GET",
        path="/api/openapi.json",
        summary="Take this description, as an OpenAPI document",
        needs=Needs.NOTHING,
        call=openapi,
        answer=Document,
    ),
    Operation(
        name="docs",
        group=GROUP,
        method="GET",
        path="/api/docs",
        summary="Read it",
        needs=Needs.NOTHING,
        call=docs,
        answer=HTMLResponse,
        media_type="text/html",
    ),
)


def operations() -> tuple[AnyOperation, ...]:
    """All of them, in the order in which people read them."""
    return (
        *entering.OPERATIONS,
        *sending.OPERATIONS,
        *suppressed.OPERATIONS,
        *boxes.OPERATIONS,
        *mails.OPERATIONS,
        *webhooks.OPERATIONS,
        *OPERATIONS,
    )


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    return describe(operations(), version())


def variables() -> dict[str, dict[str, str]]:
    """What examples for a shell call the parts of each operation's path."""
    return {
        one.name: {name: part.variable for name, part in one.path_parameters.items()} for one in operations()
    }
