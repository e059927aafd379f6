"""The reference of the configuration, and what the docs promise about it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from bitmail.reference import PAGE, page
from bitmail.settings import Settings
from mta.scheduler import make_scheduler

DOCS = PAGE.parent


def test_reference_when_written_then_is_that_of_the_settings() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run ./fab reference"


def test_reference_when_read_then_has_every_setting_and_shows_no_secret() -> None:
    text = page()
    for name, info in Settings.model_fields.items():
        if info.validation_alias is None:
            assert text.count(f"`BITMAIL_{name.upper()}`") == 1, name
    assert "SecretStr" not in text
    assert "PydanticUndefined" not in text


@pytest.mark.parametrize(
    "doc", sorted((*DOCS.glob("*.md"), *DOCS.parent.glob("*.md"))), ids=lambda doc: doc.name
)
def test_link_when_followed_then_leads_somewhere(doc: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", doc.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        led_to = (doc.parent / path) if path else doc
        assert led_to.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)", led_to.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {
                re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles
            }, target


def test_path_when_named_in_the_docs_then_is_there() -> None:
    for doc in DOCS.glob("*.md"):
        for path in re.findall(
            r"`((?:bitmail|mta|store|tests|bench|deploy)/[\w/.-]+\.py)`", doc.read_text(encoding="utf-8")
        ):
            assert (DOCS.parent / path).exists() or "NAME" in path, (doc.name, path)


def test_scheduler_of_the_docs_when_set_then_picks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(
        r"```python\n(.*?)```", (DOCS / "architecture.md").read_text(encoding="utf-8"), re.DOTALL
    )
    (tmp_path / "cheapest.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "cheapest", raising=False)
    first, second = object(), object()
    assert make_scheduler("cheapest:Cheapest").pick([first, second]) is first  # type: ignore[list-item]
