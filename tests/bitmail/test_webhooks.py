"""People's webhooks, called over real sockets; what they are told is checked by Standard Webhooks' own library."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

import mta.calls
from bitmail import caller
from bitmail.audit import Action
from bitmail.caller import Caller
from bitmail.current import serving
from bitmail.drafts import Draft, new_key
from bitmail.errors import Unsendable
from bitmail.mailboxes import MailboxName
from bitmail.outward import is_public
from bitmail.service import Service
from bitmail.state.arrival import ArrivalState
from bitmail.state.settings import SettingsState
from bitmail.tokens import Scope
from bitmail.webhooks import MOST, PATIENCE, Webhook
from mta.hooks.call import DeliveryReport
from mta.outcomes import Status
from mta.settings import Backoff
from tests.bitmail.conftest import PASSWORD, logged_in, make_service
from tests.bitmail.test_controller import browser, merged
from tests.fakes.certificates import Certificate, make_certificate
from tests.fakes.http import FakeService, Reply, Request, reply
from tests.fakes.smtp import Act
from tests.mta.scripted import wait_until

Api = Callable[[], httpx.AsyncClient]


class Receiver(FakeService):
    """Takes what it is told, and hears only what is signed with its secret."""

    secret = ""

    def answer(self, request: Request) -> Reply:
        self.accepted.append(Verifier(self.secret).verify(request.body, dict(request.headers)))
        return reply(200, b"x" * 300_000)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service whose container sends by loopback, and that may call this host."""
    service = make_service(tmp_path / "var", webhooks_to_loopback="on")
    service.start()
    for name in ("ada", "eve"):
        service.model.log_in(name, PASSWORD)
    with serving(service):
        yield service
    service.stop()


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Service]:
    """A service that is not started: nothing is sent, and nobody is called but by the test's own caller."""
    service = make_service(tmp_path / "alone", webhooks_to_loopback="on")
    yield service
    service.stop()


@pytest.fixture
def calling(alone: Service) -> Iterator[Callable[..., Caller]]:
    """Starts callers on a service that is not started."""
    callers: list[Caller] = []
    off: list[tuple[Webhook, str]] = []

    def start(**options: Any) -> Caller:
        model = alone.model
        given = {"to_loopback": True, **options}
        callers.append(Caller(alone.container.calls, model.webhooks, lambda *told: off.append(told), **given))
        callers[-1].start()
        return callers[-1]

    yield start
    for one in callers:
        one.stop(10)


def send(service: Service, *, user: str = "ada", to: str = "bob@example.com") -> str:
    """A submission of this person's."""
    model = service.model
    return model.outbox.send(model.accounts.account(user), Draft(new_key(), to=to)).submission.id


def cancelled(service: Service, count: int = 1) -> None:
    """So many calls that wait, of mails that nobody sends."""
    for _ in range(count):
        service.container.cancel(send(service))


def subscribe(service: Service, receiver: FakeService, **more: Any) -> int:
    """A webhook of ada's that leads to a receiver."""
    made, secret = service.model.make_webhook("ada", f"{receiver.url}/hook?of=ada", **more)
    if isinstance(receiver, Receiver):
        receiver.secret = secret
    return made.id


def test_what_becomes_of_a_mail_is_told_signed_with_all_that_identifies_it(
    service: Service, receiver: Receiver
) -> None:
    subscribe(service, receiver)
    begun = time.time()
    submission = send(service)
    wait_until(lambda: len(receiver.accepted) == 1)
    (delivery,) = service.model.submission("ada", submission).deliveries
    service.container.take_reports(
        [
            DeliveryReport(
                "r1", "loopback", delivery.id, "bob@example.com", Status.BOUNCED, "550 5.1.1 no", time.time()
            )
        ]
    )
    service.container.settle_reports()
    wait_until(lambda: len(receiver.accepted) == 2)
    sent, bounced = receiver.accepted
    assert sent["type"] == "delivery.sent"
    assert sent["data"]["words"] == "loopback took it."
    assert bounced["type"] == "delivery.bounced"
    assert bounced["data"] == {
        "submission": submission,
        "delivery": delivery.id,
        "recipient": "bob@example.com",
        "status": "bounced",
        "provider": "loopback",
        "words": "The receiving server says that this mailbox does not exist.",
    }
    assert sent["id"] != bounced["id"]
    for request, told in zip(receiver.requests, receiver.accepted, strict=True):
        assert (request.method, request.path) == ("POST", "/hook?of=ada")
        assert request.headers["webhook-id"] == told["id"]
        assert request.headers["content-type"] == "application/json"
        assert begun - 1 <= int(request.headers["webhook-timestamp"]) <= time.time()
        assert begun - 1 <= datetime.fromisoformat(told["timestamp"]).timestamp() <= time.time()
        with pytest.raises(WebhookVerificationError):
            Verifier(receiver.secret).verify(request.body + b" ", dict(request.headers))
    assert service.container.calls.waiting(1) == 0


