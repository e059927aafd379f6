"""Contacts: collected, found by the beginnings of their words, edited, grouped, and carried in and out."""

from __future__ import annotations

import pytest

from bitmail.cards import read_cards, write_csv, write_vcards
from bitmail.contacts import COLLECTED, PAGE, Contacts
from bitmail.drafts import Draft, new_key
from bitmail.errors import NoSuchContact, Unsendable
from bitmail.service import Service
from mta.addresses import parse_recipients
from store import MemoryStore
from tests.bitmail.conftest import PASSWORD
from tests.store.steps import steps_of


@pytest.fixture
def contacts() -> Contacts:
    return Contacts(MemoryStore())


def collect(contacts: Contacts, line: str, user: str = "ada") -> None:
    contacts.collect(user, parse_recipients(line).addresses)


def labels(contacts: Contacts, typed: str, user: str = "ada") -> list[str]:
    return [one.label for one in contacts.suggest(user, typed)]


def test_whom_a_mail_went_to_is_offered_by_name_and_address(service: Service) -> None:
    author = service.model.accounts.log_in("ada", PASSWORD)
    to = '"Hopper, Grace" <grace@example.com>; bob@example.net'
    service.model.outbox.send(author, Draft(new_key(), to=to, bcc="zoe@example.org", text="x"))
    suggest = service.model.contacts.suggest
    for typed in ("gra", "hop", "GRACE H", "grace@ex", "exam grace"):
        assert [one.text for one in suggest("ada", typed)] == ['"Hopper, Grace" <grace@example.com>']
    assert [one.label for one in suggest("ada", "zo")] == ["zoe@example.org"]
    assert suggest("ada", "race") == suggest("ada", "") == suggest("ada", "@") == []
    assert suggest("eve", "gra") == []


def test_accents_and_case_do_not_matter(contacts: Contacts) -> None:
    collect(contacts, "Zoë Årup <z@example.com>")
    assert labels(contacts, "zoe") == labels(contacts, "ZOË") == labels(contacts, "årup") == ["Zoë Årup"]


def test_those_written_to_most_come_first_and_a_name_learnt_later_stays(contacts: Contacts) -> None:
    collect(contacts, "ann@example.com")
    for _ in range(3):
        collect(contacts, "anders@example.com")
    collect(contacts, "Ann B <ANN@example.com>")
    collect(contacts, "Another <ann@example.com>")
    assert labels(contacts, "an") == ["anders@example.com", "Ann B"] or labels(contacts, "an") == [
        "Ann B",
        "anders@example.com",
    ]
    assert [one.uses for one in contacts.everyone("ada")] == [3, 3]
    assert labels(contacts, "b") == ["Ann B"]


def test_a_list_makes_nobody_a_contact(contacts: Contacts) -> None:
    collect(contacts, ";".join(f"p{number}@example.com" for number in range(COLLECTED + 1)))
    assert contacts.everyone("ada") == []


def test_a_contact_is_edited_found_by_its_new_words_and_removed(contacts: Contacts) -> None:
    made = contacts.save("ada", "Grace", "grace@example.com", "Work, Friends ,work")
    changed = contacts.save("ada", "Admiral Hopper", "hopper@example.org", "Navy", made.id)
    assert (changed.id, changed.groups) == (made.id, ("Navy",))
    assert labels(contacts, "grace") == labels(contacts, "friends") == []
    assert labels(contacts, "adm") == ["Admiral Hopper"]
    assert contacts.groups("ada") == ["Navy"]
    with pytest.raises(NoSuchContact):
        contacts.remove("eve", made.id)
    with pytest.raises(NoSuchContact):
        contacts.save("eve", "x", "x@example.com", "", made.id)
    contacts.remove("ada", made.id)
    assert contacts.everyone("ada") == contacts.groups("ada") == []


