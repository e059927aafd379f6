"""What a mail is before anybody has typed into it, and whether anybody has."""

from __future__ import annotations

from bitmail.drafts import TYPED, Draft
from bitmail.model import MailModel
from bitmail.preferences import Editor
from bitmail.typed import as_html


def begun(model: MailModel, user: str, key: str) -> Draft:
    """A new mail: with the person's signature, in the editor that they prefer."""
    text = model.phrases.signed(user)
    is_rich = model.preferences.of(user).editor is Editor.RICH
    return Draft(key, text=text, html=as_html(text) if is_rich else "")


def has_words(model: MailModel, user: str, draft: Draft) -> bool:
    """Whether there is more than the signature."""
    signature = model.phrases.signed(user)
    return not draft.is_empty and any(
        getattr(draft, name).strip() != (signature.strip() if name == "text" else "") for name in TYPED
    )


def forget_untouched(model: MailModel, user: str, draft: Draft) -> None:
    """A draft that nobody typed in is none: an answer as it was begun, or a signature alone."""
    _, revision = model.drafts.open(user, draft.key)
    signature = model.phrases.signed(user)
    is_bare = draft.text == signature and not any(getattr(draft, name) for name in TYPED if name != "text")
    if revision == 0 or (is_bare and not model.attachments.of(user, draft.key)):
        model.drafts.forget(user, draft.key)
        model.attachments.forget(user, draft.key)