def test_nobody_is_told_of_anothers_mail_or_of_what_he_did_not_ask_for(
    service: Service, receiver: Receiver
) -> None:
    subscribe(service, receiver, statuses=[Status.FAILED, Status.CANCELLED])
    send(service, user="eve", to="x@example.com")
    model, first = service.model, send(service)
    wait_until(lambda: model.submission("ada", first).deliveries[0].status is Status.SENT)
    later = model.outbox.send(
        model.accounts.account("ada"), Draft(new_key(), to="c@example.com"), not_before=time.time() + 25
    )
    service.container.cancel(later.submission.id)
    wait_until(lambda: bool(receiver.accepted))
    assert {one["data"]["recipient"] for one in receiver.accepted} == {"c@example.com"}


def has_come(service: Service, receiver: Receiver, requests: int, error: str) -> bool:
    return len(receiver.requests) == requests and service.model.webhooks.of("ada")[0].error == error


def test_a_call_that_is_not_taken_is_made_again_with_its_id_and_survives_a_restart(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caller, "POLL", 0.05)
    monkeypatch.setattr(mta.calls, "BACKOFF", Backoff(first=2.0, most=2.0))
    receiver.script.extend([reply(500), reply(404), reply(302, Location="http://127.0.0.1:1/")])
    for boot, said in enumerate(
        (
            "It answered 500.",
            "It answered 404.",
            "It answered 302. Redirects are not followed.",
            *("", ""),
        )
    ):
        service = make_service(tmp_path, webhooks_to_loopback="on")
        if boot == 0:
            subscribe(service, receiver)
            cancelled(service)
        one = Caller(service.container.calls, service.model.webhooks, print, to_loopback=True)
        one.start()
        try:
            wait_until(partial(has_come, service, receiver, min(boot + 1, 4), said))
        finally:
            one.stop(10)
            service.stop()
    assert len(receiver.accepted) == 1
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    assert [json.loads(request.body)["id"] for request in receiver.requests] == [
        receiver.accepted[0]["id"]
    ] * 4


def test_several_processes_tell_each_call_once(alone: Service, receiver: Receiver, tmp_path: Path) -> None:
    webhook = subscribe(alone, receiver)
    cancelled(alone, 150)
    others = [make_service(tmp_path / "alone", webhooks_to_loopback="on") for _ in range(2)]
    callers = [
        Caller(one.container.calls, one.model.webhooks, print, to_loopback=True) for one in [alone, *others]
    ]
    for one in callers:
        one.start()
    wait_until(lambda: alone.container.calls.waiting(webhook) == 0)
    for one in callers:
        one.stop(10)
    for service in others:
        service.stop()
    assert len(receiver.accepted) == len({one["id"] for one in receiver.accepted}) == 150


