"""The tasks of the project: `./fab` lists them, `./fab TASK` does one."""

import os
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
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
CODE = ("bitmail", "mta", "store", "deploy", "fabfile.py")
LOOSE = {"bitmail.py"}
"""What `mypy --strict` is spared: the app itself, put together from a framework that is loosely typed."""


@task
def run(context):
    """Serve BitMail: page, websocket and API."""
    become(["-m", "bitmail"])


@task(help={"python": "the one of the hosts; makes the artefact that a deploy brings to them"})
def build(context, python=""):
    """Build the front end; with --python, a release."""
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


@task
def messages(context):
    """Bring the catalogues of the web-mail's languages up to date with its sources."""
    with tempfile.TemporaryDirectory() as folder:
        template = f"{folder}/bitmail.pot"
        found = [
            "-F",
            "babel.cfg",
            "-k",
            "N_",
            "--add-location=file",
            "--no-wrap",
            "--sort-by-file",
            "--omit-header",
        ]
        run_module("babel.messages.frontend", "-q", "extract", *found, "-o", template, "bitmail")
        kept = ["--no-wrap", "--no-fuzzy-matching", "--ignore-obsolete", "--ignore-pot-creation-date"]
        run_module(
            "babel.messages.frontend",
            "-q",
            "update",
            *kept,
            "-D",
            "bitmail",
            "-i",
            template,
            "-d",
            "bitmail/locale",
        )


@task
def lock(context):
    """Pin what servers get, with hashes, to what is installed here."""
    from deploy import lock
    from deploy.errors import DeployError

    try:
        lock.make()
    except DeployError as error:
        sys.exit(str(error))


