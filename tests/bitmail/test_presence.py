"""Which web servers are there."""

from __future__ import annotations

import os
import socket

from bitmail.presence import GONE, Presence, WebServer
from bitmail.service import Service
from bitmail.version import version
from store import MemoryStore
from tests.mta.scripted import Clock


def test_those_that_say_so_are_there_until_they_leave_or_fall_silent() -> None:
    store, clock = MemoryStore(), Clock()
    one, two = Presence(store, "web1:7", clock=clock), Presence(store, "web2:9", clock=clock)
    one.tell()
    two.tell()
    two.tell()
    begun = clock.now
    assert one.all() == [WebServer("web1:7", version(), begun), WebServer("web2:9", version(), begun)]
    clock.forward(GONE - 1)
    one.tell()
    assert two.all() == [WebServer("web1:7", version(), clock.now), WebServer("web2:9", version(), begun)]
    clock.forward(1)
    assert [server.place for server in two.all()] == ["web1:7"]
    one.tell()
    assert store.count({"kind": "web server"}) == 1, "who is gone for long is forgotten"


def test_a_service_says_that_it_is_there_before_it_works(service: Service) -> None:
    (there,) = service.presence.all()
    assert there.version == version()
    host, _, process = there.place.rpartition(":")
    assert (host, int(process)) == (socket.gethostname(), os.getpid())
