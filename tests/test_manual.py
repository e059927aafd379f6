"""The questions of `./fab test_manual`, answered by a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.smtp import FakeRelay, say
from tests.manual import try_providers
from tests.mta.test_provider_settings import VARIABLES


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def talk(*answers: str) -> tuple[list[str], list[str]]:
    left, said = list(answers), []
    failed = try_providers(lambda _: left.pop(0), said.append)
    assert left == []
    return failed, said


def test_providers_when_no_address_is_given_then_nothing_is_sent() -> None:
    assert talk("") == ([], [])


def test_providers_when_asked_then_one_mail_by_each_and_whether_it_came(tmp_path: Path) -> None:
    with FakeRelay() as first, FakeRelay() as second, FakeRelay({"rcpt": [say("550 5.1.1 no")]}) as third:
        addresses = [
            f"smtp://127.0.0.1:{one.port}?name={name}"
            for one, name in ((first, "a"), (second, "b"), (third, "c"))
        ]
        (tmp_path / "keys").write_text(f"BITMAIL_PROVIDERS={' '.join(addresses)} loopback\n")
        failed, said = talk("nobody", "bob@example.com", "", "keys", "y", "n")
    assert failed == ["b", "c"]
    assert [len(one.accepted) for one in (first, second, third)] == [1, 1, 0]
    assert b"BitMail by a: " in first.accepted[0].content
    assert "nobody" in said[0]
    assert any("550 5.1.1 no" in line for line in said)
    assert said[-1] == "Did not come: b, c."


def test_providers_when_settings_are_wrong_then_says_so() -> None:
    failed, said = talk("bob@example.com", "ann@example.com", "nowhere")
    assert failed == ["configuration"]
    assert "nowhere" in said[0]
