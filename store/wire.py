"""Operations, answers and errors as JSON between two hosts; `null` in a match stands for `ANY`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Final, cast

from pydantic import TypeAdapter, ValidationError

from store.entry import ANY, Entry
from store.errors import InvalidEntry, MalformedRequest, StoreError, StoreUnavailable, UnknownOperation
from store.operations import (
    Count,
    Get,
    GetById,
    Operation,
    PutIfAbsent,
    PutMany,
    Remove,
    Update,
    UpdateAll,
    UpdateById,
)
from store.search import Document, Query

OPERATIONS: Final[dict[str, type[Operation[Any]]]] = {
    "put_many": PutMany,
    "put_if_absent": PutIfAbsent,
    "get": Get,
    "get_by_id": GetById,
    "update": Update,
    "update_by_id": UpdateById,
    "update_all": UpdateAll,
    "remove": Remove,
    "count": Count,
}
_NAMES = {kind: name for name, kind in OPERATIONS.items()}
_MATCHES = ("matching", "expecting")


def name_of(operation: Operation[Any]) -> str:
    """How an operation is called on the wire."""
    return _NAMES[type(operation)]


def encode_operation(operation: Operation[Any]) -> dict[str, Any]:
    """The arguments of an operation as JSON values."""
    encoded = {field.name: getattr(operation, field.name) for field in fields(cast(Any, operation))}
    for name in _MATCHES:
        if name in encoded:
            encoded[name] = encode_match(encoded[name])
    return encoded


def decode_operation(name: str, arguments: Any) -> Operation[Any]:
    """The operation that `encode_operation` made these arguments of.

    Raises:
        UnknownOperation: there is none of that name.
        MalformedRequest: the arguments are not its.
        InvalidEntry: a key or value cannot be kept.
    """
    if name not in OPERATIONS:
        raise UnknownOperation(f"no operation {name!r}; there are {', '.join(OPERATIONS)}")
    if isinstance(arguments, dict):
        arguments = {
            key: decode_match(value) if key in _MATCHES else value for key, value in arguments.items()
        }
    try:
        operation: Operation[Any] = _adapter(name).validate_python(arguments)
    except (ValidationError, ValueError) as error:
        raise MalformedRequest(f"the arguments of {name} are not as they must be: {error}") from error
    return operation


def encode_match(matching: Any) -> Any:
    """A match as JSON values."""
    return {key: None if value is ANY else value for key, value in matching.items()}


def decode_match(matching: Any) -> Any:
    """A match from JSON values; what is none is left as it is, to be refused by whoever checks it."""
    if not isinstance(matching, dict):
        return matching
    return {key: ANY if value is None else value for key, value in matching.items()}


def encode_answer(answer: Any) -> Any:
    """The answer of an operation as JSON values."""
    if isinstance(answer, Entry):
        return {"id": answer.id, "data": answer.data}
    if isinstance(answer, list | tuple):
        return [encode_answer(part) for part in answer]
    return answer


def decode_answer(operation: Operation[Any], answer: Any) -> Any:
    """The answer of `operation` from JSON values."""
    match operation:
        case Get():
            return [Entry(entry["id"], entry["data"]) for entry in answer]
        case GetById():
            return None if answer is None else Entry(answer["id"], answer["data"])
        case PutIfAbsent():
            return tuple(answer)
    return answer


def encode_error(error: StoreError) -> dict[str, Any]:
    """An error as JSON values."""
    return {"error": type(error).__name__, "message": str(error), "key": getattr(error, "key", None)}


def decode_error(encoded: Any) -> StoreError:
    """The same error as on the other side; one that this side does not know is a `StoreUnavailable`."""
    if not isinstance(encoded, dict):
        return StoreUnavailable(f"the store server answered what is no answer of a store: {encoded!r:.200}")
    known: dict[object, type[StoreError]] = {kind.__name__: kind for kind in StoreError.__subclasses__()}
    kind = known.get(encoded.get("error"), StoreUnavailable)
    message = str(encoded.get("message"))
    return InvalidEntry(message, encoded.get("key")) if kind is InvalidEntry else kind(message)


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(OPERATIONS[name])


@dataclass(frozen=True, slots=True)
class Addition:
    """What `POST /search/add` carries."""

    documents: list[Document]


@dataclass(frozen=True, slots=True)
class Removal:
    """What `POST /search/remove` carries."""

    ids: list[int]


@dataclass(frozen=True, slots=True)
class Search:
    """What `POST /search/find` carries."""

    owner: str
    query: Query
    limit: int
    before: int | None = None


_SEARCHES: Final[dict[str, TypeAdapter[Any]]] = {
    "add": TypeAdapter(Addition),
    "remove": TypeAdapter(Removal),
    "find": TypeAdapter(Search),
}


def decode_search(verb: str, arguments: Any) -> Addition | Removal | Search:
    """What is asked of the search index.

    Raises:
        UnknownOperation: there is no such verb.
        MalformedRequest: the arguments are not its.
    """
    if verb not in _SEARCHES:
        raise UnknownOperation(f"no search operation {verb!r}; there are {', '.join(_SEARCHES)}")
    try:
        asked: Addition | Removal | Search = _SEARCHES[verb].validate_python(arguments)
    except ValidationError as error:
        raise MalformedRequest(f"the arguments of search {verb} are not as they must be: {error}") from error
    return asked
