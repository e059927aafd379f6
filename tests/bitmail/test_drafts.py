"""Drafts: kept once typed, never overwritten by another window, and brought back when discarded by mistake."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from bitmail.attachments import Attachments
from bitmail.drafts import DISCARDED_KEPT, SUBJECT_LIMIT, Draft, Drafts, Hold, new_key
from bitmail.errors import Overtaken, Unsendable
from bitmail.mailboxes import MailboxName
from bitmail.phrases import SIGNATURE_LIMIT
from bitmail.service import Service


def test_each_save_of_a_change_is_one_revision_and_a_save_of_nothing_new_is_none(service: Service) -> None:
    drafts, key = service.model.drafts, new_key()
    hold = Hold("window")
    assert drafts.open("ada", key)[1] == -1
    assert drafts.save("ada", Draft(key, text="a"), hold) == 1
    assert drafts.save("ada", Draft(key, text="a"), hold) == 1
    assert drafts.save("ada", Draft(key, text="ab"), Hold("window", 1)) == 2
    assert drafts.open("ada", key) == (Draft(key, text="ab"), 2)


def test_a_window_saves_on_before_it_has_heard_of_its_own_last_save(service: Service) -> None:
    drafts, key = service.model.drafts, new_key()
    for number in range(3):
        assert drafts.save("ada", Draft(key, text="x" * (number + 1)), Hold("window", 0)) == number + 1


def test_a_second_window_with_an_older_text_is_told_and_keeps_its_own_as_a_copy_with_the_files(
    service: Service,
) -> None:
    drafts, key = service.model.drafts, new_key()
    drafts.save("ada", Draft(key, text="begun"), Hold("one"))
    service.model.attachments.add("ada", key, "a.txt", "text/plain", [b"file"])
    drafts.save("ada", Draft(key, text="begun here"), Hold("one", 1))
    mine = Draft(key, text="begun there")
    with pytest.raises(Overtaken, match="another window"):
        drafts.save("ada", mine, Hold("two", 1))
    assert drafts.load("ada", key).text == "begun here"
    own = drafts.fork("ada", mine)
    assert own.key != key
    assert drafts.load("ada", own.key).text == "begun there"
    assert [file.name for file in service.model.attachments.of("ada", own.key)] == ["a.txt"]


def test_what_is_to_be_sent_is_as_it_was_typed_and_answers_what_it_did_and_nothing_is_written_for_it(
    service: Service,
) -> None:
    drafts, key = service.model.drafts, new_key()
    drafts.begin("ada", Draft(key, text="> hi", in_reply_to="<a@x>", references="<a@x> <b@x>"))
    before = drafts.open("ada", key)
    taken = drafts.to_send("ada", Draft(key, text="yes"), Hold("window"))
    assert taken == Draft(key, text="yes", in_reply_to="<a@x>", references="<a@x> <b@x>")
    assert drafts.open("ada", key) == before
    fresh = Draft(new_key(), text="new")
    assert drafts.to_send("ada", fresh, Hold("window")) == fresh
    assert drafts.open("ada", fresh.key)[1] == -1
    drafts.save("ada", Draft(key, text="no"), Hold("another"))
    with pytest.raises(Overtaken):
        drafts.to_send("ada", Draft(key, text="yes"), Hold("window"))


def test_of_many_windows_that_save_at_once_one_wins_and_the_others_are_told(service: Service) -> None:
    drafts, key = service.model.drafts, new_key()
    drafts.save("ada", Draft(key, text="begun"), Hold("first"))

    def save(number: int) -> bool:
        try:
            drafts.save("ada", Draft(key, text=f"by {number}"), Hold(f"window {number}", 1))
        except Overtaken:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(save, range(8))) == 1
    assert drafts.open("ada", key)[1] == 2


def test_a_window_that_attached_a_file_first_goes_on_saving_to_the_same_draft(service: Service) -> None:
    drafts, key = service.model.drafts, new_key()
    drafts.touch("ada", key, "window")
    assert drafts.save("ada", Draft(key, text="words"), Hold("window", 0)) == 2
    begun = new_key()
    drafts.begin("ada", Draft(begun, text="> quoted"))
    drafts.touch("ada", begun, "window")
    assert drafts.open("ada", begun)[1] == 1
    assert drafts.save("ada", Draft(begun, text="Yes\n> quoted"), Hold("window", 0)) == 2


def test_a_discarded_draft_comes_back_with_its_files_and_no_late_save_does_it(service: Service) -> None:
    drafts, files, key = service.model.drafts, service.model.attachments, new_key()
    draft = Draft(key, to="grace@example.com", text="words", in_reply_to="<a@b>")
    drafts.begin("ada", draft)
    files.add("ada", key, "a.txt", "text/plain", [b"file"])
    assert not drafts.discard("eve", key)
    assert drafts.discard("ada", key)
    assert not drafts.save("ada", draft)
    drafts.touch("ada", key)
    assert service.model.mailboxes.page("ada", MailboxName.DRAFTS).mails == ()
    assert not drafts.restore("eve", key)
    assert drafts.restore("ada", key)
    assert drafts.load("ada", key) == draft
    assert [file.name for file in files.of("ada", key)] == ["a.txt"]


def test_what_was_discarded_is_forgotten_after_a_day(service: Service) -> None:
    now = 1_000_000.0
    files = Attachments(service.store, service.blobs)
    drafts = Drafts(service.store, files, clock=lambda: now)
    old, young = new_key(), new_key()
    for key in (old, young):
        drafts.save("ada", Draft(key, text="words"))
    files.add("ada", old, "a.txt", "text/plain", [b"file"])
    drafts.discard("ada", old)
    now += DISCARDED_KEPT + 1
    drafts.discard("ada", young)
    assert not drafts.restore("ada", old)
    assert files.of("ada", old) == ()
    assert drafts.restore("ada", young)


def test_a_field_that_is_too_long_is_named_and_the_draft_stays(service: Service) -> None:
    drafts, key = service.model.drafts, new_key()
    drafts.save("ada", Draft(key, subject="short"))
    with pytest.raises(Unsendable) as refused:
        drafts.save("ada", Draft(key, subject="x" * (SUBJECT_LIMIT + 1)))
    assert [error.field for error in refused.value.errors] == ["subject"]
    assert drafts.load("ada", key).subject == "short"


def test_a_signature_stands_below_its_line_and_templates_are_kept_by_name(service: Service) -> None:
    phrases = service.model.phrases
    assert phrases.signed("ada", "Hi") == "Hi"
    phrases.set_signature("ada", "Ada\n")
    phrases.set_signature("ada", "Ada Lovelace\n")
    assert phrases.signed("ada") == "\n\n-- \nAda Lovelace"
    with pytest.raises(Unsendable):
        phrases.set_signature("ada", "x" * (SIGNATURE_LIMIT + 1))
    id = phrases.save_template("ada", " Thanks ", "Thank you", "Dear")
    assert phrases.save_template("ada", "Thanks", "Thank you", "Dear all") == id
    assert [(one.name, one.text) for one in phrases.templates("ada")] == [("Thanks", "Dear all")]
    assert phrases.templates("eve") == []
    assert not phrases.remove_template("eve", id)
    assert phrases.remove_template("ada", id)
    with pytest.raises(Unsendable, match="needs a name"):
        phrases.save_template("ada", " ", "", "")
