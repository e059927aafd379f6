"""The doctor, with a name server and a time server of its own over real sockets."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.message
import dns.name
import dns.rcode
import dns.resolver
import dns.rrset
import pytest

from bitmail.clockcheck import EPOCH, offset
from bitmail.dnsrecords import Records
from bitmail.doctor import Doctor
from bitmail.findings import Finding, Verdict
from bitmail.settings import Settings
from tests.bitmail.conftest import PASSWORD, make_service

GOOD = {
    ("example.com.", "MX"): ["10 mx.example.com."],
    ("example.com.", "TXT"): ['"unrelated"', '"v=spf1 mx include:amazonses.com" " ~all"'],
    ("s1._domainkey.example.com.", "TXT"): ['"v=DKIM1; k=rsa; p=MIGf"'],
    ("_dmarc.example.com.", "TXT"): ['"v=DMARC1; p=reject; rua=mailto:x@example.com"'],
}


@contextmanager
def answering(answer: Callable[[bytes], bytes | None]) -> Iterator[int]:
    """A UDP server; gives its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                asked, whom = listening.recvfrom(4096)
                if not asked:
                    return
                if (said := answer(asked)) is not None:
                    listening.sendto(said, whom)

        thread = threading.Thread(target=serve)
        thread.start()
        port = int(listening.getsockname()[1])
        yield port
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ending:
            ending.sendto(b"", ("127.0.0.1", port))
        thread.join()


@contextmanager
def name_server(zone: dict[tuple[str, str], list[str]]) -> Iterator[dns.resolver.Resolver]:
    def answer(asked: bytes) -> bytes:
        query = dns.message.from_wire(asked)
        question = query.question[0]
        reply = dns.message.make_response(query)
        kind = dns.rdatatype.to_text(question.rdtype)
        records = zone.get((question.name.to_text(), kind))
        if records is not None:
            reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *records))
        elif not any(name == question.name.to_text() for name, _ in zone):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply.to_wire()

    with answering(answer) as port:
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port, resolver.lifetime = ["127.0.0.1"], port, 5.0
        yield resolver


def time_server(ahead: float, **wrong: int) -> Callable[[bytes], bytes]:
    def answer(asked: bytes) -> bytes:
        assert asked[0] == 0x23
        now = time.time() - ahead + EPOCH
        stamp = struct.pack("!II", int(now), int(now % 1 * 2**32))
        echo = wrong.get("echo", 0).to_bytes(8) if "echo" in wrong else asked[40:48]
        return struct.pack("!BB22x", 0x24, wrong.get("stratum", 2)) + echo + stamp + stamp

    return answer


def found(zone: dict[tuple[str, str], list[str]], *selectors: str) -> dict[str, Finding]:
    with name_server(zone) as resolver:
        findings = Records("example.com", resolver).examine(["ses"], selectors)
        return {one.about: one for one in findings}


def test_records_when_all_are_there_then_ok() -> None:
    findings = found(GOOD, "s1")
    assert {one.verdict for one in findings.values()} == {Verdict.OK}, findings
    assert "mx.example.com" in findings["MX"].found


@pytest.mark.parametrize(
    ("record", "texts", "about", "verdict", "said"),
    [
        (("example.com.", "MX"), None, "MX", Verdict.WARNING, "no MX"),
        (("example.com.", "TXT"), None, "SPF", Verdict.BAD, "no SPF"),
        (("example.com.", "TXT"), ['"v=spf1 -all"', '"v=spf1 ~all"'], "SPF", Verdict.BAD, "2 SPF"),
        (("example.com.", "TXT"), ['"v=spf1 include:amazonses.com +all"'], "SPF", Verdict.BAD, "everybody"),
        (("example.com.", "TXT"), ['"v=spf1 mx -all"'], "SPF", Verdict.WARNING, "amazonses.com"),
        (("example.com.", "TXT"), ['"v=spf1 include:amazonses.com ?all"'], "SPF", Verdict.WARNING, "~all"),
        (
            ("example.com.", "TXT"),
            ['"v=spf1' + " include:a.example" * 11 + ' -all"'],
            "SPF",
            Verdict.BAD,
            "11 lookups",
        ),
        (("s1._domainkey.example.com.", "TXT"), None, "DKIM", Verdict.BAD, "no key"),
        (("s1._domainkey.example.com.", "TXT"), ['"v=DKIM1; p="'], "DKIM", Verdict.BAD, "revoked"),
        (("_dmarc.example.com.", "TXT"), None, "DMARC", Verdict.BAD, "no DMARC"),
        (("_dmarc.example.com.", "TXT"), ['"v=DMARC1; p=none"'], "DMARC", Verdict.WARNING, "none"),
        (("_dmarc.example.com.", "TXT"), ['"v=DMARC1; p=maybe"'], "DMARC", Verdict.BAD, "maybe"),
    ],
)
def test_records_when_one_is_wrong_then_that_is_said_with_how_to_mend_it(
    record: tuple[str, str], texts: list[str] | None, about: str, verdict: Verdict, said: str
) -> None:
    zone = {name: those for name, those in GOOD.items() if name != record} | (
        {record: texts} if texts else {}
    )
    findings = found(zone, "s1")
    assert findings[about].verdict is verdict, findings[about]
    assert said in findings[about].found + findings[about].mend
    assert findings[about].mend
    others = {one.verdict for name, one in findings.items() if name != about}
    assert others == {Verdict.OK}, "the others are as they were"


