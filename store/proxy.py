"""The store on another host: the same operations, sent to a store server."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from time import sleep
from typing import Any
from uuid import uuid4

import requests
from pydantic import SecretStr
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict

from store import logs, tracing
from store.blobs import CHUNK, Arriving, BlobStore
from store.entry import Match, checked_match
from store.errors import StoreError, StoreUnavailable
from store.interface import JsonStore
from store.operations import Operation, Write
from store.search import Document, Query, TextIndex
from store.wire import decode_answer, decode_error, encode_match, encode_operation, name_of

TIMEOUT = (5.0, 30.0)
"""Seconds to wait for a connection, and for the next bytes of an answer."""
PAUSES = (0.1, 0.5)
"""Seconds to wait before the second and the third try."""
CONNECTIONS = 64


class StoreServer:
    """The way to a store server, shared by `ProxyStore` and `ProxyBlobs`; may be used from any thread."""

    def __init__(
        self, url: str, secret: SecretStr, *, ca: str = "", pauses: Sequence[float] = PAUSES
    ) -> None:
        """
        Args:
            url: address of the server, `https://host:port`.
            secret: what it shares with its callers.
            ca: file with the certificate that the server must have, or be signed by; empty for the system's.
            pauses: seconds before each further try of a request that got no answer.
        """
        self._url = url.rstrip("/")
        self._pauses = pauses
        self._verify = ca or _system_ca()
        self._authorization = f"Bearer {secret.get_secret_value()}"
        # Without a session: its proxies, cookies, redirects and .netrc are none of a store's, and half of the time.
        self._adapter = HTTPAdapter(pool_connections=1, pool_maxsize=CONNECTIONS)

    def close(self) -> None:
        """Close the connections."""
        self._adapter.close()

    def ask(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """One request, tried again while there is no answer; so it must be one that may arrive twice.

        Raises:
            StoreError: whatever the other side raised.
            StoreUnavailable: no answer after the last try.
        """
        with tracing.step(f"store {_area(path)}", tracing.Kind.CLIENT):
            for pause in self._pauses:
                try:
                    return self._ask(method, path, **arguments)
                except StoreUnavailable:
                    sleep(pause)
            return self._ask(method, path, **arguments)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        body: Callable[[], Any] | None = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
    ) -> requests.Response:
        about = {logs.REQUEST_HEADER: logs.request(), tracing.HEADER: tracing.context()}
        request = requests.PreparedRequest()
        request.method, request.url = method, f"{self._url}{path}"
        request.headers = CaseInsensitiveDict(
            {name.decode(): value for name, value in about.items() if value}
            | dict(headers or {})
            | {"authorization": self._authorization}
        )
        try:
            request.prepare_body(body() if body else None, None)
            response = self._adapter.send(request, stream=stream, timeout=TIMEOUT, verify=self._verify)
            if not stream:
                response.content  # noqa: B018 - reads it, so that the connection is free again
        except requests.RequestException as error:
            raise self._unavailable(error) from error
        if response.status_code in (200, 204):
            return response
        raise self._refusal(response)

    def _refusal(self, response: requests.Response) -> StoreError:
        try:
            return decode_error(response.json())
        except (requests.RequestException, ValueError):
            return self._unavailable(f"status {response.status_code}")

    def _unavailable(self, cause: object) -> StoreUnavailable:
        return StoreUnavailable(
            f"the store server at {self._url} does not answer ({cause}); see that it runs and can be reached"
        )

    def read(self, response: requests.Response) -> Iterator[bytes]:
        """The body of a streamed answer in pieces."""
        try:
            yield from response.iter_content(CHUNK)
        except requests.RequestException as error:
            raise self._unavailable(error) from error
        finally:
            response.close()


def _area(path: str) -> str:
    """An address without the ids in it."""
    area, _, what = path.strip("/").partition("/")
    return area if area == "blobs" else f"{area} {what}"


class ProxyStore(JsonStore):
    """A `JsonStore` whose entries are kept by a store server."""

    def __init__(self, server: StoreServer) -> None:
        self._server = server

    def perform(self, operation: Operation[Any]) -> Any:
        """As in `JsonStore`. A write has a name of its own, so that it is made once if it arrives twice."""
        body = json.dumps(encode_operation(operation)).encode()
        headers = {"content-type": "application/json"}
        if isinstance(operation, Write):
            headers["request-id"] = uuid4().hex
        path = f"/entries/{name_of(operation)}"
        response = self._server.ask("POST", path, body=lambda: body, headers=headers)
        return decode_answer(operation, response.json()["answer"])


class ProxyBlobs(BlobStore):
    """A `BlobStore` whose bytes are kept by a store server."""

    def __init__(self, server: StoreServer) -> None:
        self._server = server

    def keep(self, blob: Arriving) -> None:
        """As in `BlobStore`."""
        self._server.ask("PUT", "/blobs", body=lambda: _Sized(blob.chunks(), blob.size))

    def open(self, sha256: str) -> Iterator[bytes] | None:
        """As in `BlobStore`."""
        response = self._server.ask("GET", f"/blobs/{sha256}", stream=True)
        return None if response.status_code == 204 else self._server.read(response)

    def size(self, sha256: str) -> int | None:
        """As in `BlobStore`."""
        size: int | None = self._server.ask("GET", f"/blobs/{sha256}/size").json()["answer"]
        return size

    def remove(self, sha256: str, *, unless: Sequence[Match]) -> bool:
        """As in `BlobStore`. When an answer is lost, the second try finds the blob gone and says so."""
        body = json.dumps([encode_match(checked_match(match)) for match in unless]).encode()
        response = self._server.ask("POST", f"/blobs/{sha256}/removal", body=lambda: body)
        removed: bool = response.json()["answer"]
        return removed


class ProxyIndex(TextIndex):
    """A `TextIndex` that is kept by a store server."""

    def __init__(self, server: StoreServer) -> None:
        self._server = server

    def add(self, documents: Sequence[Document]) -> None:
        """As in `TextIndex`."""
        self._ask("add", {"documents": [asdict(document) for document in documents]})

    def remove(self, ids: Sequence[int]) -> None:
        """As in `TextIndex`."""
        self._ask("remove", {"ids": list(ids)})

    def find(self, owner: str, query: Query, *, limit: int, before: int | None = None) -> list[int]:
        """As in `TextIndex`."""
        asked = {"owner": owner, "query": asdict(query), "limit": limit, "before": before}
        found: list[int] = self._ask("find", asked)
        return found

    def _ask(self, verb: str, arguments: dict[str, Any]) -> Any:
        body = json.dumps(arguments).encode()
        headers = {"content-type": "application/json"}
        response = self._server.ask("POST", f"/search/{verb}", body=lambda: body, headers=headers)
        return response.json()["answer"]


@dataclass(frozen=True, slots=True)
class _Sized:
    """Pieces whose length is known, so that the server can refuse too many before they are sent."""

    pieces: Iterable[bytes]
    len: int

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.pieces)


def _system_ca() -> str | bool:
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath or True