@task(
    help={
        "seconds": "in all, or of the one parser",
        "only": "one parser: "
        + ", ".join(path.stem for path in sorted((ROOT / "tests/fuzz/seeds").glob("*"))),
    }
)
def fuzz(context, seconds=600, only=""):
    """Let atheris look for inputs that break a parser, and the property tests for new examples.

    What atheris finds lies in var/fuzz.
    """
    from tests.fuzz.harnesses import NAMES

    if only and only not in NAMES:
        sys.exit(f"There is no parser {only}. There are: {', '.join(NAMES)}.")
    for name in [only] if only else NAMES:
        say(name)
        run_module("tests.fuzz", name, str(int(seconds) // (1 if only else len(NAMES))))
    if not only:
        say("property tests")
        run_module("pytest", "-q", "-m", "hypothesis", "--hypothesis-profile", "default")


@task
def audit(context):
    """Look for known weaknesses in packages and for doubtful lines in the code; asks the package index."""
    run_module("bandit", "--quiet", "--configfile", "pyproject.toml", "--recursive", *CODE)
    run_module(
        "pip_audit", "--strict", "--require-hashes", "--disable-pip", "--requirement", "requirements.lock"
    )


@task
def sabotage(context):
    """Take each defence away, and see that the test named in SECURITY.md fails; takes minutes."""
    run_module("tests.sabotage")


@task(help={"only": 'a part, in the words of pytest: --only tests/store, --only "-k alias -x"'})
def test(context, only=""):  # noqa: PT028 - a task, not a test
    """Check style and types, then run the tests; those that deploy make themselves hosts, as root."""
    check("ruff", "check")
    check("ruff", "format", "--check")
    model = sorted(path for path in (ROOT / "bitmail").glob("*.py") if path.name not in LOOSE)
    tiers = ("store", "mta", "deploy", "bitmail/commands", "bitmail/api")
    with ThreadPoolExecutor(1) as beside:
        types = beside.submit(
            check, "mypy", "--strict", *tiers, *(str(one.relative_to(ROOT)) for one in model)
        )
        build(context)
        types.result()
    from tests.browser import BrowserError, chromium

    try:
        say(f"The browser for the tests is {chromium(say)}.")
    except BrowserError as error:
        sys.exit(str(error))
    become(
        ["-m", "pytest", *(shlex.split(only) or ["-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"])]
    )


@task
def test_manual(context):
    """Send a real mail by each provider, if you like; then serve a throwaway BitMail and say what to try."""
    from tests.manual import try_providers

    failed = try_providers(input, say) if sys.stdin.isatty() else []
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
    sys.exit(server.returncode or int(bool(failed)))


@task(
    help={
        "rounds": "how many kills",
        "seed": "of what is left to chance, to repeat it",
        "database": "sqlite, postgresql or both",
    }
)
def chaos(context, rounds=200, seed=None, database="both"):
    """Kill processes at random moments under load, and see that no mail is lost or sent twice."""
    build(context)
    words = ["--rounds", str(rounds), "--database", database]
    become(["-m", "tests.chaos", *words, *(["--seed", str(seed)] if seed is not None else [])])


@task(positional=["names"])
def bench(context, names):
    """Measure NAMES, one after the other; without a name, list what there is."""
    modules = (ROOT / "bench").glob("*.py")
    there = sorted(path.stem for path in modules if path.read_text().startswith('"""`python -m'))
    wanted = names.split()
    unknown = [name for name in wanted if name not in there]
    if unknown:
        sys.exit(
            f"There is no bench {' and no '.join(unknown)}. There are: {', '.join(there) or 'none yet'}."
        )
    for name in wanted:
        run_module(f"bench.{name}")
    if not wanted:
        say("\n".join(there) or "There is nothing to measure yet.")


@task
def reference(context):
    """Write docs/configuration.md anew from the code."""
    become(["-m", "bitmail.reference"])


@task
def screenshots(context):
    """Take pictures of every page into docs/pictures."""
    build(context)
    become(["-m", "tests.screenshots"])


@task(help={"keys": "the file to write (keys.sealed)"})
def seal_keys(context, keys="keys.sealed"):
    """Seal the secrets of .env by a start-up passphrase."""
    from getpass import getpass

    from dotenv import dotenv_values

    from bitmail.settings import Settings
    from mta.configuration import variables
    from mta.sealing import SealError, seal

    names = {name for variable in variables(Settings) if variable.is_secret for name in variable.names}
    lines = (ROOT / ".env").read_text().splitlines() if (ROOT / ".env").is_file() else []
    secrets = {name: value for name, value in dotenv_values(ROOT / ".env").items() if name in names and value}
    if not secrets:
        sys.exit("There is no secret in .env. Write them there first, one NAME=value a line, then seal them.")
    say(f"To be sealed: {', '.join(sorted(secrets))}.")
    passphrase = getpass("Passphrase: ")
    if passphrase != getpass("The same again: "):
        sys.exit("These were two different passphrases. Nothing was changed.")
    try:
        content = seal(secrets, passphrase)
    except SealError as error:
        sys.exit(str(error))
    with open(os.open(ROOT / keys, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    say(f"They are in {keys} now, and are asked for by their passphrase at the next start.")
    if input("Take them out of .env? (yes/no) ").strip().lower() == "yes":
        kept = [
            line for line in lines if line.partition("=")[0].removeprefix("export ").strip() not in secrets
        ]
        (ROOT / ".env").write_text("\n".join(kept) + "\n")
        say(
            "Taken out. What was on the disk before may be read until it is overwritten: better take new keys."
        )


def become(arguments):
    """Go on as another Python program, so that its output, signals and exit status are its own."""
    sys.stdout.flush()
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - no shell is wanted


def check(tool, *arguments):
    """Run a tool over the project; stop here if it finds fault."""
    say(" ".join([tool, *arguments]))
    run_module(tool, *arguments)


def run_module(module, *arguments):
    """Run a Python module to its end; stop here if it fails."""
    ended = subprocess.run([sys.executable, "-m", module, *arguments], cwd=ROOT)  # noqa: S603
    if ended.returncode != 0:
        sys.exit(ended.returncode)


def say(line):
    """Show a line at once."""
    print(line, flush=True)
