"""`doctor`: what is wrong with this installation, and how to mend it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from bitmail.commands.base import Command, Output, printable
from bitmail.findings import Verdict
from bitmail.settings import Settings
from bitmail.shutdown import ExitStatus

DNS_SECONDS = 5.0


def examine(arguments: Namespace, settings: Settings, out: Output) -> ExitStatus:
    """Examine everything; `CONFIGURATION` when something is bad."""
    import dns.resolver  # here, since every start of the server reads this module

    from bitmail.doctor import Doctor

    resolver = None
    if arguments.name_server:
        host, _, port = arguments.name_server.partition(":")
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = [host], int(port or 53)
        resolver.lifetime = DNS_SECONDS
    findings = []
    for one in Doctor(settings, resolver, arguments.time_server).examine(tuple(arguments.selector)):
        findings.append(one)
        if not out.as_json:
            mend = [f"{'':10}{printable(one.mend)}"] if one.mend else []
            out.value(None, f"{one.verdict:8}  {one.about}: {printable(one.found)}", *mend)
    is_ill = any(one.verdict is Verdict.BAD for one in findings)
    if out.as_json:
        out.value([asdict(one) for one in findings])
    return ExitStatus.CONFIGURATION if is_ill else ExitStatus.OK


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--selector", action="append", default=[], metavar="NAME", help="the name of a DKIM key"
    )
    parser.add_argument("--name-server", metavar="HOST[:PORT]", help="ask this one for DNS records")
    parser.add_argument(
        "--time-server", metavar="HOST:PORT", default="pool.ntp.org:123", help="ask this one the time"
    )


COMMANDS = (Command("doctor", "examine this installation, and say how to mend it", examine, _arguments),)
