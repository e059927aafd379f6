"""The container's own server: takes mail from other programs, and says how things are."""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from mta.container import Container
from mta.errors import FieldError, KeyConflict, Unacceptable
from mta.eventstream import EventStream
from mta.intake import Intake
from mta.metrics import CONTENT_TYPE, Metrics
from mta.service import ProviderHealth, ServiceState
from mta.submission import NewSubmission
from mta.wireform import read_json, read_rfc822
from store import logs, tracing
from store.errors import StoreError

REQUEST_LIMIT = 40 * 1024 * 1024
"""Bytes that one request may have: 25 MB of files in base64, and that once more in JSON's."""
BODY_SECONDS = 60.0
"""Seconds within which a request has to have come as a whole."""
READY_SECONDS = 3.0
"""Seconds within which the spool has to take a write for the server to be ready."""

_KEY = re.compile("[!-~]{1,200}")
_SERVING = (ServiceState.IN_SERVICE, ServiceState.PAUSED)

log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]


class ContainerServer:
    """The routes over one container.

    Attributes:
        events: the stream that `GET /events` answers with; ended before the server waits for its streams.
    """

    def __init__(
        self,
        container: Container,
        intake: Intake,
        metrics: Metrics,
        events: EventStream,
        secret: SecretStr,
        *,
        request_limit: int = REQUEST_LIMIT,
        body_seconds: float = BODY_SECONDS,
        ready_seconds: float = READY_SECONDS,
    ) -> None:
        """
        Args:
            container: what it serves.
            intake: hands its mails to the spool.
            metrics: what it counts in.
            events: the container's events.
            secret: what a caller has to send as `Authorization: Bearer SECRET`; an empty one admits nobody.
            request_limit: bytes that one request may have.
            body_seconds: seconds within which it has to have come.
            ready_seconds: seconds within which the spool has to take a write.
        """
        self._container = container
        self._intake = intake
        self._metrics = metrics
        self._expected = f"Bearer {secret.get_secret_value()}".encode() if secret.get_secret_value() else b""
        self._limit = request_limit
        self._body_seconds = body_seconds
        self._ready_seconds = ready_seconds
        self._askers = ThreadPoolExecutor(2, "ask")
        self._proof: asyncio.Future[None] | None = None
        self.events = events
        rest = Starlette(
            routes=[
                Route("/sendmail", self._send_mail, methods=["POST"]),
                Route("/health", self._health, methods=["GET"]),
                Route("/health/live", self._live, methods=["GET"]),
                Route("/health/ready", self._ready, methods=["GET"]),
                Route("/metrics", self._show_metrics, methods=["GET"]),
                Route("/events", _Events(self), methods=["GET"]),
            ]
        )
        self._rest = logs.Traced(rest)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; an ASGI application."""
        # Past Starlette's layers, which would be a tenth of all that accepting a mail takes.
        if scope["type"] == "http" and scope["path"] == "/sendmail" and scope["method"] == "POST":
            with tracing.request(scope) as span, logs.about(request=(id := logs.request_of(scope))):
                answer = await self._send_mail(Request(scope, receive))
                span.answered(answer.status_code)
            answer.headers[logs.REQUEST_HEADER.decode()] = id
            await answer(scope, receive, send)
        else:
            await self._rest(scope, receive, send)

    def close(self) -> None:
        """Let the threads go home; no request is being answered."""
        self._intake.close()
        self._askers.shutdown(wait=False)

    def admits(self, authorization: str) -> bool:
        """Whether somebody knows the secret."""
        given = authorization.encode("latin-1", "replace")
        return bool(self._expected) and hmac.compare_digest(given, self._expected)

    async def _send_mail(self, request: Request) -> Response:
        answer = await self._take(request)
        if answer.status_code >= 400:
            self._metrics.refused(answer.status_code)
            log.info("refused to take a mail, with status %d", answer.status_code)
        return answer

    async def _take(self, request: Request) -> Response:
        headers = dict(reversed(request.scope["headers"]))  # the first of each name; looked through once
        if not self.admits(headers.get(b"authorization", b"").decode("latin-1")):
            return _unauthorized()
        key = headers.get(b"idempotency-key", b"").decode("latin-1") or secrets.token_urlsafe(16)
        if not _KEY.fullmatch(key):
            reason = "An Idempotency-Key is 1 to 200 printable characters of ASCII."
            return _refusal(422, FieldError("Idempotency-Key", key[:100], reason))
        try:
            async with asyncio.timeout(self._body_seconds):
                body = await _body(request, headers.get(b"content-length", b""), self._limit)
        except TimeoutError:
            return _closing(JSONResponse({"error": f"No whole mail in {self._body_seconds:g} seconds."}, 408))
        except ClientDisconnect:
            return Response(status_code=400)  # nobody hears it
        if body is None:
            mega = self._limit / 1024 / 1024
            return _closing(JSONResponse({"error": f"A request may carry {mega:g} MB."}, 413))
        try:
            read = partial(_read, headers.get(b"content-type", b""), request, key, body)
            id = await self._intake.submit(read, len(body))
        except Unacceptable as refusal:
            return _refusal(422, *refusal.errors)
        except KeyConflict as conflict:
            return _refusal(409, FieldError("Idempotency-Key", key, str(conflict)))
        except StoreError as error:
            log.warning("a mail could not be accepted: %s", error)
            answer = {"error": "The spool cannot be written now. Nothing was accepted; try again."}
            return JSONResponse(answer, 503, headers={"Retry-After": "5"})
        self._metrics.accepted()
        log.info("accepted a mail", extra={"submission": id})
        return Response(b'{"submission":"%b"}' % id.encode(), 202, media_type="application/json")

    async def _health(self, request: Request) -> Response:
        """How each provider is; what went wrong there, only for those who know the secret."""
        providers = self._container.health()
        serves = any(one.state in _SERVING for one in providers)
        in_detail = self.admits(request.headers.get("authorization", ""))
        shown = [_shown(one, in_detail=in_detail) for one in providers]
        return JSONResponse({"in_service": serves, "providers": shown}, 200 if serves else 503)

    async def _live(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _ready(self, _: Request) -> Response:
        """Whether the spool can be written; any number of callers share one try."""
        if self._proof is None or self._proof.done():
            loop = asyncio.get_running_loop()
            self._proof = loop.run_in_executor(self._askers, self._container.prove_writable)
        try:
            await asyncio.wait_for(asyncio.shield(self._proof), self._ready_seconds)
        except TimeoutError:
            reason = f"the spool took no write within {self._ready_seconds:g} seconds"
        except StoreError as error:
            reason = str(error)
        else:
            return JSONResponse({"status": "ok"})
        log.warning("not ready: %s", reason)
        return JSONResponse({"status": "the spool cannot be written"}, 503)

    async def _show_metrics(self, request: Request) -> Response:
        if not self.admits(request.headers.get("authorization", "")):
            return _unauthorized()
        try:
            text = await asyncio.get_running_loop().run_in_executor(self._askers, self._metrics.text)
        except StoreError as error:
            log.warning("no metrics: %s", error)
            return JSONResponse({"error": "The spool cannot be read now."}, 503)
        return Response(text, headers={"content-type": CONTENT_TYPE})


class _Events:
    """`GET /events`, an ASGI application of its own: a response of Starlette's cannot leave a slow client."""

    def __init__(self, server: ContainerServer) -> None:
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        if not self._server.admits(request.headers.get("authorization", "")):
            await _unauthorized()(scope, receive, send)
            return
        await self._server.events.follow(request.headers.get("last-event-id", ""), receive, send)


