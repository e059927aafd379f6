"""The store's own server: the operations of one database for other hosts."""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from store.blobs import Arriving, BlobStore
from store.errors import (
    InvalidEntry,
    MalformedRequest,
    StoreError,
    StoreUnavailable,
    TooLarge,
    UnknownOperation,
    WrongSecret,
)
from store.operations import Write
from store.search import TextIndex
from store.sql import SqlStore
from store.wire import (
    Addition,
    Removal,
    Search,
    decode_match,
    decode_operation,
    decode_search,
    encode_answer,
    encode_error,
)

REQUEST_LIMIT = 64 * 1024 * 1024
"""Bytes that one request may have."""

AREAS = ("entries", "search", "blobs")
"""First parts of the addresses of what it keeps."""

_STATUS = {
    MalformedRequest: 400,
    WrongSecret: 401,
    UnknownOperation: 404,
    TooLarge: 413,
    InvalidEntry: 422,
    StoreUnavailable: 503,
}
_log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]


def make_server(
    store: SqlStore,
    blobs: BlobStore,
    index: TextIndex,
    secret: SecretStr,
    *,
    request_limit: int = REQUEST_LIMIT,
) -> Starlette:
    """The server as an ASGI application.

    Args:
        store: what it serves.
        blobs: the blobs beside it.
        index: finds its entries by their words.
        secret: what a caller has to send as `Authorization: Bearer SECRET`.
        request_limit: bytes that one request may have.

    Raises:
        ValueError: the secret is empty.
    """
    if not secret.get_secret_value():
        raise ValueError(
            "BITMAIL_STORE_SECRET is empty; set it to a long random text, the same for every caller"
        )
    expected = f"Bearer {secret.get_secret_value()}".encode()

    async def perform(request: Request) -> Response:
        operation = decode_operation(
            request.path_params["operation"], await _json_body(request, request_limit)
        )
        name = request.headers.get("request-id") if isinstance(operation, Write) else None
        return _answer(await run_in_threadpool(store.perform, operation, name))

    async def put_blob(request: Request) -> Response:
        with Arriving() as blob:
            async for piece in _body(request, request_limit):
                await run_in_threadpool(blob.write, piece)
            await run_in_threadpool(blobs.keep, blob)
            return _answer(blob.sha256)

    async def get_blob(request: Request) -> Response:
        sha256 = request.path_params["sha256"]
        size = await run_in_threadpool(blobs.size, sha256)
        content = None if size is None else await run_in_threadpool(blobs.open, sha256)
        if content is None:
            return Response(status_code=204)
        # With the length announced, the other side sees when it gets less.
        headers = {"content-length": str(size)}
        return StreamingResponse(content, media_type="application/octet-stream", headers=headers)

    async def blob_size(request: Request) -> Response:
        return _answer(await run_in_threadpool(blobs.size, request.path_params["sha256"]))

    async def remove_blob(request: Request) -> Response:
        body = await _json_body(request, request_limit)
        if not isinstance(body, list) or not all(isinstance(match, dict) for match in body):
            raise MalformedRequest("to remove a blob, send a list of matches")
        unless = [decode_match(match) for match in body]
        sha256 = request.path_params["sha256"]
        return _answer(await run_in_threadpool(lambda: blobs.remove(sha256, unless=unless)))

    async def search(request: Request) -> Response:
        asked = decode_search(request.path_params["verb"], await _json_body(request, request_limit))
        return _answer(await run_in_threadpool(_search, index, asked))

    def guarded(handler: Handler) -> Handler:
        async def handle(request: Request) -> Response:
            try:
                if not hmac.compare_digest(request.headers.get("authorization", "").encode(), expected):
                    raise WrongSecret(
                        "the secret is not that of the store server; set BITMAIL_STORE_SECRET alike"
                    )
                return await handler(request)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody hears it
            except StoreError as error:
                caller = request.client.host if request.client else "?"
                _log.warning("%s %s from %s refused: %s", request.method, request.url.path, caller, error)
                return JSONResponse(encode_error(error), _STATUS.get(type(error), 500))

        return handle

    return Starlette(
        routes=[
            Route("/health", _health, methods=["GET"]),
            Route("/entries/{operation}", guarded(perform), methods=["POST"]),
            Route("/search/{verb}", guarded(search), methods=["POST"]),
            Route("/blobs", guarded(put_blob), methods=["PUT"]),
            Route("/blobs/{sha256}", guarded(get_blob), methods=["GET"]),
            Route("/blobs/{sha256}/size", guarded(blob_size), methods=["GET"]),
            Route("/blobs/{sha256}/removal", guarded(remove_blob), methods=["POST"]),
        ]
    )


def _search(index: TextIndex, asked: Addition | Removal | Search) -> list[int] | None:
    match asked:
        case Addition(documents):
            index.add(documents)
        case Removal(ids):
            index.remove(ids)
        case Search(owner, query, limit, before):
            return index.find(owner, query, limit=limit, before=before)
    return None


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _answer(answer: Any) -> Response:
    return JSONResponse({"answer": encode_answer(answer)})


async def _body(request: Request, limit: int) -> AsyncIterator[bytes]:
    refusal = TooLarge(f"a request may have {limit} bytes; send less at a time")
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > limit:
        raise refusal
    received = 0
    async for piece in request.stream():
        received += len(piece)
        if received > limit:
            raise refusal
        yield piece


async def _json_body(request: Request, limit: int) -> Any:
    body = b"".join([piece async for piece in _body(request, limit)])
    try:
        return json.loads(body)
    except ValueError as error:
        raise MalformedRequest(f"the body is not JSON: {error}") from error
