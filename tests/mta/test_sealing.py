"""Sealed keys: opened by their passphrase alone, and seen nowhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import fabfile
from mta.configuration import ConfigurationError, MtaSettings, read_settings
from mta.passphrase import read_passphrase
from mta.sealing import COST, SealError, WrongPassphrase, seal, unseal
from tests.e2e.server import ROOT

PASSPHRASE = "seven purple elephants æøå"
PLANTED = "planted-key-0f9e8d7c6b5a"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COST, "n", 2**10)


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    file = tmp_path / "keys.sealed"
    file.write_bytes(
        seal(
            {
                "SENDGRID_API_KEY": PLANTED,
                "BITMAIL_PROVIDERS": "sendgrid",
                "AWS_DEFAULT_REGION": "eu-north-1",
            },
            PASSPHRASE,
        )
    )
    return file


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    file = tmp_path / "passphrase"
    file.touch(mode=0o600)
    file.write_text(f"{PASSPHRASE}\n")
    return file


def test_what_is_sealed_is_opened_by_its_passphrase_alone(sealed: Path) -> None:
    content = sealed.read_bytes()
    assert unseal(content, PASSPHRASE)["SENDGRID_API_KEY"] == PLANTED
    assert PLANTED.encode() not in content
    assert b"SENDGRID" not in content
    for wrong in ("", PASSPHRASE[:-1], PASSPHRASE.upper()):
        with pytest.raises(WrongPassphrase, match="does not open"):
            unseal(content, wrong)
    assert seal({}, PASSPHRASE) != seal({}, PASSPHRASE)


@pytest.mark.parametrize("part", ["salt", "nonce", "box"])
def test_a_changed_file_is_refused(sealed: Path, part: str) -> None:
    head = json.loads(sealed.read_bytes())
    letters = head[part]
    head[part] = ("B" if letters[0] != "B" else "C") + letters[1:]
    with pytest.raises(WrongPassphrase):
        unseal(json.dumps(head).encode(), PASSPHRASE)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"\xff", b'{"format": "x"}', b'{"format": 7}', b"null"]
)
def test_what_is_no_file_of_sealed_keys_is_told_apart(content: bytes) -> None:
    with pytest.raises(SealError) as refused:
        unseal(content, PASSPHRASE)
    assert not isinstance(refused.value, WrongPassphrase)


def test_a_file_cannot_ask_for_all_the_memory(sealed: Path) -> None:
    head = json.loads(sealed.read_bytes())
    head["scrypt"]["n"] = 2**40
    with pytest.raises(WrongPassphrase):
        unseal(json.dumps(head).encode(), PASSPHRASE)


def test_a_short_passphrase_seals_nothing() -> None:
    with pytest.raises(SealError, match="12 characters"):
        seal({}, "short")


def test_a_passphrase_comes_from_a_descriptor_a_private_file_or_a_prompt(passphrase: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, f"{PASSPHRASE}\n".encode())
    os.close(writing)
    assert read_passphrase(reading, None) == PASSPHRASE
    assert read_passphrase(None, passphrase) == PASSPHRASE
    assert read_passphrase(None, None, prompt=lambda _: PASSPHRASE) == PASSPHRASE
    passphrase.chmod(0o640)
    with pytest.raises(SealError, match="chmod 600"):
        read_passphrase(None, passphrase)
    for descriptor, file in ((987, None), (None, passphrase.with_name("none"))):
        with pytest.raises(SealError, match="cannot be read"):
            read_passphrase(descriptor, file)


def test_sealed_keys_are_settings_and_the_environment_counts_more(
    sealed: Path, passphrase: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sealed.parent / ".env").write_text("SENDGRID_API_KEY=old\nBITMAIL_SCHEDULER=weighted\n")
    monkeypatch.chdir(sealed.parent)
    monkeypatch.setenv("BITMAIL_PASSPHRASE_FILE", str(passphrase))
    settings = read_settings(MtaSettings)
    assert settings.sendgrid_api_key.get_secret_value() == PLANTED
    assert (settings.providers, settings.scheduler, settings.aws_region) == (
        "sendgrid",
        "weighted",
        "eu-north-1",
    )
    assert PLANTED not in repr(settings)
    monkeypatch.setenv("SENDGRID_API_KEY", "mine")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    settings = read_settings(MtaSettings)
    assert (settings.sendgrid_api_key.get_secret_value(), settings.aws_region) == ("mine", "us-east-1")


def test_a_wrong_passphrase_stops_the_start_and_says_so_without_any_secret(
    sealed: Path, passphrase: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passphrase.write_text("another passphrase")
    monkeypatch.chdir(sealed.parent)
    monkeypatch.setenv("BITMAIL_PASSPHRASE_FILE", str(passphrase))
    with pytest.raises(ConfigurationError, match="does not open") as refused:
        read_settings(MtaSettings)
    assert "another passphrase" not in str(refused.value)


def test_the_task_seals_the_secrets_of_the_settings_and_takes_them_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    env = tmp_path / ".env"
    env.write_text(f"# mine\nBITMAIL_PORT=3001\nexport SENDGRID_API_KEY={PLANTED}\nSMTP_USER=ada\nOTHER=x\n")
    typed = iter((PASSPHRASE, PASSPHRASE))
    monkeypatch.setattr(fabfile, "ROOT", tmp_path)
    monkeypatch.setattr("getpass.getpass", lambda _: next(typed))
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    fabfile.seal_keys.body(None)
    file = tmp_path / "keys.sealed"
    assert unseal(file.read_bytes(), PASSPHRASE) == {"SENDGRID_API_KEY": PLANTED}
    assert file.stat().st_mode & 0o777 == 0o600
    assert env.read_text() == "# mine\nBITMAIL_PORT=3001\nSMTP_USER=ada\nOTHER=x\n"
    assert PLANTED not in capsys.readouterr().out
    with pytest.raises(SystemExit, match="no secret"):
        fabfile.seal_keys.body(None)


def test_a_container_that_starts_by_sealed_keys_shows_them_nowhere(sealed: Path, tmp_path: Path) -> None:
    sealed.write_bytes(seal({"BITMAIL_PROVIDERS": f"smtp://ada:{PLANTED}@127.0.0.1:9"}, PASSPHRASE))
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "mta"],
        cwd=ROOT,
        env=os.environ
        | {
            "BITMAIL_VAR": str(tmp_path),
            "BITMAIL_CONTAINER_PORT": "0",
            "BITMAIL_KEYS_FILE": str(sealed),
            "BITMAIL_PASSPHRASE_FD": str(reading),
        },
        pass_fds=[reading],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    os.close(reading)
    os.write(writing, PASSPHRASE.encode())
    os.close(writing)
    assert process.stdout is not None
    lines = [process.stdout.readline()]
    while lines[-1] and "is at http" not in lines[-1]:
        lines.append(process.stdout.readline())
    seen = "".join(
        Path(f"/proc/{process.pid}/{file}").read_bytes().decode(errors="replace")
        for file in ("cmdline", "environ")
    )
    process.terminate()
    rest, _ = process.communicate(timeout=60)
    output = "".join(lines) + rest
    assert "is at http" in output
    for secret in (PLANTED, PASSPHRASE):
        assert secret not in output
        assert secret not in seen