def test_a_receiver_that_hangs_keeps_no_other_waiting_and_is_given_up_in_time(
    alone: Service, receiver: Receiver, calling: Callable[..., Caller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caller, "SECONDS", 1.0)
    with Receiver(*[Act("hang")] * 4) as hanging:
        slow = subscribe(alone, hanging)
        subscribe(alone, receiver)
        cancelled(alone, 60)
        calling()
        wait_until(lambda: len(receiver.accepted) == 60)
        wait_until(lambda: alone.model.webhooks.find(slow).error != "")  # type: ignore[union-attr]
        assert len(hanging.requests) == 4, "the others wait until one is taken"
    webhook = alone.model.webhooks.find(slow)
    assert webhook is not None
    assert webhook.error == "It did not answer within 1 seconds."
    assert alone.container.calls.waiting(slow) == 60


def test_a_webhook_that_fails_for_days_or_says_that_it_is_gone_is_switched_off_and_its_owner_told(
    service: Service, receiver: Receiver
) -> None:
    model = service.model
    receiver.script.extend([reply(500), reply(410)])
    for lasting in (True, False):
        id = subscribe(service, receiver)
        if lasting:
            service.store.update_by_id(id, {"failing_since": repr(time.time() - PATIENCE - 1)})
        send(service)
        wait_until(lambda id=id: model.webhooks.find(id).is_off)  # type: ignore[misc, union-attr]
        later = send(service)
        wait_until(lambda: any("switched off" in one.text for one in model.notices("ada")))
        wait_until(lambda later=later: _is_sent(service, later))  # type: ignore[misc]
    texts = [one.text for one in model.notices("ada") if "switched off" in one.text]
    assert [text.rpartition("off. ")[2] for text in texts] == [
        "It answered 500.",
        "It answered 410: it wants no more calls.",
    ]
    inbox = model.mailboxes.page("ada", MailboxName.INBOX).mails
    told = [mail for mail in inbox if mail.subject == "Your webhook at 127.0.0.1 is switched off"]
    assert len(told) == 2
    assert f"{receiver.url}/hook?of=ada" in model.mailboxes.content("ada", told[0].id).text
    assert len(receiver.requests) == 2


def test_a_webhook_that_was_switched_off_is_told_again_once_it_is_switched_on(
    service: Service, receiver: Receiver
) -> None:
    model = service.model
    id = subscribe(service, receiver, statuses=[Status.SENT])
    for times in (1, 2):
        receiver.script.append(reply(410))
        send(service)
        wait_until(lambda: model.webhooks.find(id).is_off)  # type: ignore[union-attr]
        told = "Your webhook at 127.0.0.1 is switched off"
        inbox = model.mailboxes.page("ada", MailboxName.INBOX).mails
        assert len([mail for mail in inbox if mail.subject == told]) == times
        assert not model.switch_on_webhook("eve", id)
        # The process that switched it off lets it go right after it said so.
        wait_until(lambda said=f"off_total {times}.0": said in service.metrics.text().decode())  # type: ignore[misc]
        assert model.switch_on_webhook("ada", id)
        assert model.switch_on_webhook("ada", id)
        webhook = model.webhooks.find(id)
        assert webhook is not None
        assert (webhook.is_off, webhook.error, webhook.failing_since) == (False, "", 0)
    submission = send(service)
    wait_until(lambda: [one["data"]["submission"] for one in receiver.accepted] == [submission])
    assert not model.switch_on_webhook("ada", id + 1000)
    wait_until(lambda: 'calls_total{outcome="taken"} 1.0' in service.metrics.text().decode())
    assert 'calls_total{outcome="failed"} 2.0' in service.metrics.text().decode()


def test_calls_that_wait_are_counted(alone: Service, receiver: Receiver) -> None:
    subscribe(alone, receiver)
    cancelled(alone, 3)
    assert "bitmail_webhook_calls_waiting 3.0" in alone.metrics.text().decode()


def test_a_test_is_signed_and_what_it_comes_to_changes_nothing(service: Service, receiver: Receiver) -> None:
    webhook = service.model.webhooks.find(subscribe(service, receiver))
    assert webhook is not None
    assert asyncio.run(service.caller.try_out(webhook)).reason == ""
    (told,) = receiver.accepted
    assert (told["type"], told["data"]) == ("webhook.test", {})
    assert receiver.requests[0].headers["webhook-id"] == told["id"]
    receiver.script.append(reply(410))
    assert "410" in asyncio.run(service.caller.try_out(webhook)).reason
    assert service.model.webhooks.find(webhook.id) == webhook


def test_a_test_where_nobody_calls_says_so(alone: Service, receiver: Receiver) -> None:
    webhook = alone.model.webhooks.find(subscribe(alone, receiver))
    assert webhook is not None
    assert "Try again" in asyncio.run(alone.caller.try_out(webhook)).reason
    assert receiver.requests == []


def test_the_page_sends_a_test_and_switches_on(service: Service, receiver: Receiver) -> None:
    id = subscribe(service, receiver)
    webhook = service.model.webhooks.find(id)
    assert webhook is not None
    service.model.webhooks.switch_off(webhook, "It answered 500.")
    receiver.script.append(reply(500))

    async def calls(name: str) -> list[dict[str, Any]]:
        secret = service.model.log_in(name, PASSWORD)[1]
        async with browser(secret, "/settings") as call:
            deltas = [await call(ArrivalState, "at_settings")]
            for handler in ("test_webhook", "test_webhook", "switch_on_webhook"):
                deltas.append(await call(SettingsState, handler, id=id))
            return [merged(one, SettingsState) for one in deltas]

    strangers = asyncio.run(calls("eve"))
    assert not any(one.get("test_said") or one.get("webhooks") for one in strangers)
    assert receiver.requests == []
    opened, failed, taken, on = asyncio.run(calls("ada"))
    assert [row.is_off for row in opened["webhooks"]] == [True]
    assert failed["test_said"] == "The test was not taken. It answered 500."
    assert failed["test_failed"]
    assert taken["test_said"] == "The test was taken."
    assert [row.is_off for row in on["webhooks"]] == [False]
    assert Action.WEBHOOK_ON in [record.action for record in service.model.audit.page("ada")]


def _is_sent(service: Service, submission: str) -> bool:
    return all(one.status is Status.SENT for one in service.model.submission("ada", submission).deliveries)


def test_a_spool_that_does_not_know_a_webhook_learns_of_it_before_a_mail_is_submitted(
    alone: Service, receiver: Receiver
) -> None:
    id = subscribe(alone, receiver)
    alone.container.calls.unsubscribe(id)  # as on the spool of another host
    cancelled(alone)
    assert alone.container.calls.waiting(id) == 1


def test_a_deleted_account_tells_nobody_anything(alone: Service, receiver: Receiver) -> None:
    alone.model.log_in("ada", PASSWORD)
    id = subscribe(alone, receiver)
    cancelled(alone)
    alone.model.departure.delete("ada")
    one = Caller(alone.container.calls, alone.model.webhooks, print, to_loopback=True)
    one.start()
    wait_until(lambda: alone.container.calls.waiting(id) == 0)
    one.stop(10)
    assert receiver.connections == 0


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "172.16.5.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "::", "::1", "fe80::1"),
        *("fe80::1%lo", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "::ffff:127.0.0.1", "::7f00:1"),
        *("64:ff9b::a00:1", "2002:7f00:1::", "2001:db8::1", "2001:0:0:0::1"),
    ],
)
def test_an_address_that_is_not_in_the_open_net_is_not_outside(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450::1"])
def test_an_address_in_the_open_net_is_outside(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("private", [["127.0.0.1"], ["10.255.255.1", "::1"], ["::ffff:127.0.0.1"]])
def test_a_name_that_leads_inside_is_not_connected_to_whatever_it_led_to_before(
    alone: Service, calling: Callable[..., Caller], private: list[str]
) -> None:
    with Receiver() as inside:
        url = f"https://hooks.example.com:{inside.port}/"
        made, _ = alone.model.make_webhook("ada", url)
        cancelled(alone)
        calling(to_loopback=False, resolve=lambda *_: private)
        wait_until(lambda: alone.model.webhooks.find(made.id).error != "")  # type: ignore[union-attr]
        assert inside.connections == 0
    webhook = alone.model.webhooks.find(made.id)
    assert webhook is not None
    assert webhook.error == "Its name leads to no address in the open net, and others are not called."


def test_a_name_is_looked_up_once_and_what_is_called_is_what_it_led_to_then_by_tls(
    alone: Service, calling: Callable[..., Caller], certificate: Certificate
) -> None:
    looks: list[tuple[str, int]] = []

    def resolve(host: str, port: int) -> list[str]:
        looks.append((host, port))
        return ["10.0.0.1", "127.0.0.1"] if len(looks) == 1 else ["10.0.0.1"]

    trust = ssl.create_default_context(cafile=certificate.ca)
    trust.check_hostname = False
    with Receiver(tls=certificate.server) as receiver:
        made, secret = alone.model.make_webhook("ada", f"https://hooks.example.com:{receiver.port}/x")
        receiver.secret = secret
        cancelled(alone)
        calling(resolve=resolve, trust=trust)
        wait_until(lambda: len(receiver.accepted) == 1)
        assert receiver.requests[0].headers["host"] == f"hooks.example.com:{receiver.port}"
    assert looks == [("hooks.example.com", receiver.port)]
    assert alone.model.webhooks.of("ada")[0].id == made.id


@pytest.mark.parametrize("trusts", [True, False])
def test_a_certificate_that_is_for_another_name_or_of_nobody_known_is_not_called(
    alone: Service, calling: Callable[..., Caller], certificate: Certificate, trusts: bool
) -> None:
    trust = ssl.create_default_context(cafile=certificate.ca) if trusts else None
    with Receiver(tls=certificate.server) as receiver:
        made, _ = alone.model.make_webhook("ada", f"https://hooks.example.com:{receiver.port}/x")
        cancelled(alone)
        calling(resolve=lambda *_: ["127.0.0.1"], trust=trust)
        wait_until(lambda: alone.model.webhooks.find(made.id).error != "")  # type: ignore[union-attr]
        assert receiver.requests == []
    assert "certificate is not to be trusted" in alone.model.webhooks.of("ada")[0].error


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (Act("cut", b"HTTP/1.1 20"), "It closed the connection without an answer of HTTP."),
        (Act("cut", b"SSH-2.0-OpenSSH_9.2\r\n"), "It closed the connection without an answer of HTTP."),
        (Act("reset"), "It closed the connection without an answer of HTTP."),
        (reply(503, Retry_After="120"), "It answered 503."),
    ],
)
def test_whatever_a_receiver_does_instead_is_a_failure_with_words(
    alone: Service, calling: Callable[..., Caller], line: Any, reason: str
) -> None:
    with Receiver(line) as receiver:
        id = subscribe(alone, receiver)
        cancelled(alone)
        calling()
        wait_until(lambda: alone.model.webhooks.of("ada")[0].error == reason)
        assert alone.container.calls.waiting(id) == 1
        soon = time.time() + (100 if isinstance(line, Reply) else 6)
        assert alone.container.calls.is_due(soon) == (not isinstance(line, Reply))


