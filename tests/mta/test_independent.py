"""What no fake of ours decides: the services' own descriptions of their APIs, and another project's SES."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
import yaml
from jsonschema import Draft202012Validator
from moto.server import ThreadedMotoServer

from mta.outcomes import Outcome
from mta.providers.base import ProviderOptions
from mta.tree import needs_mime, read_tree
from tests.fakes.mailgun import read_form
from tests.mta.corpus import CORPUS
from tests.mta.services import MAILGUN, SENDGRID, outgoing, ses, talking
from tests.mta.test_same_mail import compare, recipient_of

ROOT = Path(__file__).resolve().parents[2]
SPECS = Path(os.environ.get("BITMAIL_SPECS") or ROOT.parent / "shared" / "specs")

described = pytest.mark.skipif(
    not SPECS.is_dir(), reason="the descriptions of the APIs are not here; BITMAIL_SPECS names their folder"
)


@cache
def description(name: str) -> Any:
    text = (SPECS / name).read_text()
    return (
        json.loads(text)
        if name.endswith(".json")
        else yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    )


def validator(name: str, *path: str) -> Draft202012Validator:
    """Checks against the schema at this path of a description."""
    pointer = "/".join(step.replace("~", "~0").replace("/", "~1") for step in path)
    return Draft202012Validator({**description(name), "$ref": f"#/{pointer}"})


SENDGRID_FILE, MAILGUN_FILE = "sendgrid_tsg_mail_v3.json", "mailgun_openapi.yaml"
MAILGUN_PATH = ("paths", "/v3/{domain_name}/messages.mime", "post")


@described
def test_requests_to_sendgrid_when_made_of_the_corpus_then_as_its_description_wants_them() -> None:
    check = validator(
        SENDGRID_FILE, "components", "requestBodies", "PostMailSend", "content", "application/json", "schema"
    )
    with talking(SENDGRID) as (provider, fake):
        for raw in CORPUS.values():
            provider.send(outgoing(raw, recipient_of(raw)))
    bodies = [json.loads(request.body) for request in fake.requests]
    assert len(bodies) == sum(not needs_mime(read_tree(raw)) for raw in CORPUS.values())
    for body in bodies:
        check.validate(body)
    for spoiled in ({"subject": ""}, {"content": [{"type": "text/plain", "value": ""}]}, {"from": {}}):
        assert not check.is_valid({**bodies[0], **spoiled})  # it is no check that lets everything pass


@described
def test_requests_to_mailgun_when_made_of_the_corpus_then_as_its_description_wants_them() -> None:
    content = ("requestBody", "content", "multipart/form-data", "schema")
    check = validator(MAILGUN_FILE, *MAILGUN_PATH, *content)
    known = description(MAILGUN_FILE)["components"]["schemas"]
    known = known["POST-v3-domain_name-messages-mime-multipart-form-data-RequestBody"]["properties"]
    with talking(MAILGUN) as (provider, fake):
        for raw in CORPUS.values():
            provider.send(outgoing(raw, recipient_of(raw)))
    assert len(fake.requests) == len(CORPUS)
    for request in fake.requests:
        values, files = read_form(request)
        assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
        assert {name for name in values if not name.startswith("v:")} | set(files) <= set(known)
        check.validate({**values, "to": [values["to"]], "message": "octets"})
        assert sum(len(name) + len(value) for name, value in values.items() if name != "to") < 16_000


@described
def test_fake_of_mailgun_when_it_answers_then_as_the_description_says() -> None:
    def answer(status: str) -> Draft202012Validator:
        return validator(
            MAILGUN_FILE, *MAILGUN_PATH, "responses", status, "content", "application/json", "schema"
        )

    with talking(MAILGUN) as (_, fake):
        url = f"{fake.url}/v3/mg.example.com/messages.mime"
        good, form = ("api", "key-1"), {"message": ("m", b"x")}
        taken = requests.post(url, auth=good, data={"to": "a@example.com"}, files=form, timeout=5)
        answer("200").validate(taken.json())
        assert taken.status_code == 200
        for data, files in (
            ({}, form),
            ({"to": "nobody"}, form),
            ({"to": "a@example.com"}, {"x": ("x", b"x")}),
        ):
            refused = requests.post(url, auth=good, data=data, files=files, timeout=5)
            assert refused.status_code == 400
            answer("400").validate(refused.json())
        stranger = requests.post(url, auth=("api", "no"), files=form, timeout=5)
        assert stranger.status_code == 401
        answer("401").validate(stranger.text)


@described
def test_fake_of_sendgrid_when_it_refuses_then_what_the_description_refuses_too() -> None:
    check = validator(
        SENDGRID_FILE, "components", "requestBodies", "PostMailSend", "content", "application/json", "schema"
    )
    answers = validator(
        SENDGRID_FILE, "components", "responses", "PostMailSend400", "content", "application/json", "schema"
    )
    good = {
        "personalizations": [{"to": [{"email": "a@example.com"}]}],
        "from": {"email": "b@example.com"},
        "subject": "Hi",
        "content": [{"type": "text/plain", "value": "Hi"}],
    }
    spoiled: list[dict[str, Any]] = [
        {"subject": ""},
        {"content": [{"type": "text/plain", "value": ""}]},
        {"attachments": [{"content": "", "filename": "a"}]},
    ]
    with talking(SENDGRID) as (_, fake):

        def ask(body: dict[str, Any]) -> requests.Response:
            head = {"Authorization": "Bearer SG.key-1"}
            return requests.post(f"{fake.url}/v3/mail/send", json=body, headers=head, timeout=5)

        assert ask(good).status_code == 202
        assert check.is_valid(good)
        for part in spoiled:
            refused = ask({**good, **part})
            assert refused.status_code == 400
            assert not check.is_valid({**good, **part})
            answers.validate(refused.json())


@pytest.fixture
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    requests.post(f"{url}/moto-api/reset", timeout=5)
    client = boto3.client(
        "sesv2",
        region_name="eu-west-1",
        endpoint_url=url,
        aws_access_key_id="AKIA1",
        aws_secret_access_key="s",
    )
    client.create_email_identity(EmailIdentity="example.com")
    client.create_configuration_set(ConfigurationSetName="bitmail")
    yield url
    server.stop()


def test_mails_when_sent_to_moto_then_taken_and_the_same(moto: str) -> None:
    provider = ses(moto, ProviderOptions())
    # Of many recipients moto counts those in the mail's own fields too, which SES does not where it has a Destination.
    names = [name for name in CORPUS if "recipients" not in name]
    numbers = {}
    for name in names:
        answer = provider.send(outgoing(CORPUS[name], recipient_of(CORPUS[name])))
        assert answer.outcome is Outcome.ACCEPTED, (name, answer)
        numbers[answer.provider_id] = name
    provider.close()
    taken = requests.get(f"{moto}/moto-api/data.json", timeout=5).json()["ses"]["RawMessage"]
    assert [numbers[one["id"]] for one in taken] == names
    for one in taken:
        name = numbers[one["id"]]
        assert one["destinations"][0] == recipient_of(CORPUS[name])
        compare(name, "ses", one["raw_data"].encode())


def test_mail_when_its_sender_is_not_verified_then_moto_refuses_it_as_a_matter_of_the_sender(
    moto: str,
) -> None:
    provider = ses(moto, ProviderOptions())
    raw = CORPUS["plain"].replace(b"ann@example.com", b"ann@other.example")
    answer = provider.send(outgoing(raw))
    provider.close()
    assert answer.outcome is not Outcome.ACCEPTED
    assert "MessageRejected" in answer.detail
