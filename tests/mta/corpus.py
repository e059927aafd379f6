"""Mails of every kind, as they are handed to a provider."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mta.addresses import Address, parse_recipients
from mta.email import Attachment, Email
from mta.mime import compose

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
PDF = "application/pdf"
FRENCH = "Réunion de l'équipe déplacée à l'après-midi du vingt-huit février, salle « Élysée », " * 2
FAMILY = "Hi 🚀 from \U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
ARABIC, HEBREW = "مرحبا بالعالم، كيف حالك اليوم؟", "שלום עולם, מה שלומך היום?"


def people(text: str) -> tuple[Address, ...]:
    parsed = parse_recipients(text)
    assert not parsed.errors
    return parsed.addresses


def mail(to: str = "Bob Builder <bob@example.com>", **parts: Any) -> bytes:
    [sender] = people(parts.pop("sender", "Ann Author <ann@example.com>"))
    given = {"subject": "Hello", "text": "Hello Bob,\n\nhow are you?\n\nAnn"} | parts
    lists = {name: people(given.pop(name)) for name in ("cc", "bcc", "reply_to") if name in given}
    date = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
    email = Email(sender, people(to), date=date, message_id="<one@example.com>", **lists, **given)
    return compose(email)


def by_hand(head: str, body: str | bytes = "Hello\n", charset: str = "utf-8") -> bytes:
    usual = "From: Ann <ann@example.com>\nTo: Bob <bob@example.com>\nMessage-ID: <one@example.com>\n"
    octets = body if isinstance(body, bytes) else body.encode(charset)
    return ((usual + head + "\n\n").encode(charset) + octets).replace(b"\n", b"\r\n")


def multipart(kind: str, *parts: str, more: str = "") -> bytes:
    joined = "".join(f"--b\n{part}\n" for part in parts)
    return by_hand(
        f'Subject: Parts\nMIME-Version: 1.0\nContent-Type: {kind}; boundary="b"{more}', joined + "--b--\n"
    )


HTML = "<h1>Hello</h1><p>One</p><p>Two</p><p>Thr&eacute;e</p>"
LONG_LINE = "<p>" + "word " * 600 + "</p>"
NESTED = b"From: Eve <eve@example.com>\r\nSubject: Inner\r\n\r\nInner text\r\n"
INVITATION = (
    "Content-Type: text/plain\n\nYou are invited.\n",
    "Content-Type: text/html\n\n<p>You are invited.</p>\n",
    "Content-Type: text/calendar; method=REQUEST; charset=utf-8\n\nBEGIN:VCALENDAR\nEND:VCALENDAR\n",
)

CORPUS: dict[str, bytes] = {
    "plain": mail(),
    "HTML and plain": mail(html=HTML),
    "HTML alone": by_hand("Subject: Only\nMIME-Version: 1.0\nContent-Type: text/html", HTML + "\n"),
    "umlauts in the name of a file": mail(attachments=(Attachment("Prüfbericht Q1.pdf", PDF, b"%PDF-1.7 \0\xff"),)),
    "two files of one name": mail(
        attachments=(Attachment("a.jpg", "image/jpeg", b"one"), Attachment("a.jpg", "image/jpeg", b"two"))
    ),
    "file without a name": mail(attachments=(Attachment("", "", b"what is it"),)),
    "empty file": mail(attachments=(Attachment("empty.txt", "text/plain", b""),)),
    "path for a name": mail(attachments=(Attachment("../../etc/passwd", "text/plain", b"root"),)),
    "long name of a file": mail(attachments=(Attachment("Bericht über alles " * 9 + ".pdf", PDF, b"x"),)),
    "quotes in the name of a file": mail(attachments=(Attachment('the "best"; of.txt', "text/plain", b"x"),)),
    "Japanese name of a file": mail(attachments=(Attachment("報告書.pdf", PDF, b"x"),)),
    "large binary file": mail(attachments=(Attachment("all.bin", "", bytes(range(256)) * 4000),)),
    "table in UTF-8": mail(attachments=(Attachment("t.csv", "text/csv", "ä;ö\n1;2\n".encode()),)),
    "mail in a mail": mail(attachments=(Attachment("inner.eml", "message/rfc822", NESTED),)),
    "inline image": mail(html='<img src="cid:logo@x">', attachments=(Attachment("l.png", "image/png", PNG, "logo@x"),)),
    "inline image and files": mail(
        html='<p>Ä</p><img src="cid:a"><img src="cid:b">',
        attachments=(
            Attachment("a.png", "image/png", PNG, "a"),
            Attachment("b.png", "image/png", PNG[::-1], "b"),
            Attachment("c.png", "image/png", PNG),
            Attachment("d.pdf", PDF, b"%PDF"),
        ),
    ),
    "emoji": mail(subject=FAMILY, text=FAMILY, html=f"<p>{FAMILY}</p>"),
    "Arabic": mail(subject=ARABIC, text=ARABIC, html=f'<p dir="rtl">{ARABIC}</p>'),
    "Hebrew": mail(subject=HEBREW, text=HEBREW * 20),
    "Chinese": mail(subject="你好，世界", text="你好，世界。" * 50),
    "long line of HTML": mail(html=LONG_LINE),
    "long line of text": mail(text="word " * 1000 + "ü" + "x" * 3000),
    "long French subject": mail(subject=FRENCH[:180].strip()),
    "long ASCII subject": mail(subject="A subject that goes on " * 12 + "and ends"),
    "subject that looks encoded": mail(subject="=?utf-8?q?not_so?= and 100% =sure="),
    "one long word for a subject": mail(subject="x" * 900),
    "no subject": mail(subject=""),
    "no text": mail(text=""),
    "dots at the beginning of lines": mail(text=".\n..\n.a\nFrom here on\n--b\n-- \nAnn"),
    "blanks at the end of lines": mail(text="one  \ntwo\t\n\n\n   three"),
    "60 recipients": mail(", ".join(f"Person {n} <p{n}@example.com>" for n in range(60))),
    "1,200 recipients": mail(", ".join(f"p{n}@example.com" for n in range(1200))),
    "copies": mail(cc="Cy <cy@example.com>, di@example.com"),
    "blind copies beside others": mail(bcc="eve@example.com"),
    "blind copies alone": mail("", bcc="bob@example.com"),
    "reply": mail(in_reply_to="<q@example.com>", references=("<p@example.com>", "<q@example.com>")),
    "reply in a long thread": mail(
        in_reply_to="<r49@example.com>", references=tuple(f"<r{n}@example.com>" for n in range(50))
    ),
    "answers elsewhere": mail(reply_to="Desk <desk@example.com>"),
    "answers to two": mail(reply_to="Desk <desk@example.com>, box@example.com"),
    "comma in a name": mail('"Builder, Bob; Jr." <bob@example.com>', sender='"Author, Ann" <ann@example.com>'),
    "long name with a comma": mail(f'"Bücher, {"Größe " * 12}" <bob@example.com>', sender='"M, Ä" <ann@example.com>'),
    "domain with umlauts": mail("Bob <bob@bücher.example>"),
    "odd local parts": mail("o'neil@example.com", cc="a+b@example.com"),
    "invitation": multipart("multipart/alternative", *INVITATION),
    "text, file, text": multipart(
        "multipart/mixed",
        "Content-Type: text/plain\n\nbefore\n",
        "Content-Type: image/png\nContent-Disposition: attachment; filename=a.png\n\nnot a picture\n",
        "Content-Type: text/plain\n\nafter\n",
    ),
    "8 bits in the text": by_hand("Subject: Eight\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
        "Content-Transfer-Encoding: 8bit", "Grüße\n\naus München\n"),
    "8 bits in Latin-1": by_hand("Subject: Eight\nMIME-Version: 1.0\nContent-Type: text/plain; charset=iso-8859-1\n"
        "Content-Transfer-Encoding: 8bit", "Grüße\n", "latin-1"),
    "8 bits in Chinese": by_hand("Subject: Eight\nMIME-Version: 1.0\nContent-Type: text/plain; charset=gb2312\n"
        "Content-Transfer-Encoding: 8bit", "你好\n" * 30, "gb2312"),
    "8 bits in parts": multipart("multipart/mixed",
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nGrüße\n",
        'Content-Type: application/pdf; name="Übersicht.pdf"\nContent-Transfer-Encoding: binary\n'
        'Content-Disposition: attachment; filename="Übersicht.pdf"\n\nüüü\n', more="\nContent-Transfer-Encoding: 8bit"),
    "8 bits in the head": by_hand("Subject: Grüße aus Köln\nCc: Jürgen <j@example.com>\nX-Ort: Köln"),
    "8 bits in an inner mail": multipart("multipart/mixed",
        "Content-Type: text/plain\n\nSee below.\n",
        "Content-Type: message/rfc822\nContent-Disposition: attachment; filename=i.eml\n\n"
        "Subject: Grüße\nContent-Type: text/plain; charset=utf-8\n\nGrüße\n"),
    "local part beyond ASCII in Cc": by_hand("Subject: Hi\nCc: Ü <üser@example.com>, cy@example.com"),
    "fields of one's own": by_hand("Subject: Hi\nX-Campaign: spring\nList-Unsubscribe: <mailto:off@example.com>\n"
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\nAuto-Submitted: auto-generated"),
    "fields twice": by_hand("Subject: First\nSubject: Second\nReply-To: a@example.com\n"
        "Reply-To: b@example.com\nX-N: 1\nX-N: 2"),
    "signature": multipart("multipart/signed", "Content-Type: text/plain\n\nHi\n",
        "Content-Type: application/pgp-signature\n\nxyz\n", more="; protocol=x"),
    "encryption": by_hand("Subject: S\nMIME-Version: 1.0\nContent-Type: application/pkcs7-mime", "xyz\n"),
    "report": multipart("multipart/report", "Content-Type: text/plain\n\nIt failed.\n",
        "Content-Type: message/delivery-status\n\nReporting-MTA: dns; x\n"),
    "DKIM signature of its own": by_hand("Subject: Hi\nDKIM-Signature: v=1; a=rsa-sha256; b=abc"),
}  # fmt: skip
