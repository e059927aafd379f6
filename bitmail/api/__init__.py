"""The HTTP API: what scripts do."""

from __future__ import annotations

from starlette.applications import Starlette

from bitmail import forms, hookroutes, reading
from bitmail.api import catalogue
from bitmail.api.operations import routes_of


def api() -> Starlette:
    """The routes, to be mounted before the page."""
    return Starlette(
        routes=[
            *routes_of(catalogue.operations()),
            *forms.routes(),
            *reading.routes(),
            *hookroutes.routes(),
        ]
    )