def test_records_when_the_name_server_is_silent_then_unknown() -> None:
    with answering(lambda _: None) as port:
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port, resolver.lifetime = ["127.0.0.1"], port, 0.2
        findings = list(Records("example.com", resolver).examine([], ["s1"]))
    assert {one.verdict for one in findings} == {Verdict.UNKNOWN}


def test_clock_when_it_is_ahead_then_by_how_much() -> None:
    with answering(time_server(40.0)) as port:
        assert offset("127.0.0.1", port) == pytest.approx(40.0, abs=1.0)


@pytest.mark.parametrize("wrong", [{"stratum": 0}, {"echo": 7}])
def test_clock_when_the_answer_is_none_of_ours_then_it_does_not_count(wrong: dict[str, int]) -> None:
    with answering(time_server(40.0, **wrong)) as port, pytest.raises(OSError, match="gave no time"):
        offset("127.0.0.1", port)


def test_doctor_when_something_else_has_the_port_and_the_clock_is_wrong_then_both_are_bad(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, answering(time_server(-9.0)) as clock:
        threading.Thread(target=_be_rude, args=[other], daemon=True).start()
        settings = Settings(
            _env_file=None,  # type: ignore[call-arg]
            var=tmp_path / "var",
            port=other.getsockname()[1],
            providers="smtp://127.0.0.1:1",
        )
        findings = {one.about: one for one in Doctor(settings, None, f"127.0.0.1:{clock}").examine()}
    assert findings["port"].verdict is Verdict.BAD
    assert "9.0 s behind" in findings["clock"].found
    assert findings["clock"].verdict is Verdict.BAD
    assert findings["configuration"].verdict is Verdict.BAD, "nobody can answer to localhost"
    assert findings["provider smtp"].verdict is not Verdict.OK
    assert findings["spool"].verdict is Verdict.WARNING
    assert not (tmp_path / "var").exists(), "it changes nothing"


def test_doctor_when_all_is_well_then_nothing_is_bad(tmp_path: Path) -> None:
    make_service(tmp_path).stop()
    with name_server(GOOD) as resolver, answering(time_server(0.0)) as clock:
        settings = Settings(
            _env_file=None,  # type: ignore[call-arg]
            var=tmp_path,
            port=1,
            domain="example.com",
            providers="loopback",
        )
        findings = list(Doctor(settings, resolver, f"127.0.0.1:{clock}").examine(("s1",)))
    assert not [one for one in findings if one.verdict is Verdict.BAD]
    assert {one.about for one in findings} == {
        *("configuration", "spool", "store", "disk", "port", "clock"),
        *("MX", "SPF", "DKIM", "DMARC", "provider loopback"),
    }


def test_doctor_when_an_operator_has_no_account_then_it_says_how_to_make_it(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    service.model.accounts.create("ada", PASSWORD)
    service.stop()

    def operators(**more: str) -> list[Finding]:
        settings = Settings(_env_file=None, var=tmp_path, port=1, **more)  # type: ignore[call-arg, arg-type]
        findings = Doctor(settings, None, "127.0.0.1:1").examine()
        return [one for one in findings if one.about == "operators"]

    (finding,) = operators(operators="ada grace")
    assert finding.verdict is Verdict.BAD
    assert finding.found.startswith("grace has no account")
    assert not operators(operators="ada")
    assert "invite" in finding.mend


def test_doctor_when_the_database_is_of_a_newer_release_then_it_says_so(tmp_path: Path) -> None:
    from sqlalchemy import text

    service = make_service(tmp_path)
    with service.database.transaction() as connection:
        connection.execute(text("UPDATE mta_version SET version_num = '9999'"))
    service.stop()
    settings = Settings(_env_file=None, var=tmp_path, port=1)  # type: ignore[call-arg]
    findings = {one.about: one for one in Doctor(settings, None, "127.0.0.1:1").examine()}
    assert findings["spool"].verdict is Verdict.BAD
    assert "9999" in findings["spool"].found
    assert findings["store"].verdict is Verdict.OK
    assert findings["clock"].verdict is Verdict.UNKNOWN


def _be_rude(listening: socket.socket) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            connection.sendall(b"220 something else\r\n")
