"""Logs: one line an event, as JSON for programs or as words for people, the same way in every process.

A line carries the request and the mail that it is about through all tiers. It names people by their account and
mail by its id: whatever looks like an address of somebody is taken out, and so are passwords in URLs.
"""

from __future__ import annotations

import json
import logging
import random
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from store import tracing

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

FIELDS = ("request", "trace_id", "account", "submission", "delivery", "provider", "event", "status")
"""What a line may say beside its words, in this order."""
NOISY = ("alembic", "httpx", "httpcore", "urllib3", "botocore", "boto3")
"""Packages that tell more than anybody wants to know."""
REQUEST_HEADER = b"x-request-id"

_REQUEST = re.compile(r"[A-Za-z0-9_-]{8,64}")
_ADDRESS = re.compile(r"[^\s<>\"'(),:;@/=\[\]{}]+@(?:[A-Za-z0-9\[][A-Za-z0-9.:\]-]*)")
_CREDENTIALS = re.compile(r"(?<=://)[^\s/\"']*@")
_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_about: ContextVar[Mapping[str, str]] = ContextVar("log", default={})  # noqa: B039 - never changed in place


class Form(StrEnum):
    """How lines are written."""

    AUTO = ""
    """For people on a terminal, else for programs."""
    JSON = "json"
    TEXT = "text"


class Level(StrEnum):
    """From which level on lines are written."""

    DEBUG = "debug"
    """Every step of every mail."""
    INFO = "info"
    """What is accepted, who comes in, what starts and stops."""
    WARNING = "warning"
    """What mended itself, or was refused; worth a look when it piles up."""
    ERROR = "error"
    """Something failed, and somebody has to look."""
    CRITICAL = "critical"
    """No mail goes out, or none can be taken."""


def set_up(
    form: Form = Form.AUTO,
    level: Level = Level.INFO,
    *,
    uvicorn: int = logging.WARNING,
    stream: TextIO | None = None,
) -> None:
    """Have every line of this process written to standard error, also those of the packages below and of threads
    that die.

    Args:
        form: how.
        level: from which level on.
        uvicorn: the same for the web server below.
        stream: where to instead.
    """
    # No line says where in the code it was written or by which thread; to find that out takes as long as to write it.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    out = stream or sys.stderr
    as_json = form is Form.JSON or (form is Form.AUTO and not out.isatty())
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonLines() if as_json else TextLines())
    handler.addFilter(_with_fields)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.getLogger("uvicorn").setLevel(max(uvicorn, root.level))
    logging.captureWarnings(capture=True)
    sys.excepthook = _died
    threading.excepthook = lambda death: _died(
        death.exc_type, death.exc_value or death.exc_type(), death.exc_traceback
    )


@contextmanager
def about(**fields: str) -> Iterator[None]:
    """Have every line of the block say what it is about; `fields` are some of `FIELDS`."""
    token = _about.set({**_about.get(), **{name: value for name, value in fields.items() if value}})
    try:
        yield
    finally:
        _about.reset(token)


def note(**fields: str) -> None:
    """The same for the rest of this task or thread."""
    _about.set({**_about.get(), **{name: value for name, value in fields.items() if value}})


def new_request() -> str:
    """The id of a request that came without one: unlike others, and no secret."""
    return f"{random.getrandbits(64):016x}"


def request() -> str:
    """The id of the request that is being answered, or ""."""
    return _about.get().get("request", "")


def redacted(text: str) -> str:
    """A text without the addresses of people and without log-ins in URLs."""
    if "@" not in text:
        return text
    return _ADDRESS.sub("<address>", _CREDENTIALS.sub("", text))


class Traced:
    """Gives every request an id, its caller's own where it has one, and says it in the answer; an ASGI application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer within the id."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        id = request_of(scope)

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (REQUEST_HEADER, id.encode())]
            await send(message)

        with about(request=id):
            await self._app(scope, receive, named)


def request_of(scope: Scope) -> str:
    """The id that a request's caller gave it, or a new one."""
    for name, value in scope["headers"]:
        if name == REQUEST_HEADER and _REQUEST.fullmatch(given := value.decode("latin-1")):
            return str(given)
    return new_request()


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "time": _time(record).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redacted(record.getMessage()),
            **_fields(record),
        }
        if trace := _trace(self, record):
            line["trace"] = trace
        return _as_json(line)


class TextLines(logging.Formatter):
    """A line for people; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        when = _time(record).strftime("%Y-%m-%d %H:%M:%S")
        words = redacted(record.getMessage()).replace("\n", " ").replace("\r", " ")
        line = f"{when} {record.levelname} {record.name}: {words}{fields}"
        trace = _trace(self, record)
        return f"{line}\n{trace}" if trace else line


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _fields(record: logging.LogRecord) -> dict[str, str]:
    given = ((name, getattr(record, name, "")) for name in FIELDS)
    return {name: redacted(str(value)) for name, value in given if value}


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return redacted(formatter.formatException(record.exc_info)) if record.exc_info else ""


def _with_fields(record: logging.LogRecord) -> bool:
    """What the block is about goes with the record, which may be written by another thread."""
    for name, value in {**_about.get(), "trace_id": tracing.trace_id()}.items():
        if not getattr(record, name, ""):
            setattr(record, name, value)
    # uvicorn says this and ends; whoever started it says why.
    return "Application startup failed" not in record.getMessage()


def _died(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    logging.getLogger("bitmail").critical("died of what it should not", exc_info=(kind, error, trace))