def test_a_receiver_that_is_not_there_is_a_failure_with_words(
    alone: Service, calling: Callable[..., Caller]
) -> None:
    with Receiver() as receiver:
        pass
    subscribe(alone, receiver)
    cancelled(alone)
    calling()
    wait_until(lambda: alone.model.webhooks.of("ada")[0].error.startswith("It could not be connected to"))


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.com/", "ftp://example.com/", "example.com", "", "https://", "https:///x", "//x"),
        *("https://127.0.0.1/", "https://[::1]/", "https://localhost/", "https://10.0.0.8/x", "https://[x/"),
        *("https://ada:word@example.com/", "https://example.com/#here", "https://example.com:99999/"),
        *(
            "https://exa mple.com/",
            "https://example.com/\nX: y",
            "https://\u00fc.example/",
            "https://x/" + "y" * 2000,
        ),
    ],
)
def test_an_address_that_cannot_be_called_is_refused_beside_its_field(tmp_path: Path, url: str) -> None:
    service = make_service(tmp_path)
    try:
        with pytest.raises(Unsendable) as refused:
            service.model.make_webhook("ada", url)
        assert [error.field for error in refused.value.errors] == ["url"]
        assert service.model.webhooks.of("ada") == []
    finally:
        service.stop()


def test_the_api_makes_lists_and_removes_webhooks_for_who_may(service: Service) -> None:
    from bitmail import frontend
    from bitmail.api import api
    from bitmail.shield import Shield

    app = Shield(api(), frontend.CLIENT, (), service.secret)

    def client() -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mail.test")

    async def calls() -> None:
        async with logged_in(client()) as ada, logged_in(client(), "eve") as eve:
            made = await ada.post("/api/webhooks", json={"url": "https://example.com/a"})
            assert made.status_code == 201
            assert made.json()["secret"].startswith("whsec_")
            some = {"url": "https://example.com/b", "statuses": ["bounced", "failed"]}
            assert (await ada.post("/api/webhooks", json=some)).status_code == 201
            listed = await ada.get("/api/webhooks")
            assert "whsec_" not in listed.text
            assert [(one["url"], one["statuses"][:2]) for one in listed.json()["webhooks"]] == [
                ("https://example.com/a", ["bounced", "cancelled"]),
                ("https://example.com/b", ["bounced", "failed"]),
            ]
            id = made.json()["webhook"]
            assert (await eve.get("/api/webhooks")).json() == {"webhooks": []}
            assert (await eve.delete(f"/api/webhooks/{id}")).status_code == 404
            assert (await ada.delete(f"/api/webhooks/{id}")).status_code == 204
            assert (await ada.delete(f"/api/webhooks/{id}")).status_code == 404
            for wrong in (
                {"url": "https://example.com/", "statuses": ["opened"]},
                {"url": "https://example.com/", "statuses": ["queued"]},
                {"url": "https://example.com/", "statuses": []},
                {"url": "http://example.com/"},
                {"url": 7},
                {"url": "https://example.com/", "secret": "mine"},
                [],
            ):
                answer = await ada.post("/api/webhooks", json=wrong)
                assert answer.status_code == 422, wrong
                assert answer.json()["errors"][0]["reason"]
            for _ in range(MOST - 1):
                assert (await ada.post("/api/webhooks", json=some)).status_code == 201
            full = await ada.post("/api/webhooks", json=some)
            assert "are the most" in full.json()["errors"][0]["reason"]
            for scope, status in ((Scope.READ, 403), (Scope.SEND, 403), (Scope.WEBHOOKS, 200)):
                ada.headers["Authorization"] = (
                    f"Bearer {service.model.make_token('ada', 'script', [scope], 1)}"
                )
                assert (await ada.get("/api/webhooks")).status_code == status

    asyncio.run(calls())
    actions = [record.action.value for record in service.model.audit.page("ada")]
    assert actions.count("webhook made") == MOST + 1
    assert actions.count("webhook removed") == 1


