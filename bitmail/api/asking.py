"""What callers send along, parsed: the query, the headers, and bodies of the media types that an operation takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from bitmail.attachments import MOST
from bitmail.errors import FieldError, Unsendable
from bitmail.shield import BODY_LIMIT
from mta.email import Attachment

MOST_FIELDS = 50
"""Fields of one form that are no files."""


class Arguments(BaseModel):
    """Arguments of one operation; each has an alias where its name is no name in Python."""

    model_config = ConfigDict(extra="forbid")

    place: ClassVar[str] = "query"


class HeaderArguments(Arguments):
    """The same in headers, beside those that every request has."""

    place: ClassVar[str] = "header"


class NoArguments(Arguments):
    """None at all."""


A = TypeVar("A", bound=Arguments)
B = TypeVar("B")
M = TypeVar("M", bound=BaseModel)


FILES = "attachments"
"""The field of forms that takes files, as often as there are any."""


def _with_files(schema: dict[str, Any]) -> None:
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    schema["properties"][FILES] = {"type": "array", "items": file, "description": "Files."}


class FormModel(BaseModel):
    """A body of fields and files."""

    model_config = ConfigDict(json_schema_extra=_with_files)

    _files: tuple[Attachment, ...] = ()

    @property
    def files(self) -> tuple[Attachment, ...]:
        """The files that came with it."""
        return self._files


F = TypeVar("F", bound=FormModel)


@dataclass(frozen=True, slots=True)
class Body(Generic[B]):
    """A body of one media type.

    Attributes:
        media_type: such as `application/json`.
        model: what it is parsed by, or None for bytes as they are.
        parse: makes of a request what the operation works on; raises `Unsendable`.
        example: for people.
    """

    media_type: str
    model: type[BaseModel] | None
    parse: Callable[[Request], Awaitable[B]]
    example: Any


def json_body(model: type[M], example: dict[str, Any]) -> Body[M]:
    """A body in JSON."""

    async def parse(request: Request) -> M:
        try:
            return model.model_validate_json(await request.body(), strict=True)
        except ValidationError as error:
            raise Unsendable(_problems(error, "body")) from None

    return Body("application/json", model, parse, example)


def form_body(model: type[F], example: dict[str, Any]) -> Body[F]:
    """A form with files, each in a field of its own with the same name."""

    async def parse(request: Request) -> F:
        try:
            form = await request.form(max_files=MOST, max_fields=MOST_FIELDS, max_part_size=BODY_LIMIT)
        except HTTPException as refusal:
            raise Unsendable((FieldError("body", "", f"{refusal.detail.rstrip('.')}."),)) from None
        fields, files, errors = dict[str, str](), list[Attachment](), list[FieldError]()
        for name, value in form.multi_items():
            if isinstance(value, UploadFile) == (name != FILES) or name in fields:
                errors.append(FieldError(name[:100], "", _misplaced(name, name in fields)))
            elif isinstance(value, UploadFile):
                type = value.content_type or "application/octet-stream"
                files.append(Attachment(value.filename or "attachment", type, await value.read()))
            else:
                fields[name] = str(value)
        await form.close()
        try:
            parsed = model.model_validate(fields)
        except ValidationError as error:
            errors += _problems(error, "body")
        if errors:
            raise Unsendable(tuple(errors))
        parsed._files = tuple(files)
        return parsed

    return Body("multipart/form-data", model, parse, example)


def raw_body(media_type: str, example: str) -> Body[bytes]:
    """A body that is taken as it is."""
    return Body(media_type, None, Request.body, example)


async def body_of(request: Request, bodies: tuple[Body[B], ...]) -> B:
    """The body of a request.

    Raises:
        Unsendable: with what is wrong with it.
    """
    if not bodies:
        return None  # type: ignore[return-value]  # then B is None
    said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return await next((body for body in bodies if body.media_type == said), bodies[0]).parse(request)


def arguments_of(request: Request, model: type[A]) -> A:
    """The arguments of a request.

    Raises:
        Unsendable: with what is wrong with them.
    """
    if model.place == "query":
        sent = request.query_params.multi_items()
    else:
        names = {one.alias or name for name, one in model.model_fields.items()}
        sent = [(name, value) for name in names for value in request.headers.getlist(name)]
    given = dict(sent)
    twice = [name for name in given if sum(name == other for other, _ in sent) > 1]
    if twice:
        raise Unsendable(tuple(FieldError(name[:100], "", "This was given twice.") for name in twice))
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise Unsendable(_problems(error, "query", given)) from None


def _misplaced(name: str, is_twice: bool) -> str:
    if is_twice:
        return "This field was given twice."
    if name == FILES:
        return "This field takes files: send it with a file name."
    return f"This field takes no file. Send files as “{FILES}”."


def _problems(
    error: ValidationError, whole: str, given: dict[str, str] | None = None
) -> tuple[FieldError, ...]:
    found = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        field = ".".join(str(part) for part in problem["loc"]) or whole
        reason = problem["msg"].removeprefix("Value error, ").rstrip(".")
        found.append(FieldError(field[:100], (given or {}).get(field, "")[:100], f"{reason}."))
    return tuple(found)
