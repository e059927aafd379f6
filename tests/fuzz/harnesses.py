"""What is fuzzed: every parser that reads bytes of strangers, by name; each is a file beside this one."""

from __future__ import annotations

import ast
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = (
    "addresses",
    "css",
    "html",
    "mime",
    "packets",
    "provider_hooks",
    "raw_mails",
    "searches",
    "vcards",
    "wire_forms",
)


def load(name: str) -> Callable[[bytes], None]:
    """The harness of that name: takes any bytes, and raises when the parser breaks a promise."""
    found: Callable[[bytes], None] = import_module(f"tests.fuzz.{name}").one
    return found


def seeds(name: str) -> list[bytes]:
    """What the fuzzer begins with; also whatever once broke a promise."""
    lines = (FOLDER / "seeds" / f"{name}.txt").read_text(encoding="ascii").splitlines()
    return [ast.literal_eval(line) for line in lines]


def write_seeds(name: str, found: set[bytes]) -> None:
    """Keep seeds: one Python literal a line, each once, shortest first."""
    lines = [f"{seed!r}\n" for seed in sorted(found, key=lambda seed: (len(seed), seed))]
    (FOLDER / "seeds" / f"{name}.txt").write_text("".join(lines), encoding="ascii")
