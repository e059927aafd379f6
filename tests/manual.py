"""A real mail by each provider that is configured, and the question whether it came."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from pathlib import Path

from mta.addresses import Address, BadAddress, parse_address
from mta.configuration import MtaSettings, read_settings
from mta.email import Email
from mta.errors import MtaError
from mta.mime import compose
from mta.outcomes import Outcome
from mta.providers.base import Outgoing, Provider
from mta.providers.catalogue import make_providers
from mta.providers.loopback import LoopBack

Ask = Callable[[str], str]
Say = Callable[[str], None]


def try_providers(ask: Ask, say: Say) -> list[str]:
    """Ask for an address and for where the credentials stand, and send.

    Args:
        ask: puts a question and gives the answer.
        say: says a line.

    Returns:
        The names of the providers whose mail did not come.
    """
    to = _address(ask, say, "Send a real mail to which address (Enter: to none)? ")
    if to is None:
        return []
    sender = _address(ask, say, f"From which address (Enter: {to.email})? ") or to
    file = ask("Credentials from which file (Enter: the environment, or .env)? ").strip()
    if file and not Path(file).is_file():
        say(f"{file}: there is no such file.")
        return ["configuration"]
    try:
        settings = read_settings(MtaSettings, Path(file) if file else None)
        providers = make_providers(settings, lambda _: None)
    except MtaError as error:
        say(str(error))
        return ["configuration"]
    real = [provider for provider in providers if not isinstance(provider, LoopBack)]
    if not real:
        say("No provider is configured that sends mail out.")
    failed = [provider.name for provider in real if not _came(provider, sender, to, ask, say)]
    say(f"Did not come: {', '.join(failed)}." if failed else "All came.")
    return failed


def _came(provider: Provider, sender: Address, to: Address, ask: Ask, say: Say) -> bool:
    say(f"{provider.name}: {provider.check().detail}")
    number = secrets.token_hex(4)
    subject = f"BitMail by {provider.name}: {number}"
    text = f"This mail left BitMail by {provider.name} at {time.strftime('%H:%M:%S')}. Ünïcödé 🚀 is intact."
    email = Email(sender, (to,), subject=subject, text=text, html=f"<p>{text}</p>")
    answer = provider.send(Outgoing(f"manual-{number}", sender.email, to.email, compose(email)))
    provider.close()
    say(f"{provider.name}: {answer.outcome}. {answer.detail}")
    if answer.outcome not in (Outcome.ACCEPTED, Outcome.UNCERTAIN):
        return False
    return ask(f"Did the mail “{subject}” come (y/n)? ").strip().lower().startswith("y")


def _address(ask: Ask, say: Say, question: str) -> Address | None:
    while text := ask(question).strip():
        try:
            return parse_address(text)
        except BadAddress as error:
            say(str(error))
    return None