def _read(content_type: bytes, request: Request, key: str, body: bytes) -> NewSubmission:
    date = datetime.now(UTC)
    if content_type.partition(b";")[0].strip().lower() != b"message/rfc822":
        return read_json(body, key=key, date=date)
    query = request.query_params
    return read_rfc822(
        body, sender=query.get("sender"), recipients=query.getlist("recipient"), key=key, date=date
    )


async def _body(request: Request, announced: bytes, limit: int) -> bytes | None:
    """The whole body, or None when it is longer than it may be."""
    if announced.isdigit() and int(announced) > limit:
        return None
    received = 0
    pieces: list[bytes] = []
    async for piece in request.stream():
        received += len(piece)
        if received > limit:
            return None
        pieces.append(piece)
    return b"".join(pieces)


def _shown(one: ProviderHealth, *, in_detail: bool) -> dict[str, object]:
    whole = asdict(one)
    return whole if in_detail else {name: whole[name] for name in ("name", "state", "until")}


def _unauthorized() -> Response:
    reason = "Send Authorization: Bearer and the secret that is set as BITMAIL_CONTAINER_SECRET."
    return _closing(JSONResponse({"error": reason}, 401, headers={"WWW-Authenticate": "Bearer"}))


def _refusal(status: int, *errors: FieldError) -> Response:
    return JSONResponse({"errors": [asdict(error) for error in errors]}, status)


def _closing(answer: Response) -> Response:
    """The same, and the connection ends: what else comes on it was not read."""
    answer.headers["connection"] = "close"
    return answer
