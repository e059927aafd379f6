"""The shield around the app: who may connect, how much they may send, and what a browser may do with the answer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import re
import time
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bitmail.current import SESSION_COOKIE, cookie, service, session_of
from bitmail.dressing import AS_BUILT, dressed, look_of, packed, with_words
from bitmail.packets import is_fit
from bitmail.rates import Room, TooSlow, hurried, paced
from bitmail.routes import GUARDED, HOOKS, INBOX, LOG_IN, way_in
from store import DatabaseClosed, StoreUnavailable

log = logging.getLogger(__name__)

UNAVAILABLE = (StoreUnavailable, DatabaseClosed)
"""What is raised while the database does not answer."""
AWAY = "BitMail cannot reach its database at the moment. Wait some seconds, then try again."
"""What is said then."""
LATER = {"Retry-After": "5"}
"""The header that says in how many seconds to ask again."""
BODY_LIMIT = 40 * 1024 * 1024
"""Bytes that one request may carry: 25 MB of files in base64, and the words around them."""
HSTS = "max-age=31536000"
"""One year, in seconds."""
PERMISSIONS = ", ".join(
    f"{feature}=()"
    for feature in (
        *("accelerometer", "autoplay", "browsing-topics", "camera", "display-capture", "encrypted-media"),
        *(
            "fullscreen",
            "geolocation",
            "gyroscope",
            "hid",
            "idle-detection",
            "magnetometer",
            "microphone",
            "midi",
        ),
        *("payment", "picture-in-picture", "publickey-credentials-get", "screen-wake-lock", "serial", "usb"),
        "xr-spatial-tracking",
    )
)
"""What no page of ours needs, and so no page may ask for."""
NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""The policy of scripts and styles, which are no pages: it is short, since it comes with each of many small files."""
FEWER_PERMISSIONS = "camera=(), geolocation=(), microphone=()"
"""The same of those."""
TOKEN = b"reflex-client-token"
"""The header by which an upload says from which page it comes."""
SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))
_INLINE_SCRIPT = re.compile(rb"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.DOTALL)
_ENV_FILE = re.compile(r"/assets/reflex-env-[A-Za-z0-9_-]+\.js")
_BAKED_URL = re.compile(r"(http|ws)://localhost:3000")


class BodyTooLarge(Exception):
    """More was sent than one request may carry."""


class Shield:
    """Wraps the whole app, and lets nothing pass that the settings and the session do not allow."""

    def __init__(self, app: ASGIApp, client: Path, origins: Iterable[str], secret: bytes) -> None:
        """
        Args:
            app: what is protected.
            client: folder of the exported front end.
            origins: origins that may connect and change things; none means only the origin that a request
                itself is addressed to.
            secret: binds the pages' tokens to sessions; the same in all processes that share page states.
        """
        self._app = app
        self._client = client
        self._origins = frozenset(origins)
        self._hosts = frozenset(urlsplit(origin).netloc for origin in self._origins)
        self._secret = secret
        self._policy = _content_security_policy(client)
        self._room = Room()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse, or let pass; an ASGI application."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._answer(scope, receive, noted)
        except UNAVAILABLE as error:
            if begun:
                raise
            log.warning("who asked for %s has to ask again: %s", scope["path"], error)
            await _refuse(database_away(), scope, receive, self._hardened(scope, send))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _refuse(refusal, scope, receive, self._hardened(scope, send))
            return
        if scope["path"].startswith("/_event"):
            scope = {**scope, "query_string": self._bound(scope["query_string"], headers)}
        if scope["path"].startswith("/_upload"):
            if scope["method"] != "POST" or await session_of(headers.get("cookie", "")) is None:
                nothing = PlainTextResponse("There is nothing here.\n", 404)
                await _refuse(nothing, scope, receive, self._hardened(scope, send))
                return
            scope = {**scope, "headers": self._bound_headers(scope["headers"], headers)}
        if scope["type"] == "websocket":
            if not service().pages.may_connect():
                await _refuse(database_away(), scope, receive, send)
                return
            session = await session_of(headers.get("cookie", ""))
            with self._room.entered(session.id if session else 0) as has_room:
                if not has_room:
                    await _refuse(_too_many(), scope, receive, send)
                    return
                await self._app(scope, paced(receive, time.monotonic, is_fit), send)
            return
        answer = await self._own_answer(scope, headers)
        if answer is not None:
            await answer(scope, receive, self._hardened(scope, send))
            return
        try:
            body = hurried(_counted(receive), time.monotonic)
            await self._app(scope, body, self._hardened(scope, send))
        except BodyTooLarge:
            await _too_large()(scope, receive, self._hardened(scope, send))
        except TooSlow:
            answer = PlainTextResponse("The body of this request did not come in time.\n", 408)
            await answer(scope, receive, self._hardened(scope, send))

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if self._hosts and host.lower() not in self._hosts:
            return PlainTextResponse(
                "This server does not answer to that name. Its operator can add it to BITMAIL_ORIGINS.\n", 421
            )
        if scope["type"] == "http" and scope["path"].startswith(f"{HOOKS}/"):
            return (
                None  # no browser calls there; each hook has its own proof of who calls, and its own limits
            )
        changes = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        if changes and origin is not None and not self._is_ours(origin.lower(), host.lower()):
            return PlainTextResponse(
                "Pages of other sites may not do this. The operator can add an origin to BITMAIL_ORIGINS.\n",
                403,
            )
        if scope["type"] == "http" and scope["path"].startswith("/_event"):
            return PlainTextResponse("Pages connect here by websocket alone.\n", 400)
        length = headers.get("content-length", "0")
        if scope["type"] == "http" and (not length.isdecimal() or int(length) > BODY_LIMIT):
            return _too_large()
        return None

    def _is_ours(self, origin: str, host: str) -> bool:
        return origin in self._origins if self._origins else urlsplit(origin).netloc == host

    def _bound(self, query: bytes, headers: Headers) -> bytes:
        """The query with the client's token made useless to whoever has not got the session's cookie as well."""
        pairs = [
            (name, self._bound_token(value, headers) if name == "token" else value)
            for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        ]
        return urlencode(pairs).encode()

    def _bound_headers(self, sent: list[tuple[bytes, bytes]], headers: Headers) -> list[tuple[bytes, bytes]]:
        """The same for the header in which an upload carries the token."""
        return [
            (name, self._bound_token(value.decode("latin-1"), headers).encode() if name == TOKEN else value)
            for name, value in sent
        ]

    def _bound_token(self, token: str, headers: Headers) -> str:
        session = cookie(headers.get("cookie", ""), SESSION_COOKIE)
        return hmac.new(self._secret, f"{session}\0{token}".encode(), hashlib.sha256).hexdigest()

    async def _own_answer(self, scope: Scope, headers: Headers) -> Response | None:
        """What the shield answers itself: the way in for whoever comes, a page that is not to look as it was built, and
        the address the page connects to."""
        path, cookies = scope["path"].rstrip("/"), headers.get("cookie", "")
        accepted, encodings = headers.get("accept-language", ""), headers.get("accept-encoding", "")
        if path in ("", LOG_IN, *GUARDED):
            session = await session_of(cookies)
            if session is None and path != LOG_IN:
                return RedirectResponse(way_in(f"{path}?{scope['query_string'].decode('latin-1')}"), 303)
            if session is not None and path in ("", LOG_IN):
                return RedirectResponse(INBOX, 303)
            look = await look_of(session, accepted)
            if look != AS_BUILT and scope["method"] == "GET":
                page = self._client / path.lstrip("/") / "index.html"
                return packed(dressed(page, look), "text/html", encodings)
        elif _ENV_FILE.fullmatch(path):
            file = self._client / path.lstrip("/")
            if file.is_file():
                look = await look_of(await session_of(cookies), accepted)
                script = with_words(self._addressed(file.read_text(), scope, headers), look.language)
                return packed(script.encode(), "text/javascript", encodings)
        return None

    def _is_secure(self, scope: Scope) -> bool:
        """Whether the browser came by TLS, to us or to what stands in front of us."""
        host = Headers(scope=scope).get("host", "").lower()
        return scope["scheme"] in ("https", "wss") or f"https://{host}" in self._origins

    def _addressed(self, script: str, scope: Scope, headers: Headers) -> str:
        host = headers.get("host", "")
        if not re.fullmatch(r"[A-Za-z0-9.:\[\]-]+", host):
            host = "localhost"
        secure = "s" if self._is_secure(scope) else ""
        return _BAKED_URL.sub(lambda found: f"{found[1]}{secure}://{host}", script)

    def _hardened(self, scope: Scope, send: Send) -> Send:
        async def hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                is_file = scope["path"].startswith("/assets/")
                headers.setdefault("Content-Security-Policy", NOTHING if is_file else self._policy)
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("X-Frame-Options", "DENY")
                headers.setdefault("Referrer-Policy", "same-origin")
                headers["Cross-Origin-Opener-Policy"] = "same-origin"
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
                headers["Permissions-Policy"] = FEWER_PERMISSIONS if is_file else PERMISSIONS
                if self._is_secure(scope):
                    headers["Strict-Transport-Security"] = HSTS
                is_asset = is_file and not _ENV_FILE.fullmatch(scope["path"])
                if is_asset and message["status"] in (200, 304):
                    headers["Cache-Control"] = "public, max-age=31536000, immutable"
                else:
                    headers.setdefault(
                        "Cache-Control", "no-cache" if message["status"] == 200 else "no-store"
                    )
            await send(message)

        return hardened


def _content_security_policy(client: Path) -> str:
    """Only our own scripts run: those in files, and those in our pages as they were built, by their hashes."""
    hashes = {
        base64.b64encode(hashlib.sha256(script).digest()).decode()
        for page in client.glob("**/*.html")
        for script in _INLINE_SCRIPT.findall(page.read_bytes())
    }
    scripts = " ".join(f"'sha256-{digest}'" for digest in sorted(hashes))
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {scripts}".strip(),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "font-src 'self'",
            "manifest-src 'self'",
            "form-action 'self'",
            "frame-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        )
    )


def _counted(receive: Receive) -> Receive:
    """The same, until more than the limit has come; a chunked body says no length beforehand."""
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > BODY_LIMIT:
            raise BodyTooLarge
        return message

    return counted


def database_away() -> Response:
    """The answer while the database gives none."""
    return PlainTextResponse(f"{AWAY}\n", 503, headers=LATER)


def _too_many() -> Response:
    return PlainTextResponse("Too many pages are open. Close some, then reload this one.\n", 429)


def _too_large() -> Response:
    limit = BODY_LIMIT // 1024 // 1024
    return PlainTextResponse(f"This is too large: a request may carry {limit} MB.\n", 413)


async def _refuse(answer: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 4403, "reason": "refused"})
        return
    await answer(scope, receive, send)
