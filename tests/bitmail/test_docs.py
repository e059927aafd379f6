"""What the pages under docs tell one to type does what they say; pages with longer stories have tests of their own."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

import fabfile
from bitmail.caller import signed
from bitmail.service import Service
from bitmail.settings import Settings
from mta.configuration import MtaSettings, variables
from mta.outcomes import Status
from mta.providers.catalogue import make_providers
from mta.scheduler import make_scheduler
from tests.bitmail.conftest import PASSWORD, listening

ROOT = Path(__file__).parents[2]
PAGES = {path.name: path.read_text() for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}
ELSEWHERE = {
    "README.md": "tests/e2e/test_readme.py",
    "api.md": "tests/bitmail/test_api_docs.py",
    "container.md": "tests/mta/test_server.py",
    "deploy.md": "tests/deploy/test_word_by_word.py",
    "operating.md": "tests/bitmail/test_commands.py",
    "store.md": "tests/store/test_docs.py",
}
"""Pages whose commands are run by tests of their own."""
HERE = {"architecture.md", "hooks.md", "providers.md", "webhooks.md"}
STARTS = re.compile(r"\b(curl|swaks|printf|openssl|session=|pybabel|python3? -m|\.?/?fab) ")
"""How a line begins that is typed."""
FOREIGN = {"BITMAIL_SPECS"}


def blocks(page: str) -> list[str]:
    """What stands by itself on a page: indented, or in a fence."""
    text = PAGES[page]
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    bare = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return [*fenced, *re.findall(r"(?:^    .*\n)+", bare, re.MULTILINE)]


def calls(page: str) -> list[str]:
    """The commands of a page that call the API, each whole."""
    joined = "\n".join(blocks(page)).replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if line.strip().startswith("curl ")]


def test_every_page_with_something_to_type_is_run_by_a_test() -> None:
    typed = {page for page in PAGES if any(STARTS.search(block) for block in blocks(page))}
    assert typed <= ELSEWHERE.keys() | HERE
    for test in ELSEWHERE.values():
        assert (ROOT / test).is_file()


def test_every_task_and_bench_that_a_page_names_is_there() -> None:
    benches = {path.stem for path in (ROOT / "bench").glob("*.py")}
    for page, text in PAGES.items():
        for task in re.findall(r"\./fab ([a-z_]+)", text):
            assert task in vars(fabfile), (page, task)
        for names in re.findall(r"\./fab bench ([a-z ]+)`", text):
            assert set(names.split()) <= benches, (page, names)


def test_every_setting_that_a_page_names_is_one() -> None:
    known = {name for variable in variables(Settings) for name in variable.names}
    for page, text in PAGES.items():
        named = set(re.findall(r"\bBITMAIL_[A-Z_]*[A-Z]\b", text)) - FOREIGN
        assert named <= known, (page, named - known)


def _run(command: str, url: str, session: str) -> subprocess.CompletedProcess[str]:
    command = command.replace("localhost:3000", url).replace("curl ", "curl -sS -w '\\n%{http_code}' ", 1)
    return subprocess.run(
        ["sh", "-ec", command],
        env=os.environ | {"session": session},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def test_webhooks_are_made_tested_and_removed_as_the_page_says(service: Service) -> None:
    session = service.model.log_in("ada", PASSWORD)[1]
    make, show, try_out, switch_on, remove = calls("webhooks.md")
    with listening(service) as url:
        made, status = _run(make, url, session).stdout.rsplit("\n", 1)
        assert status == "201"
        given = json.loads(made)
        assert given["secret"].startswith("whsec_")
        (webhook,) = service.model.webhooks.of("ada")
        assert webhook.statuses == {Status.DELIVERED, Status.BOUNCED, Status.FAILED}
        assert (
            json.loads(_run(show, url, session).stdout.rsplit("\n", 1)[0])["webhooks"][0]["id"] == webhook.id
        )
        # Nobody listens at the address of the page; that no other than it is called is shown elsewhere.
        service.store.update_by_id(webhook.id, {"url": "http://127.0.0.1:9/hook"})
        tested, status = _run(try_out.replace("/ID", f"/{webhook.id}"), url, session).stdout.rsplit("\n", 1)
        assert (json.loads(tested)["taken"], status) == (False, "200")
        assert _run(switch_on.replace("/ID", f"/{webhook.id}"), url, session).stdout == "\n204"
        assert _run(remove.replace("/ID", f"/{webhook.id}"), url, session).stdout == "\n204"
    assert service.model.webhooks.of("ada") == []


def test_a_receiver_verifies_as_the_page_says() -> None:
    snippet = "".join(
        block for block in blocks("webhooks.md") if "import Webhook" in block or "told =" in block
    )
    (shown,) = (block for block in blocks("webhooks.md") if '"type": "delivery' in block)
    body = " ".join(shown.split())
    secret, raw = "whsec_" + "A" * 43 + "=", body.encode()
    key = base64.b64decode(secret.removeprefix("whsec_"))
    headers = signed(key, json.loads(body)["id"], int(time.time()), raw)
    names: dict[str, Any] = {"secret": secret, "raw_body": raw, "headers": headers}
    exec(textwrap.dedent(snippet), names)
    assert names["told"]["data"]["recipient"] == "bob@example.com"


def test_suppressions_are_listed_and_lifted_as_the_page_says(service: Service) -> None:
    session = service.model.log_in("ada", PASSWORD)[1]
    service.model.suppressions.add("ada", "bob@example.com", Status.BOUNCED, "No such user.")
    show, lift = calls("hooks.md")
    with listening(service) as url:
        assert "bob@example.com" in _run(show, url, session).stdout
        assert _run(lift, url, session).stdout.endswith("204")
    assert service.model.suppressions.page("ada") == []


def test_the_list_of_providers_is_read_as_the_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "MAILGUN_API_KEY", "SENDGRID_API_KEY"):
        monkeypatch.setenv(name, "x" * 20)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("MAILGUN_DOMAIN", "mg.example.com")
    (line,) = (block for block in blocks("providers.md") if "BITMAIL_PROVIDERS" in block)
    listed = re.findall(r'BITMAIL_PROVIDERS="(.*)"', line)
    settings = MtaSettings(_env_file=None, providers=listed[0])  # type: ignore[call-arg]
    made = make_providers(settings, lambda mail: None)
    assert [one.name for one in made] == ["ses", "mailgun", "sendgrid", "smtp"]
    assert (made[0].options.rate, made[1].options.weight) == (14, 2)


def test_a_scheduler_of_ones_own_is_added_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (module,) = (block for block in blocks("architecture.md") if "class Cheapest" in block)
    (tmp_path / "cheapest.py").write_text(module)
    monkeypatch.syspath_prepend(str(tmp_path))
    (start,) = (block for block in blocks("architecture.md") if "BITMAIL_SCHEDULER" in block)
    name = start.split()[0].partition("=")[2]
    assert make_scheduler(name).pick(["one", "other"]) == "one"  # type: ignore[list-item, comparison-overlap]
    monkeypatch.delitem(sys.modules, "cheapest")


def test_what_prometheus_is_told_is_a_configuration_and_a_line_of_the_log_is_json() -> None:
    (scrape,) = (block for block in blocks("operating.md") if "scrape_configs" in block)
    (job,) = yaml.safe_load(scrape)["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["127.0.0.1:3000"]}]
    (line,) = (block for block in blocks("operating.md") if '"logger"' in block)
    assert json.loads(line)["provider"] == "first"


def test_a_catalogue_is_begun_as_the_page_says(tmp_path: Path) -> None:
    assert "(`pybabel init`)" in PAGES["languages.md"]
    extract = ["extract", "-F", "babel.cfg", "-k", "N_", "-o", str(tmp_path / "bitmail.pot"), "bitmail"]
    begin = ["init", "-D", "bitmail", "-l", "de", "-i", str(tmp_path / "bitmail.pot"), "-d", str(tmp_path)]
    for words in (extract, begin):
        subprocess.run([sys.executable, "-m", "babel.messages.frontend", "-q", *words], cwd=ROOT, check=True)
    assert 'msgid "Inbox"' in (tmp_path / "de/LC_MESSAGES/bitmail.po").read_text()
