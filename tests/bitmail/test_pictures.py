"""Pictures in a rich text: carried as parts of the mail, once each, and the plain text readable beside them."""

from __future__ import annotations

import base64
from email import message_from_bytes, policy

from bitmail.drafts import Draft, new_key
from bitmail.pictures import as_parts
from bitmail.service import Service

PNG = base64.b64encode(b"\x89PNG picture").decode()


def test_each_picture_is_one_part_and_the_same_text_gives_the_same() -> None:
    html = f'<p>a<img src="data:image/png;base64,{PNG}"><img src="data:image/png;base64,{PNG}"></p>'
    text, (picture,) = as_parts(html)
    assert text == f'<p>a<img src="cid:{picture.content_id}"><img src="cid:{picture.content_id}"></p>'
    assert (picture.name, picture.type, picture.content) == ("picture-1.png", "image/png", b"\x89PNG picture")
    assert as_parts(html) == as_parts(html)


def test_what_is_no_picture_stays() -> None:
    for html in (
        '<img src="data:text/html;base64,AAAA">',
        '<img src="data:image/png;base64,A">',
        '<img src="https://example.com/a.png">',
        "data:image/png;base64,AAAA",
    ):
        assert as_parts(html) == (html, ())


def test_a_rich_mail_leaves_with_its_pictures_and_a_readable_plain_text(service: Service) -> None:
    author = service.model.accounts.account("ada")
    html = f'<p>One</p><p>Two <b>bold</b></p><p>Three<img src="data:image/png;base64,{PNG}"></p>'
    draft = Draft(new_key(), to="grace@example.com", subject="Hi", text="One\n\nTwo bold\n\nThree", html=html)
    sent = service.model.outbox.send(author, draft)
    entry = service.store.get_by_id(sent.id)
    assert entry is not None
    raw = service.blobs.get(entry.data["blob"])
    assert raw is not None
    mail = message_from_bytes(raw, policy=policy.default)
    assert mail.get_body(("plain",)).get_content().split() == ["One", "Two", "bold", "Three"]  # type: ignore[union-attr]
    related = next(part for part in mail.walk() if part.get_content_type() == "multipart/related")
    rich, picture = related.iter_parts()  # type: ignore[attr-defined]
    assert f'src="cid:{picture["content-id"].strip("<>")}"' in rich.get_content()
    assert "data:" not in rich.get_content()
    assert picture.get_payload(decode=True) == b"\x89PNG picture"
