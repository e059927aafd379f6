"""The OpenAPI document (https://spec.openapis.org/oas/v3.1.1), made of the operations that serve."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from bitmail.api.asking import Body
from bitmail.api.callers import Needs
from bitmail.api.operations import AnyOperation
from bitmail.api.refusals import MODELS, SAID
from bitmail.tokens import MAY, Scope

ABOUT = """Send mail, see what became of it, and work on mailboxes.

Whoever asks says who they are by `Authorization: Bearer …` with a session, as `login` answers one, or with a token made
in the settings; a token can do only what it was made for. Cookies count for nothing here. What is somebody else's is
answered like what does not exist.

Everything is JSON unless said otherwise. What is refused is answered with a sentence that says why."""

Model = type[BaseModel]
Models = Mapping[tuple[Any, JsonSchemaMode], dict[str, Any]]


def describe(operations: Sequence[AnyOperation], version: str) -> dict[str, Any]:
    """The document that describes these operations.

    Args:
        operations: in the order in which they are to be read.
        version: of the service.
    """
    schemas, definitions = models_json_schema(
        [*dict.fromkeys(_models(operations))], ref_template="#/components/schemas/{model}"
    )
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        path = re.sub(r":\w+}", "}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _described(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "BitMail", "version": version, "description": ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": group} for group in dict.fromkeys(one.group for one in operations)],
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "password": {"type": "http", "scheme": "basic"},
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A session, or a token made in the settings.",
                },
            },
        },
    }


def _models(operations: Iterable[AnyOperation]) -> Iterable[tuple[Model, JsonSchemaMode]]:
    for operation in operations:
        if issubclass(operation.answer, BaseModel):
            yield operation.answer, "serialization"
        for body in operation.bodies:
            if body.model is not None:
                yield body.model, "validation"
        for status in operation.every_refusal:
            if (model := MODELS[status]) is not None:
                yield model, "serialization"


def _described(operation: AnyOperation, schemas: Models) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.group],
        "summary": operation.summary,
        "security": _security(operation.needs),
        "responses": {
            str(int(operation.status)): _answer(operation, schemas),
            **{str(int(status)): _refusal(status, schemas) for status in operation.every_refusal},
        },
    }
    said = [operation.description] if operation.description else []
    if isinstance(operation.needs, Scope):
        said.append(f"A token needs “may {MAY[operation.needs]}”.")
    if said:
        found["description"] = "\n\n".join(said)
    if parameters := _parameters(operation):
        found["parameters"] = parameters
    if operation.bodies:
        content = {body.media_type: _body(body, schemas) for body in operation.bodies}
        found["requestBody"] = {"required": True, "content": content}
    return found


def _security(needs: Needs | Scope) -> list[dict[str, list[str]]]:
    match needs:
        case Needs.NOTHING:
            return []
        case Needs.PERHAPS_A_SESSION:
            return [{}, {"bearer": []}]
        case Needs.PASSWORD:
            return [{"password": []}]
    return [{"bearer": []}]


def _parameters(operation: AnyOperation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": one.description,
            "schema": {"type": "string"},
        }
        for name, one in operation.path_parameters.items()
    ]
    schema = operation.arguments.model_json_schema(by_alias=True)
    for name, described in schema.get("properties", {}).items():
        inner = {key: value for key, value in described.items() if key not in ("title", "description")}
        found.append(
            {
                "name": name,
                "in": operation.arguments.place,
                "required": name in schema.get("required", ()),
                "description": described["description"],
                "schema": _given(inner, schema.get("$defs", {})),
            }
        )
    return found


def _given(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of an argument that is given: one that is left out is null in Python, and nowhere else."""
    choices = [one for one in schema.pop("anyOf", ()) if one != {"type": "null"}]
    for choice in choices:
        schema |= definitions[choice["$ref"].rpartition("/")[2]] if "$ref" in choice else choice
    if schema.get("default", ...) is None:
        del schema["default"]
    return {key: value for key, value in schema.items() if key not in ("title", "description")}


def _body(body: Body[Any], schemas: Models) -> dict[str, Any]:
    if body.model is None:
        return {"schema": {"type": "string", "contentMediaType": body.media_type}, "example": body.example}
    return {"schema": schemas[body.model, "validation"], "example": body.example}


def _answer(operation: AnyOperation, schemas: Models) -> dict[str, Any]:
    answer = operation.answer
    if answer is type(None):
        return {"description": "Done."}
    if not issubclass(answer, BaseModel):
        return {"description": "As it is.", "content": {operation.media_type: {}}}
    said = (answer.__doc__ or "").strip()
    return {
        "description": said,
        "content": {operation.media_type: {"schema": schemas[answer, "serialization"]}},
    }


def _refusal(status: HTTPStatus, schemas: Models) -> dict[str, Any]:
    model = MODELS[status]
    content = (
        {"text/plain": {"schema": {"type": "string"}}}
        if model is None
        else {"application/json": {"schema": schemas[model, "serialization"]}}
    )
    found: dict[str, Any] = {"description": SAID[status], "content": content}
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        found["headers"] = {"Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1}}}
    if status is HTTPStatus.UNAUTHORIZED:
        found["headers"] = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}
    return found
