"""The HTTP API: what scripts do."""

from __future__ import annotations

import logging

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from bitmail import forms, hookroutes, reading
from bitmail.api import catalogue
from bitmail.api.operations import routes_of
from bitmail.api.refusals import NotThere, away, refusal_of
from bitmail.shield import UNAVAILABLE, database_away

log = logging.getLogger(__name__)


def api() -> Starlette:
    """The routes, to be mounted before the page."""
    return Starlette(
        routes=[
            *routes_of(catalogue.operations()),
            *forms.routes(),
            *reading.routes(),
            *hookroutes.routes(),
        ],
        exception_handlers={404: _nothing, **dict.fromkeys(UNAVAILABLE, _away)},
    )


async def _away(request: Request, error: Exception) -> Response:
    log.warning("who asked for %s has to ask again: %s", request.url.path, error)
    return away() if request.url.path.startswith("/api/") else database_away()


def _nothing(request: Request, _: Exception) -> Response:
    """Where nothing is, the API says so as it says everything."""
    if request.url.path.startswith("/api/"):
        return refusal_of(NotThere("There is nothing at this address."))
    return PlainTextResponse("Not Found", 404)
