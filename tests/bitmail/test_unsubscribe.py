"""Leaving a list with one click, against a real server, and never inside a private network."""

from __future__ import annotations

import ipaddress
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bitmail.errors import Refused
from bitmail.outward import is_public
from bitmail.unsubscribe import leave_list
from mta.parsed import parse
from tests.fakes.certificates import make_certificate


@dataclass
class ListServer:
    """A mailing list's server, and what it was told."""

    url: str
    trust: ssl.SSLContext
    told: list[tuple[str, str, bytes]] = field(default_factory=list)
    status: int = 200


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ListServer]:
    certificate = make_certificate(tmp_path)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.told.append((self.path, self.headers["Host"], body))
            self.send_response(found.status)
            self.send_header("Location", "https://127.0.0.1:1/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.socket = certificate.server.wrap_socket(http.socket, server_side=True)
    thread = threading.Thread(target=http.serve_forever, args=(0.05,))
    thread.start()
    found = ListServer(
        f"https://127.0.0.1:{http.server_port}/leave?id=7", ssl.create_default_context(cafile=certificate.ca)
    )
    yield found
    http.shutdown()
    thread.join()
    http.server_close()


def test_one_click_is_one_post_that_says_so(server: ListServer) -> None:
    leave_list(server.url, may_reach=lambda _: True, trust=server.trust)
    assert server.told == [("/leave?id=7", server.url.split("/")[2], b"List-Unsubscribe=One-Click")]


@pytest.mark.parametrize("status", [301, 404, 500])
def test_any_other_answer_is_told_and_no_redirect_is_followed(server: ListServer, status: int) -> None:
    server.status = status
    with pytest.raises(Refused, match=str(status)):
        leave_list(server.url, may_reach=lambda _: True, trust=server.trust)
    assert len(server.told) == 1


def test_a_certificate_that_nobody_vouches_for_is_not_believed(server: ListServer) -> None:
    with pytest.raises(Refused, match="could not be reached"):
        leave_list(server.url, may_reach=lambda _: True)
    assert server.told == []


def test_nothing_inside_a_private_network_is_contacted(server: ListServer) -> None:
    for url in (
        server.url,
        server.url.replace("127.0.0.1", "localhost"),
        "https://[::1]/x",
        "https://10.0.0.1/x",
    ):
        with pytest.raises(Refused, match="private network"):
            leave_list(url, trust=server.trust)
    assert server.told == []


@pytest.mark.parametrize(
    "url", ["", "http://example.com/x", "https://", "https://a@example.com/", "https://a:x/"]
)
def test_an_address_that_cannot_be_used_is_not(url: str) -> None:
    with pytest.raises(Refused, match="names no address"):
        leave_list(url)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("::ffff:127.0.0.1", False),
        ("fe80::1", False),
        ("224.0.0.1", False),
        ("100.64.0.1", False),
        ("2606:4700::1111", True),
    ],
)
def test_public_means_of_the_public_internet(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public


@pytest.mark.parametrize(
    ("head", "post", "page", "mail"),
    [
        (
            b"List-Unsubscribe: <mailto:l@x.example?subject=u>, <https://x.example/u>\r\n"
            b"List-Unsubscribe-Post: List-Unsubscribe=One-Click",
            "https://x.example/u",
            "https://x.example/u",
            "mailto:l@x.example?subject=u",
        ),
        (b"List-Unsubscribe: <https://x.example/u>", "", "https://x.example/u", ""),
        (
            b"List-Unsubscribe: <http://x.example/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click",
            "",
            "http://x.example/u",
            "",
        ),
        (b"List-Unsubscribe: <javascript:alert(1)>, x, <>", "", "", ""),
        (b"Subject: x", "", "", ""),
    ],
)
def test_a_list_says_how_to_leave_it(head: bytes, post: str, page: str, mail: str) -> None:
    found = parse(head + b"\r\n\r\nx").unsubscribe
    assert (found.post, found.page, found.mail) == (post, page, mail)
