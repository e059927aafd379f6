from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from bitmail import frontend
from bitmail.current import serving
from bitmail.service import Service
from bitmail.settings import Settings

os.environ.update(frontend.ENVIRONMENT)
PASSWORD = "correct horse battery"


def make_service(var: Path, **settings: str) -> Service:
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


@asynccontextmanager
async def logged_in(client: httpx.AsyncClient, name: str = "ada") -> AsyncIterator[httpx.AsyncClient]:
    async with client:
        answer = await client.post("/api/login", auth=(name, PASSWORD))
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['session']}"
        yield client
