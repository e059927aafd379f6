"""Operations: what the HTTP API can be asked. One says who may ask, what comes in and what goes out; both the route
that serves it and its part of the OpenAPI document are made of that, so neither can say what the other does not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bitmail.api.asking import Arguments, Body, NoArguments, arguments_of, body_of
from bitmail.api.callers import Needs, caller_of
from bitmail.api.refusals import refusal_of
from bitmail.errors import Refused
from bitmail.sessions import Session
from bitmail.tokens import Scope
from store import tracing

A = TypeVar("A", bound=Arguments)
B = TypeVar("B")
R = TypeVar("R", bound="BaseModel | Response | None")


class _Text(StringConvertor):
    """The rest of a path, whatever letters it has; Starlette's own ends at a new line."""

    regex = r"[\s\S]+"


register_url_convertor("text", _Text())


def _as_it_is(_: Response) -> None:
    """Nothing is done to the answer."""


@dataclass(slots=True)
class Call(Generic[A, B]):
    """One call of an operation, by somebody who may make it, with what they sent already parsed.

    Attributes:
        request: as it came.
        caller: whose session or token it came with; one without a user where none is needed and none was sent.
        arguments: of the query or the headers.
        body: what was sent along.
        finish: does to the answer what is more than its content, such as setting a cookie.
    """

    request: Request
    caller: Session
    arguments: A
    body: B
    finish: Callable[[Response], None] = field(default=_as_it_is)

    @property
    def user(self) -> str:
        """Whose things this call may touch."""
        return self.caller.user

    def path(self, name: str) -> str:
        """A part of the path, as it came."""
        return str(self.request.path_params[name])


@dataclass(frozen=True, slots=True, kw_only=True)
class PathParameter:
    """A part of the path that callers fill in.

    Attributes:
        description: what it is.
        variable: what examples for a shell call it.
    """

    description: str
    variable: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[A, B, R]):
    """One thing to be asked for.

    Attributes:
        name: as programs call it.
        group: the heading it stands under.
        method, path: where; the path with names in braces.
        summary: one line for people.
        description: what else they have to know, in Markdown's paragraphs.
        needs: who may ask.
        call: does it.
        arguments: of the query or the headers.
        bodies: the media types that are taken; what names none of them is taken for the first.
        answer: what `call` returns.
        media_type: of an answer that is not JSON.
        status: of an answer that is not a refusal.
        path_parameters: by their names.
        refusals: statuses that it may refuse with, beside those that follow from the rest.
    """

    name: str
    group: str
    method: str
    path: str
    summary: str
    description: str = ""
    needs: Needs | Scope
    call: Callable[[Call[A, B]], Awaitable[R]]
    arguments: type[A] = NoArguments  # type: ignore[assignment]
    bodies: tuple[Body[B], ...] = ()
    answer: type[R]
    media_type: str = "application/json"
    status: HTTPStatus = HTTPStatus.OK
    path_parameters: dict[str, PathParameter] = field(default_factory=dict)
    refusals: frozenset[HTTPStatus] = frozenset()

    @property
    def every_refusal(self) -> list[HTTPStatus]:
        """Every status that this may refuse with."""
        found = set(self.refusals)
        if self.needs not in (Needs.NOTHING, Needs.PERHAPS_A_SESSION):
            found.add(HTTPStatus.UNAUTHORIZED)
        if isinstance(self.needs, Scope):
            found |= {HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}
        if self.arguments.model_fields or self.bodies:
            found.add(HTTPStatus.UNPROCESSABLE_ENTITY)
        if self.bodies:
            found.add(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if self.needs is not Needs.NOTHING:
            found.add(HTTPStatus.SERVICE_UNAVAILABLE)
        return sorted(found)

    async def answer_to(self, request: Request) -> Response:
        """Do what a request asks for."""
        try:
            call = Call(
                request,
                await caller_of(request, self.needs),
                arguments_of(request, self.arguments),
                await body_of(request, self.bodies),
            )
            tracing.say(operation=self.name)
            result: Any = await self.call(call)
        except Refused as refusal:
            return refusal_of(refusal)
        answer = self._shown(result)
        call.finish(answer)
        return answer

    def _shown(self, result: BaseModel | Response | None) -> Response:
        if isinstance(result, Response):
            return result
        if result is None:
            return Response(status_code=HTTPStatus.NO_CONTENT)
        return JSONResponse(result.model_dump(mode="json", exclude_unset=True), status_code=self.status)


AnyOperation = Operation[Any, Any, Any]


def routes_of(operations: Iterable[AnyOperation]) -> list[Route]:
    """The routes that serve operations: one for each path, so that a wrong method is told the right ones."""
    paths: dict[str, dict[str, AnyOperation]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = operation
    return [
        Route(path, partial(_answer, methods), methods=list(methods), name=path)
        for path, methods in paths.items()
    ]


async def _answer(methods: Mapping[str, AnyOperation], request: Request) -> Response:
    return await methods["GET" if request.method == "HEAD" else request.method].answer_to(request)
