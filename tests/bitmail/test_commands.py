"""The command line, as an operator, a script and cron use it."""

from __future__ import annotations

import io
import json
import logging
import mailbox
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bitmail.__main__ import main
from bitmail.door import Client
from bitmail.errors import LogInRefused
from bitmail.service import Service
from bitmail.shutdown import ExitStatus
from mta.outcomes import Answer, Outcome, Status
from mta.providers.loopback import LoopBack
from mta.qualified import qualified
from mta.service import ServiceState
from mta.steering import Plan
from tests.bitmail.conftest import PASSWORD, make_service
from tests.mta.scripted import mail, wait_until
from tests.store.test_expansion import DROP, TABLE
from tests.store.test_migration import write_migration

MAIL = b"From: ada@example.com\nTo: grace@example.com\nSubject: Report\n\nHello\n.\nMore\n"


class Ended:
    """How a command ended, and what it said."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs a command on an installation of its own."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, sys.excepthook, threading.excepthook
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BITMAIL_VAR", str(tmp_path / "var"))
    monkeypatch.setattr("signal.signal", lambda *_: None)

    def run(*words: str, stdin: bytes = b"") -> Ended:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        try:
            status = main(list(words))
        except SystemExit as end:
            status = int(end.code or 0)
        return Ended(status, *capsys.readouterr())

    yield run
    root.handlers[:], sys.excepthook, threading.excepthook = before[0], before[2], before[3]
    root.setLevel(before[1])


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Service]:
    """The same installation from within; nothing is sent unless it is started."""
    service = make_service(tmp_path / "var")
    yield service
    service.stop()


def test_users_when_some_are_locked_or_deleted_then_all_are_listed_with_that(
    run: Run, there: Service
) -> None:
    assert run("users").out == "There is no account yet.\n"
    for name in ("ada", "bob", "eve"):
        there.model.log_in(name, PASSWORD)
    there.model.departure.delete("eve")
    assert run("lock", "BOB@localhost").status == 0
    listed = run("users", "--json").json
    assert [(one["name"], one["state"]) for one in listed] == [
        ("ada", "open"),
        ("bob", "locked"),
        ("eve", "deleted"),
    ]
    assert "bob@localhost" in run("users").out


def test_lock_then_nobody_is_in_or_comes_in_until_unlock(run: Run, there: Service) -> None:
    _, secret = there.model.log_in("ada", PASSWORD)
    assert run("lock", "ada", "--json").json == {"name": "ada", "state": "locked"}
    assert there.model.sessions.find(secret) is None
    with pytest.raises(LogInRefused, match="locked"):
        there.model.log_in("ada", PASSWORD)
    assert run("unlock", "ada").status == 0
    there.model.log_in("ada", PASSWORD)
    assert [one.action.value for one in there.model.audit.page("ada")][1:3] == [
        "account unlocked",
        "log-in refused",
    ]


@pytest.mark.parametrize("command", ["lock", "unlock", "reset-password", "export"])
@pytest.mark.parametrize("name", ["nobody-here", "no such name!", "root"])
def test_a_command_about_nobody_ends_with_status_67_and_says_so(run: Run, command: str, name: str) -> None:
    ended = run(command, name)
    assert ended.status == 67
    assert name in ended.err or "name" in ended.err
    assert not ended.out


def test_reset_password_then_the_new_one_opens_the_account(run: Run, there: Service) -> None:
    _, secret = there.model.log_in("ada", PASSWORD)
    new = run("reset-password", "ada", "--json").json["password"]
    assert there.model.sessions.find(secret) is None
    with pytest.raises(LogInRefused):
        there.model.log_in("ada", PASSWORD)
    assert there.model.log_in("ada", new)


def test_invite_then_its_code_makes_an_account(run: Run, tmp_path: Path) -> None:
    made = run("invite", "--days", "2", "--json").json
    assert made["code"] in made["link"]
    service = make_service(tmp_path / "var", signup="invite")
    with pytest.raises(LogInRefused):
        service.model.door.enter("ada", PASSWORD, Client())
    assert service.model.door.enter("ada", PASSWORD, Client(invitation=made["code"])).account.name == "ada"
    service.stop()


def test_send_when_a_script_pipes_a_mail_then_it_is_on_disk_and_shown(run: Run, there: Service) -> None:
    ended = run("send", "-t", "-i", "--json", stdin=MAIL)
    assert ended.status == 0, ended.err
    id = ended.json["submission"]
    raw = there.container.raw(id)
    assert raw.endswith(b"Hello\r\n.\r\nMore\r\n")
    shown = run("show", id, "--json").json
    assert shown["sender"] == "ada@example.com"
    assert [one["recipient"] for one in shown["deliveries"]] == ["grace@example.com"]
    assert "grace@example.com: queued" in run("show", id).out
    assert run("queue", "--json").json["waiting"] == {"queued": 1}
    assert run("find", "report", "--by", "subject", "--json").json[0]["submission"] == id
    there.container.cancel(id)
    assert _statuses(there, id) == [Status.CANCELLED]
    again = run("retry", id)
    assert again.status == 65
    assert "can be tried again" in again.err


def test_show_when_a_provider_answered_then_its_id_and_its_whole_answer(
    run: Run, there: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = '{"id": "<20@mg>",\n "message": "Queued.\x1b[2J"}'
    answer = Answer(Outcome.ACCEPTED, "LoopBack took it.", provider_id="<20@mg>", whole=said)
    monkeypatch.setattr(LoopBack, "send", lambda *_: answer)
    there.start()
    id = run("send", "-t", "--json", stdin=MAIL).json["submission"]
    wait_until(lambda: _statuses(there, id) == [Status.SENT])
    shown = run("show", id).out.splitlines()
    assert "       loopback calls it <20@mg>" in shown
    assert shown[-2:] == ['       | {"id": "<20@mg>",', '       |  "message": "Queued. [2J"}']
    whole = run("show", id, "--json").json
    assert whole["deliveries"][0]["attempts"][0]["provider_id"] == "<20@mg>"
    assert whole["answers"] == [{"delivery": f"{id}-0", "attempt": 1, "answer": said}]


def test_send_as_cron_does_then_addresses_get_their_domain_and_a_dot_ends_it(
    run: Run, there: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    cron = b"From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@host> run\n\none\n.\ntwo\n"
    ended = run("send", "-FCronDaemon", "-odi", "-f", "root", "root", "ops@example.com", "-v", stdin=cron)
    assert ended.status == 0, ended.err
    found = there.container.submission(ended.out.split()[-1].rstrip("."))
    assert found is not None
    assert found.sender == "root@localhost"
    assert [one.recipient for one in found.deliveries] == ["root@localhost", "ops@example.com"]
    raw = there.container.raw(found.id)
    assert b"From: Cron Daemon <root@localhost>\r\n" in raw
    assert b"To: root@localhost\r\n" in raw
    assert raw.endswith(b"\r\n\r\none\r\n")


def test_send_when_a_text_has_no_header_then_it_is_the_body(run: Run, there: Service) -> None:
    id = run(
        "send", "--json", "-F", "Backup", "-f", "backup", "ops@example.com", stdin=b"disk is full\n"
    ).json
    raw = there.container.raw(id["submission"])
    assert b"From: Backup <backup@localhost>" in raw
    assert raw.endswith(b"\r\n\r\ndisk is full\r\n")


def test_send_when_repeated_with_its_key_then_one_mail(run: Run) -> None:
    first, second = (run("send", "-t", "-i", "--key", "k1", "--json", stdin=MAIL).json for _ in range(2))
    assert first == second
    other = run("send", "-t", "-i", "--key", "k1", stdin=MAIL + b"changed")
    assert other.status == 65
    assert "k1" in other.err


@pytest.mark.parametrize(
    ("words", "stdin", "status"),
    [
        ([], MAIL, 64),
        (["-t"], b"", 66),
        (["--file", "missing.eml", "-t"], b"", 66),
        (["not an address"], MAIL, 65),
        (["-t"], b"From: ada@example.com\nSubject: nobody\n\nx\n", 65),
        (["--unknown"], MAIL, 64),
        (["-t"], b"From: ada@example.com\nTo: g@example.com\n\n" + b"x" * 1200, 65),
    ],
)
def test_send_when_it_cannot_then_words_and_a_status_of_sysexits(
    run: Run, there: Service, words: list[str], stdin: bytes, status: int
) -> None:
    ended = run("send", *words, stdin=stdin)
    assert ended.status == status
    assert ended.err
    assert "Traceback" not in ended.err
    assert not there.container.backlog().waiting


def test_qualified_leaves_a_whole_mail_as_it_is() -> None:
    assert qualified(MAIL, "host", "x@host") == MAIL
    folded = b"From: ada@example.com\nTo: a@example.com,\n\tb\nX: y\n\nbody"
    assert qualified(folded, "host", "") == b"From: ada@example.com\nTo: a@example.com, b@host\nX: y\n\nbody"
    assert qualified(b"From ada Mon Jan 1\nFrom: a@b.example\n\nx", "host", "") == b"From: a@b.example\n\nx"


def test_export_then_a_mail_program_can_read_it(run: Run, there: Service, tmp_path: Path) -> None:
    there.model.log_in("ada", PASSWORD)
    for number in range(3):
        there.model.mailboxes.file("ada", str(number), MAIL.replace(b"\n", b"\r\n"), 0.0)
    file = tmp_path / "ada.mbox"
    assert run("export", "ada", "--output", str(file), "--json").json["mails"] == 3
    assert [one["Subject"] for one in mailbox.mbox(file)] == ["Report"] * 3
    assert file.stat().st_mode & 0o077 == 0
    assert run("export", "ada", "--output", str(file)).status == 73


def test_providers_when_a_container_runs_then_how_they_are_else_status_69(run: Run, there: Service) -> None:
    idle = run("providers")
    assert idle.status == 69
    assert "No container is running" in idle.out
    there.start()
    wait_until(lambda: bool(there.container._board.all(there.container._clock())))  # type: ignore[attr-defined]
    rows = run("providers", "--json").json
    assert [(row["name"], row["state"]) for row in rows] == [("loopback", "in service")]
    assert rows[0]["container"].partition(":")[0] == socket.gethostname()
    assert "in service" in run("providers").out


def test_providers_when_steered_then_a_running_container_obeys_and_it_is_shown_and_written_down(
    run: Run, there: Service
) -> None:
    there.start()
    wait_until(lambda: bool(there.container.containers()))
    plan = run("providers", "--scheduler", "adaptive", "--weight", "loopback=7", "--json").json
    assert (plan["scheduler"]["value"], plan["scheduler"]["by"]) == ("adaptive", "the command line")
    assert plan["weights"]["loopback"]["value"] == "7"

    def obeys(scheduler: str, weight: int) -> bool:
        (row,) = run("providers", "--json").json
        return (row["scheduler"], row["weight"]) == (scheduler, weight)

    wait_until(lambda: obeys("adaptive", 7))
    assert "set the weight of loopback to 7" in there.model.audit.page("")[0].detail
    back = run("providers", "--scheduler", "configured", "--weight", "loopback=configured")
    assert back.out == "Set the scheduler to configured.\nSet the weight of loopback to configured.\n"
    wait_until(lambda: obeys("round-robin", 1))


def test_providers_when_taken_out_and_put_back_then_a_running_container_obeys(
    run: Run, tmp_path: Path
) -> None:
    service = make_service(tmp_path / "var", providers="loopback?name=first loopback?name=second")
    service.start()
    try:
        wait_until(lambda: bool(service.container.containers()))
        assert run("providers", "--out", "first").out == "Took first out of service.\n"
        wait_until(lambda: service.container.health()[0].state is ServiceState.OUT)
        assert run("providers", "--in", "first").status == 0
        wait_until(lambda: service.container.health()[0].state is ServiceState.IN_SERVICE)
    finally:
        service.stop()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--scheduler", "fastest"), "There is no scheduler “fastest”: take round-robin, weighted, adaptive"),
        (("--scheduler", "os:abort"), "There is no scheduler “os:abort”"),
        (("--weight", "loopback=0"), "“0” is no weight: take a whole number from 1 to 1000"),
        (("--weight", "loopback=٣"), "“٣” is no weight"),
        (("--weight", "third=2"), "There is no provider “third”: there is loopback."),
        (("--weight", "loopback"), "There is no provider “”"),
        (("--out", "third"), "There is no provider “third”"),
    ],
)
def test_providers_when_steered_wrongly_then_the_culprit_is_named_and_nothing_is_set(
    run: Run, there: Service, words: tuple[str, ...], said: str
) -> None:
    there.start()
    wait_until(lambda: bool(there.container.containers()))
    ended = run("providers", *words)
    assert ended.status == 65
    assert said in ended.err
    assert there.container.steering.plan() == Plan()
    assert not there.model.audit.page("")


def test_retry_of_one_delivery_then_the_others_stay(run: Run, there: Service) -> None:
    submission = there.container.submit(mail("a@example.com", "b@example.com"))
    for one in submission.deliveries:
        _fail(there, one.id)
    ended = run("retry", submission.deliveries[1].id, "--json")
    assert ended.status == 0, ended.err
    assert [one["status"] for one in ended.json["deliveries"]] == ["failed", "queued"]
    assert run("show", "0" * 27).status == 66
    assert run("retry", f"{submission.id}-9").status == 66


def test_queue_when_nothing_waits_then_it_says_so(run: Run) -> None:
    ended = run("queue")
    assert ended.status == 0
    assert "Nothing waits." in ended.out
    assert run("queue", "--json").json == {"waiting": {}, "oldest_seconds": None, "deliveries": []}


def test_a_command_that_is_none_ends_with_status_64_and_names_them(run: Run) -> None:
    ended = run("frobnicate")
    assert ended.status == 64
    assert "reset-password" in ended.err


def test_a_setting_that_cannot_work_ends_any_command_with_status_78(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BITMAIL_KEEP_DAYS", "soon")
    ended = run("users")
    assert ended.status == 78
    assert "BITMAIL_KEEP_DAYS" in ended.err


def test_migrate_then_the_database_is_made(run: Run, tmp_path: Path) -> None:
    assert run("migrate", "--json").json == {"migrated": True}
    assert (tmp_path / "var/bitmail.db").exists()


@pytest.mark.parametrize("tier", ["MTA_MIGRATIONS", "SEARCH_MIGRATIONS"])
def test_migrate_when_something_would_be_taken_away_then_refuses(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tier: str
) -> None:
    folder = tmp_path / "release"
    folder.mkdir()
    monkeypatch.setattr(f"bitmail.commands.migration.{tier}", folder)
    write_migration(folder, 1, TABLE)
    assert run("migrate").status == ExitStatus.OK
    write_migration(folder, 2, DROP)
    refused = run("migrate")
    assert refused.status == ExitStatus.UNAVAILABLE
    assert "takes away what the release before needs" in refused.err


def _statuses(service: Service, id: str) -> list[Status]:
    found = service.container.submission(id)
    return [one.status for one in found.deliveries] if found else []


def _fail(service: Service, delivery: str) -> None:
    from sqlalchemy import text

    with service.database.transaction() as connection:
        connection.execute(
            text("UPDATE spool_deliveries SET status = 'failed', due = NULL WHERE id = :id"), {"id": delivery}
        )


def _documented() -> list[str]:
    page = (Path(__file__).parents[2] / "docs/operating.md").read_text()
    return [line.strip() for line in page.splitlines() if line.startswith("    ") and "-m bitmail" in line]


@pytest.mark.parametrize("line", _documented())
def test_every_command_of_the_docs_does_what_it_says(
    run: Run, there: Service, tmp_path: Path, line: str
) -> None:
    there.model.accounts.create("ada", PASSWORD)
    (tmp_path / "report.eml").write_bytes(MAIL)
    id = there.container.submit(mail("grace@example.com")).id
    _fail(there, f"{id}-0")
    stdin, _, command = line.rpartition("| ")
    printed = stdin.partition("'")[2].rpartition("'")[0].replace("\\n", "\n").encode()
    words = command.split()[3:]
    words = [id if len(word) == 27 and word.startswith("1a") else word for word in words]
    if words[0] == "doctor":
        words += ["--time-server", "127.0.0.1:1", "--name-server", "127.0.0.1:1"]
    ended = run(*words, stdin=printed)
    nothing_runs = words == ["providers"]
    assert ended.status == (69 if nothing_runs else 0), ended.err
    assert ended.out or words[0] == "send"
