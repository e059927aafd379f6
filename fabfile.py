"""The tasks of the project: `./fab` lists them, `./fab TASK` does one."""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from fabric import task

from deploy.tasks import (  # noqa: F401 - Fabric finds them here
    backup,
    deploy,
    deploy_bitlab_servers,
    logs,
    provision,
    releases,
    restore,
    rollback,
    run_restart,
    stage_deploy,
    status,
)

ROOT = Path(__file__).resolve().parent
LOOSE = {"bitmail.py"}
"""What `mypy --strict` is spared: the app itself, put together from a framework that is loosely typed."""


@task
def run(context):
    """Serve BitMail: page, websocket and API."""
    become(["-m", "bitmail"])


@task(help={"python": "the one of the hosts; makes the artefact that a deploy brings to them"})
def build(context, python=""):
    """Build the front end; with --python /usr/bin/python3, the artefact."""
    from bitmail import frontend
    from deploy import artefact
    from deploy.errors import DeployError

    try:
        if python:
            artefact.build(python)
        elif not frontend.build():
            say("The front end is up to date.")
    except (frontend.BuildError, DeployError) as error:
        sys.exit(str(error))


@task(help={"only": 'a part, in the words of pytest: --only tests/store, --only "-k alias -x"'})
def test(context, only=""):  # noqa: PT028 - a task, not a test
    """Check style and types, then run the tests."""
    check("ruff", "check")
    check("ruff", "format", "--check")
    model = sorted(path for path in (ROOT / "bitmail").glob("*.py") if path.name not in LOOSE)
    check("mypy", "--strict", "store", "mta", "deploy", *(str(path.relative_to(ROOT)) for path in model))
    build(context)
    from tests.browser import BrowserError, chromium

    try:
        say(f"The browser for the tests is {chromium(say)}.")
    except BrowserError as error:
        sys.exit(str(error))
    become(["-m", "pytest", *shlex.split(only)])


@task
def test_manual(context):
    """Serve a throwaway BitMail; says what to try."""
    with tempfile.TemporaryDirectory(prefix="bitmail-") as var:
        say("1. Log in with any name and password: the first log-in makes the account.")
        say("2. Compose a mail to a@example.com; b@example.com and send it: Sent shows what becomes of each.")
        say("3. With no provider configured the mail comes back: Inbox shows it, from those it went to.")
        say("4. Log out, and log in again with a wrong password: it is refused.")
        say(f"The database lies in {var} and is removed at the end.")
        settings = os.environ | {"BITMAIL_VAR": var, "BITMAIL_PORT": os.environ.get("BITMAIL_PORT", "0")}
        server = subprocess.Popen([sys.executable, "-m", "bitmail"], cwd=ROOT, env=settings)
        while server.returncode is None:
            try:
                server.wait()
            except KeyboardInterrupt:
                continue
    sys.exit(server.returncode)


@task(positional=["name"])
def bench(context, name):
    """Measure NAME; without a name, list what there is."""
    names = sorted(path.stem for path in (ROOT / "bench").glob("*.py") if path.stem != "__init__")
    if name in names:
        become(["-m", f"bench.{name}"])
    if name:
        sys.exit(f"There is no bench {name}. There are: {', '.join(names) or 'none yet'}.")
    say("\n".join(names) or "There is nothing to measure yet.")


def become(arguments):
    """Go on as another Python program, so that its output, signals and exit status are its own."""
    sys.stdout.flush()
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - no shell is wanted


def check(tool, *arguments):
    """Run a tool over the project; stop here if it finds fault."""
    say(" ".join([tool, *arguments]))
    ended = subprocess.run([sys.executable, "-m", tool, *arguments], cwd=ROOT)  # noqa: S603
    if ended.returncode != 0:
        sys.exit(ended.returncode)


def say(line):
    """Show a line at once."""
    print(line, flush=True)
