"""The HTTP API: what scripts do."""

from __future__ import annotations

from starlette.applications import Starlette

from bitmail import forms, hookroutes, reading
from bitmail.api import catalogue


def api() -> Starlette:
    """The routes, to be mounted before the page."""
    return Starlette(
        routes=[
            *(operation.route() for operation in catalogue.operations()),
            *forms.routes(),
            *reading.routes(),
            *hookroutes.routes(),
        ]
    )
