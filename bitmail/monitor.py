"""The monitor around the app: tells a supervisor how the server is, and counts what it answers.

It stands outside of the shield, since whoever asks for health asks by the host's address and not by its name.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
from concurrent.futures import ThreadPoolExecutor

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bitmail.metrics import AREAS
from bitmail.service import Service
from bitmail.shield import HSTS, PERMISSIONS
from mta.metrics import CONTENT_TYPE
from store import StoreError, tracing

LIVE = "/health/live"
READY = "/health/ready"
METRICS = "/metrics"
READY_SECONDS = 3.0
"""Seconds within which store and spool have to take a write for the server to be ready."""
METRICS_SECONDS = 10.0
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")

HARDENED = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": PERMISSIONS,
}
"""As the shield's, for whoever asks here by a browser."""

log = logging.getLogger(__name__)


class Monitor:
    """Answers `/health/live`, `/health/ready` and `/metrics`, and passes on everything else.

    Health says yes or no to everybody. Metrics are for who knows BITMAIL_METRICS_SECRET; while none is set, for
    programs on this host, as long as nothing on the way passed the request on.
    """

    def __init__(self, app: ASGIApp, service: Service, *, ready_seconds: float = READY_SECONDS) -> None:
        """
        Args:
            app: what is watched.
            service: what is behind it.
            ready_seconds: seconds within which store and spool have to take a write.
        """
        self._app = tracing.Requests(app, set(AREAS) - {"_event"})
        self._service = service
        self._metrics = service.metrics
        secret = service.settings.metrics_secret.get_secret_value()
        self._expected = f"Bearer {secret}".encode() if secret else b""
        self._ready_seconds = ready_seconds
        self._askers = ThreadPoolExecutor(2, "ask")
        self._proof: asyncio.Future[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on; an ASGI application."""
        if scope["type"] == "websocket":
            self._metrics.connected(1)
            try:
                await self._app(scope, receive, send)
            finally:
                self._metrics.connected(-1)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = await self._own_answer(scope)
        if answer is not None:
            answer.headers.update(HARDENED)
            if scope["scheme"] == "https":
                answer.headers["Strict-Transport-Security"] = HSTS
            await answer(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.answered(scope["path"], message["status"])
            await send(message)

        await self._app(scope, receive, counted)

    async def _own_answer(self, scope: Scope) -> Response | None:
        if scope["path"] not in (LIVE, READY, METRICS):
            return None
        if scope["method"] not in ("GET", "HEAD"):
            return JSONResponse({"error": "Ask with GET."}, 405, headers={"Allow": "GET, HEAD"})
        if scope["path"] == LIVE:
            return _answer(200, {"status": "ok"})
        if scope["path"] == READY:
            return await self._ready()
        return await self._numbers(scope)

    async def _ready(self) -> Response:
        """Whether store and spool can be written; any number of callers share one try."""
        if self._proof is None or self._proof.done():
            loop = asyncio.get_running_loop()
            self._proof = loop.run_in_executor(self._askers, self._service.prove_writable)
        try:
            await asyncio.wait_for(asyncio.shield(self._proof), self._ready_seconds)
        except TimeoutError:
            reason = f"no write was taken within {self._ready_seconds:g} seconds"
        except StoreError as error:
            reason = str(error)
        else:
            return _answer(200, {"status": "ok"})
        log.warning("not ready: %s", reason)
        return _answer(503, {"status": "store or spool cannot be written"})

    async def _numbers(self, scope: Scope) -> Response:
        if not self._may_read(scope):
            reason = (
                "Send Authorization: Bearer and the secret that is set as BITMAIL_METRICS_SECRET; while none is "
                "set, ask from this host itself, without a proxy."
            )
            return _answer(401, {"error": reason})
        loop = asyncio.get_running_loop()
        try:
            text = await asyncio.wait_for(
                loop.run_in_executor(self._askers, self._metrics.text), METRICS_SECONDS
            )
        except (StoreError, TimeoutError) as error:
            log.warning("no metrics: %r", error)
            return _answer(503, {"error": "The spool cannot be read now."})
        return Response(text, headers={"Content-Type": CONTENT_TYPE})

    def _may_read(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        if self._expected:
            given = headers.get("authorization", "").encode("latin-1", "replace")
            return hmac.compare_digest(given, self._expected)
        # By its name too, lest a page of a stranger read it through a browser on this host.
        host = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
        came_straight = not any(name in headers for name in FORWARDED)
        client = (scope.get("client") or ("", 0))[0]
        return came_straight and _is_loopback(client) and (host == "localhost" or _is_loopback(host))


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def _answer(status: int, content: dict[str, str]) -> Response:
    return JSONResponse(content, status, headers={"WWW-Authenticate": "Bearer"} if status == 401 else None)