def test_the_page_shows_the_secret_once_what_is_wrong_and_how_each_webhook_is(service: Service) -> None:
    secret = service.model.log_in("ada", PASSWORD)[1]

    async def calls() -> list[dict[str, Any]]:
        async with browser(secret, "/settings") as call:
            await call(ArrivalState, "at_settings")
            bad = await call(SettingsState, "make_webhook", form={"url": "http://x.example", "sent": "1"})
            made = await call(
                SettingsState, "make_webhook", form={"url": "https://x.example/h", "bounced": "1", "no": "1"}
            )
            (webhook,) = service.model.webhooks.of("ada")
            service.model.webhooks.failed(webhook, "It answered 500.")
            again = await call(ArrivalState, "at_settings")
            ended = await call(SettingsState, "end_webhook", id=webhook.id)
            return [merged(one, SettingsState) for one in (bad, made, again, ended)]

    bad, made, again, ended = asyncio.run(calls())
    assert bad["errors"] == {"webhook": "The address has to begin with https://."}
    assert made["errors"] == {}
    assert made["new_secret"].startswith("whsec_")
    (row,) = made["webhooks"]
    assert (row.url, row.told, row.state) == ("https://x.example/h", "bounced", "")
    assert again["new_secret"] == ""
    (row,) = again["webhooks"]
    assert row.is_bad
    assert row.state.endswith("It answered 500.")
    assert ended["webhooks"] == []
