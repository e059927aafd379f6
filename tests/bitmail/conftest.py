from __future__ import annotations

import os
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

from bitmail import frontend
from bitmail.current import serving
from bitmail.service import Service
from bitmail.settings import Settings
from tests.migrated import migrated
from tests.mta.scripted import wait_until

os.environ.update(frontend.ENVIRONMENT)
PASSWORD = "correct horse battery"


def make_service(var: Path, **settings: str) -> Service:
    if not {"database_url", "store_url"} & settings.keys():
        migrated(var / "bitmail.db")
    return Service(Settings(_env_file=None, var=var, **settings))  # type: ignore[call-arg, arg-type]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service whose container sends, by loopback."""
    service = make_service(tmp_path)
    service.start()
    with serving(service):
        yield service
    service.stop()


@pytest.fixture
def api(service: Service) -> Callable[[], httpx.AsyncClient]:
    """The HTTP API behind the shield, as its users reach it."""
    from bitmail.api import api
    from bitmail.shield import Shield

    app = Shield(api(), frontend.CLIENT, (), service.secret)
    return lambda: httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mail.test")


@contextmanager
def listening(service: Service) -> Iterator[str]:
    """The API of a service behind the shield, on a port of this machine."""
    from bitmail.api import api
    from bitmail.shield import Shield

    app = Shield(api(), frontend.CLIENT, (), service.secret)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    # With the protocol named, since asyncio sends small answers at once only on such a socket.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as reserved, serving(service):
        reserved.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [reserved]}, daemon=True)
        thread.start()
        wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{reserved.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


@asynccontextmanager
async def logged_in(client: httpx.AsyncClient, name: str = "ada") -> AsyncIterator[httpx.AsyncClient]:
    async with client:
        answer = await client.post("/api/login", auth=(name, PASSWORD))
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['session']}"
        yield client
