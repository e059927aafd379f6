"""Where the data is."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from store import StoreSettings, open_storage


def test_settings_when_nothing_is_set_then_sqlite_in_var(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BITMAIL_DATABASE_URL", raising=False)
    storage = open_storage(StoreSettings())
    assert storage.store.put({"a": "1"}) == 1
    assert storage.blobs.get(storage.blobs.put(b"abc")) == b"abc"
    storage.close()
    assert (tmp_path / "var" / "bitmail.db").exists()


def test_settings_when_shown_then_secrets_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BITMAIL_DATABASE_URL", "postgresql+psycopg://anna:hidden1@example.com/mail")
    settings = StoreSettings(store_secret=SecretStr("hidden2"))
    assert settings.resolved_database_url().endswith(":hidden1@example.com/mail")
    assert "hidden" not in repr(settings) + str(settings)
