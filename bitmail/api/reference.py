"""The page about the API: the OpenAPI document as people read it, with a call by curl for each thing to be asked."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

_NEXT_LINE = " \\\n     "
POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""No script at all runs in this page."""
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(document: dict[str, Any], server: str, variables: dict[str, dict[str, str]]) -> str:
    """The page.

    Args:
        document: the OpenAPI document.
        server: where the calls go, such as `https://mail.example.com`.
        variables: what examples call the parts of each operation's path.
    """
    groups: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            made = calls(method, server + path, operation, variables[operation["operationId"]])
            shown = operation | {"method": method.upper(), "path": path, "calls": list(made)}
            groups[operation["tags"][0]].append(shown)
    return _TEMPLATES.get_template("reference.html").render(
        info=document["info"],
        groups=groups,
        schemas=document["components"]["schemas"],
        typed=typed,
        marked=marked,
    )


def marked(text: str) -> Markup:
    """A description with what stands between backticks as code."""
    pieces = [escape(piece) for piece in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if number % 2 else piece
        for number, piece in enumerate(pieces)
    )


def typed(schema: dict[str, Any]) -> str:
    """What values of a schema are, in words."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(typed(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if "contentMediaType" in schema:
        return "bytes"
    if schema.get("type") == "array":
        return f"list of {typed(schema['items'])}"
    return str(schema.get("type", "anything"))


def calls(method: str, url: str, operation: dict[str, Any], variables: dict[str, str]) -> Iterator[str]:
    """The calls by curl that show an operation, one for each media type that it takes.

    They name what differs by variables of the shell, and keep secrets out of its list of processes, as curl does for
    the options used here.
    """
    for name, variable in variables.items():
        url = url.replace(f"{{{name}}}", f"${variable}")
    who = {"password": ['-u "$NAME:$PASSWORD"'], "bearer": ['--oauth2-bearer "$SESSION"'], "": []}
    needed = next((name for need in operation["security"] for name in need), "")
    words = [" ".join(["curl", *who[needed]])]
    for parameter in operation.get("parameters", ()):
        if parameter["schema"].get("examples"):
            words.append(f'-H "{parameter["name"]}: ${parameter["name"].rpartition("-")[2].upper()}"')
    contents = operation.get("requestBody", {}).get("content", {})
    if method != "get" and not (method == "post" and contents):
        words.append(f"-X {method.upper()}")
    success = next(iter(operation["responses"].values()))
    if any(kind not in ("application/json", "text/html") for kind in success.get("content", ())):
        words.append('-o "$FILE"')
    for kind, content in contents.items():
        yield _NEXT_LINE.join([*words, *_sent(kind, content["example"]), f'"{url}"'])
    if not contents:
        yield _NEXT_LINE.join([*words, f'"{url}"'])


def _sent(kind: str, example: Any) -> list[str]:
    if kind == "multipart/form-data":
        return [f"-F {shlex.quote(f'{name}={value}')}" for name, value in example.items()]
    data = example if isinstance(example, str) else json.dumps(example, ensure_ascii=False)
    how = "--data-binary" if data.startswith("@") else "-d"
    return [f"-H 'Content-Type: {kind}'", f"{how} {shlex.quote(data)}"]
