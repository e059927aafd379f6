"""`python -m bitmail.reference`: writes docs/configuration.md, from what the settings classes say of themselves."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo

from bitmail.settings import Settings
from mta.configuration import MtaSettings
from store.settings import StoreSettings

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"
TIERS = (
    ("Every tier", StoreSettings, "`python -m store`, `python -m mta` and `python -m bitmail` read these."),
    ("Sending", MtaSettings, "`python -m mta` and `python -m bitmail` read these."),
    ("The web tier", Settings, "`python -m bitmail` alone reads these."),
)
HEAD = """# Configuration

Written by `./fab reference` from the settings classes; change those.

By environment, or in a file `.env` in the folder where a process starts; the environment goes first. A setting that
cannot work is refused at start, by name. What is marked secret may also lie in a file sealed by a passphrase
([sealed keys](providers.md#sealed-keys)).
"""
_PREFIX = "BITMAIL_"
_LIMITS = ((Ge, "ge", "at least"), (Gt, "gt", "more than"), (Le, "le", "at most"), (Lt, "lt", "less than"))


def page() -> str:
    """The reference, as Markdown."""
    return "\n".join([HEAD, *(_section(*tier) for tier in TIERS)])


def _section(title: str, settings: type[StoreSettings], who: str) -> str:
    meanings = _meanings(settings)
    inherited = {name for base in settings.__bases__ for name in getattr(base, "model_fields", {})}
    groups: dict[str, list[str]] = {}
    for name in settings.model_fields:
        if name not in inherited:
            groups.setdefault(meanings[name], []).append(name)
    rows = [
        f"| {', '.join(map(_variable, _fields(settings, names)))} "
        f"| {_defaults(_fields(settings, names))} | {meaning}{_limits(_fields(settings, names))} |"
        for meaning, names in groups.items()
    ]
    return "\n".join(
        [f"## {title}", "", who, "", "| setting | default | meaning |", "|---|---|---|", *rows, ""]
    )


def _fields(settings: type[StoreSettings], names: list[str]) -> list[tuple[str, FieldInfo]]:
    return [(name, settings.model_fields[name]) for name in names]


def _meanings(settings: type[StoreSettings]) -> dict[str, str]:
    """What the class says of each of its settings."""
    _, _, listed = (inspect.getdoc(settings) or "").partition("Attributes:\n")
    return {
        name.strip(): " ".join(meaning.split())
        for names, meaning in _entries(listed)
        for name in names.split(",")
    }


def _entries(listed: str) -> Iterator[tuple[str, str]]:
    for entry in re.split(r"\n(?= {4}\S)", listed.rstrip()):
        names, _, meaning = entry.strip().partition(": ")
        yield names, meaning


def _variable(field: tuple[str, FieldInfo]) -> str:
    name, info = field
    alias = info.validation_alias
    if isinstance(alias, AliasChoices):
        return " or ".join(f"`{choice}`" for choice in alias.choices)
    return f"`{alias or _PREFIX + name.upper()}`"


def _defaults(fields: list[tuple[str, FieldInfo]]) -> str:
    shown = [_default(info.get_default(call_default_factory=True)) for _, info in fields]
    return ", ".join(shown) if any(shown) else ""


def _default(value: Any) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        value = "on" if value else "off"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None or value == "" else f"`{value}`"


def _limits(fields: list[tuple[str, FieldInfo]]) -> str:
    """What else is asked of the value: which it may be, how large, and whether it is a secret."""
    said = list(dict.fromkeys(text for _, info in fields for text in _asked(info)))
    return f" ({'; '.join(said)})" if said else ""


def _asked(info: FieldInfo) -> Iterator[str]:
    kind = info.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        yield ", ".join(f"`{one.value}`" for one in kind if one.value)
    elif get_origin(kind) is Literal:
        yield ", ".join(f"`{one}`" for one in get_args(kind))
    for limit, name, words in _LIMITS:
        for asked in info.metadata:
            if isinstance(asked, limit):
                yield f"{words} {getattr(asked, name)}"
    if kind is SecretStr or not info.repr:
        yield "secret"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