def test_a_bad_address_and_one_that_another_contact_has_are_refused(contacts: Contacts) -> None:
    first = contacts.save("ada", "A", "a@example.com")
    second = contacts.save("ada", "B", "b@example.com")
    with pytest.raises(Unsendable, match="is missing"):
        contacts.save("ada", "A", "a@", "", first.id)
    with pytest.raises(Unsendable, match="already"):
        contacts.save("ada", "B", "A@example.com", "", second.id)
    assert contacts.save("ada", "A new", "a@example.com").id == first.id


def test_a_group_is_offered_with_all_its_members(contacts: Contacts) -> None:
    contacts.save("ada", "Ann", "ann@example.com", "Team")
    contacts.save("ada", "Doe, Bob", "bob@example.com", "Team")
    (team,) = contacts.suggest("ada", "tea")
    assert (team.label, team.detail) == ("Team", "2 people")
    assert [one.email for one in parse_recipients(team.text).addresses] == [
        "ann@example.com",
        "bob@example.com",
    ]


def test_contacts_are_paged(contacts: Contacts) -> None:
    for number in range(PAGE + 1):
        contacts.save("ada", f"N{number}", f"n{number}@example.com")
    first, older = contacts.page("ada")
    second, end = contacts.page("ada", older)
    assert [len(first), len(second), end] == [PAGE, 1, None]


def test_finding_one_of_many_costs_what_finding_one_of_few_does(service: Service) -> None:
    contacts = service.model.contacts

    def steps() -> int:
        return steps_of(service.database, lambda: labels(contacts, "quill"))

    contacts.save("ada", "Quill", "quill@example.com")
    few = steps()
    service.store.put_many(
        [
            {
                "contacts of": "ada",
                "key": f"n{number}",
                "name": "",
                "email": f"n{number}@x.example",
                "begins n": "ada",
            }
            for number in range(3000)
        ]
    )
    assert steps() <= 2 * few + 5
    assert labels(contacts, "quill") == ["Quill"]


@pytest.mark.parametrize("write", [write_vcards, write_csv])
def test_what_is_exported_is_imported_again(contacts: Contacts, write: object) -> None:
    contacts.save("ada", 'Doe, "Bob"; the 3rd', "bob@example.com", "Work, Old friends")
    contacts.save("ada", "李 " + "é" * 80, "li@example.com")
    contacts.save("ada", "", "nameless@example.com")
    text = write(contacts.everyone("ada"))  # type: ignore[operator]
    other = Contacts(MemoryStore())
    for card in read_cards(text.encode()):
        other.save("eve", card.name, card.email, card.groups)
    there = [(one.name, one.email, one.groups) for one in contacts.everyone("ada")]
    assert [(one.name, one.email, one.groups) for one in other.everyone("eve")] == there
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n")) or write is write_csv


def test_cards_of_other_programs_are_read() -> None:
    old = (
        "BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:H=C3=B8g;Anne\r\n"
        "EMAIL;INTERNET:anne@example.com\r\nitem1.EMAIL:second@example.com\r\nEND:VCARD\r\n"
    )
    assert [(card.name, card.email) for card in read_cards(old.encode())] == [
        ("Anne Høg", "anne@example.com"),
        ("Anne Høg", "second@example.com"),
    ]
    sheet = "First Name;Last Name;E-mail Address\nAnne;Høg;anne@example.com\n;;\n"
    assert [(card.name, card.email) for card in read_cards(sheet.encode("cp1252"))] == [
        ("Anne Høg", "anne@example.com")
    ]


@pytest.mark.parametrize("content", [b"", b"\0\xff\xfe", b"BEGIN:VCARD", b'a,b\n"', b"\xff\xfea"])
def test_a_file_that_is_none_holds_nobody(content: bytes) -> None:
    assert read_cards(content) == []


def test_no_cell_of_the_sheet_begins_a_formula(contacts: Contacts) -> None:
    contacts.save("ada", "=HYPERLINK(1)", "a@example.com")
    assert "\n'=HYPERLINK(1)" in write_csv(contacts.everyone("ada")).replace("\r", "")
