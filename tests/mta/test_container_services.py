"""A container with the real services' providers: what one cannot take, another gets untouched."""

from __future__ import annotations

from collections.abc import Callable

from mta.outcomes import Outcome, Status
from mta.providers.base import ProviderOptions
from tests.fakes.http import Reply, Request, html
from tests.fakes.mailgun import FakeMailgun
from tests.fakes.sendgrid import FakeSendGrid
from tests.fakes.ses import FakeSes
from tests.mta import services
from tests.mta.corpus import CORPUS
from tests.mta.scripted import Station

Start = Callable[..., Station]


class Down(FakeSes):
    """SES behind a proxy that does not reach it."""

    def answer(self, request: Request) -> Reply:
        return html(503)


def test_inline_image_when_the_first_provider_fails_then_the_second_gets_the_untouched_mail(
    station: Start,
) -> None:
    raw = CORPUS["inline image"]
    with Down() as ses, FakeMailgun() as mailgun:
        options = ProviderOptions(timeout=5)
        sending = station(services.ses(ses.url, options), services.mailgun(mailgun.url, options))
        submissions = [sending.submit(f"p{number}@example.com", raw=raw) for number in range(4)]
        deliveries = [sending.wait_for(submission, Status.SENT) for submission in submissions]
        sending.container.stop(10)
    assert {delivery.provider for delivery in deliveries} == {"mailgun"}
    assert [mail.raw for mail in mailgun.accepted] == [raw] * 4
    assert any(delivery.attempts[0].outcome is Outcome.UNAVAILABLE for delivery in deliveries)
    assert {mail.form["v:bitmail-delivery"] for mail in mailgun.accepted} == {
        delivery.id for delivery in deliveries
    }


def test_mails_when_sendgrid_is_not_able_then_by_another_and_else_by_both(station: Start) -> None:
    with FakeSendGrid() as sendgrid, FakeMailgun() as mailgun:
        options = ProviderOptions(timeout=5)
        sending = station(services.sendgrid(sendgrid.url, options), services.mailgun(mailgun.url, options))
        special = [
            sending.submit(raw=CORPUS["signature"]),
            sending.submit(raw=CORPUS["empty file"]),
            sending.submit(raw=CORPUS["copies"], needs_envelope=True),
            sending.submit(raw=b"Subject: Large\r\n\r\n" + b"x" * 24_900_000),
        ]
        plain = [sending.submit(raw=CORPUS["plain"]) for _ in range(4)]
        for submission in (*special, *plain):
            sending.wait_for(submission, Status.SENT)
        assert {sending.delivery(one).provider for one in special[:3]} == {"mailgun"}
        assert {sending.delivery(one).provider for one in plain} == {"mailgun", "sendgrid"}
        huge = sending.submit(raw=b"Subject: Huge\r\n\r\n" + b"x" * 30_000_001)
        failed = sending.wait_for(huge, Status.FAILED)
        sending.container.stop(20)
    assert "25,000,000" in failed.detail
    assert "30,000,000" in failed.detail
