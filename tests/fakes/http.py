"""The scaffolding of a scripted HTTP service over a real socket, with a ledger of what it accepted."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.listener import Listener
from tests.fakes.smtp import Act

REASONS = {
    200: "OK",
    202: "Accepted",
    302: "Found",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
}


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked; the names of its fields are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def octets(self) -> bytes:
        fields = {"Content-Length": str(len(self.body)), "Content-Type": "application/json", **self.headers}
        lines = [f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'So')}"]
        lines += [f"{name}: {value}" for name, value in fields.items() if value]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


@dataclass(frozen=True, slots=True)
class Taken:
    """Accept what is asked, and then do this instead of saying so."""

    act: Act


def reply(status: int, body: object = b"", **headers: str) -> Reply:
    """An answer; what is no bytes becomes JSON, and `_` in the name of a field a hyphen."""
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, octets, {name.replace("_", "-"): value for name, value in headers.items()})


def html(status: int) -> Reply:
    """What a proxy says instead of the service."""
    return Reply(status, b"<html><body><h1>Sorry</h1></body></html>", {"Content-Type": "text/html"})


class FakeService(Listener):
    """Follows a script, one line for each request; after it, and where there is none, `answer` decides."""

    def __init__(self, *script: Reply | Act | Taken, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.script = deque(script)
        self.requests: list[Request] = []
        self.accepted: list[Any] = []
        self._tls = tls
        self._lock = threading.Lock()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many there were."""
        return len(self._sockets)

    def answer(self, request: Request) -> Reply:
        """What the service says to a request; it notes in `accepted` what it takes."""
        raise NotImplementedError

    def serve(self, sock: socket.socket) -> None:
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with sock.makefile("rb") as stream:
                while (request := read_request(stream, sock)) is not None and self._do(request, sock):
                    pass
        except OSError:
            pass
        finally:
            sock.close()

    def _do(self, request: Request, sock: socket.socket) -> bool:
        """Answer one request; false when the connection is over."""
        with self._lock:
            self.requests.append(request)
            line: Reply | Act | Taken = self.script.popleft() if self.script else self.answer(request)
            if isinstance(line, Taken):
                self.answer(request)
                line = line.act
        if isinstance(line, Reply):
            sock.sendall(line.octets())
            return True
        match line.kind:
            case "cut":
                sock.sendall(line.octets)
            case "reset":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            case "hang":
                self._stop.wait()
        return False


def read_request(stream: Any, sock: socket.socket) -> Request | None:
    """One request, its body whole; None when the client has gone."""
    first = stream.readline().decode("latin-1").split()
    if len(first) < 3:
        return None
    headers: dict[str, str] = {}
    while line := stream.readline().strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    if headers.get("expect", "").lower() == "100-continue":
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while size := int(stream.readline().split(b";")[0], 16):
            body += stream.read(size)
            stream.readline()
        stream.readline()
    else:
        body = stream.read(int(headers.get("content-length", "0")))
    return Request(first[0], first[1], headers, body)
