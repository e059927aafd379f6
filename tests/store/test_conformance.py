"""What every implementation of the store does."""

from __future__ import annotations

import doctest
from concurrent.futures import ThreadPoolExecutor

import pytest

from store import ANY, Entry, InvalidEntry, JsonStore
from store import entry as store_entry


def ids(entries: list[Entry]) -> list[int]:
    return [entry.id for entry in entries]


def test_docstrings_when_run_as_examples_then_hold(store: JsonStore) -> None:
    runner = doctest.DocTestRunner()
    names = [name for name, member in vars(JsonStore).items() if callable(member)]
    for name in names:
        for test in doctest.DocTestFinder().find(
            getattr(JsonStore, name), name, globs={"store": store, "ANY": ANY, "Entry": Entry}
        ):
            runner.run(test, clear_globs=False)
    assert runner.tries >= 18
    assert runner.failures == 0


def test_docstrings_of_the_entry_when_run_as_examples_then_hold() -> None:
    assert doctest.testmod(store_entry)[0] == 0


def test_put_when_done_then_entry_is_found_by_its_id_and_unchanged(store: JsonStore) -> None:
    data = {
        "kind": "mail",
        "sübject": "Grüße 🙂 \u2028 'quoted' \"double\" \\ % ? :name",
        "": "empty key",
        "empty": "",
    }
    id = store.put(data)
    assert store.get_by_id(id) == Entry(id, data)
    for key, value in data.items():
        assert ids(store.get({key: value})) == [id]


def test_put_when_caller_changes_its_map_afterwards_then_entry_stays(store: JsonStore) -> None:
    data = {"a": "1"}
    id = store.put(data)
    data["a"] = "2"
    assert store.get_by_id(id) == Entry(id, {"a": "1"})


def test_get_when_caller_changes_what_it_got_then_entry_stays(store: JsonStore) -> None:
    id = store.put({"a": "1"})
    found = store.get({"a": "1"})[0]
    found.data["a"] = "2"  # type: ignore[index]
    assert store.get_by_id(id) == Entry(id, {"a": "1"})


def test_put_when_done_again_then_ids_grow(store: JsonStore) -> None:
    first, second = store.put({}), store.put({})
    assert 0 < first < second
    assert store.put_many([{"n": "1"}, {"n": "2"}]) == [second + 1, second + 2]
    assert store.put_many([]) == []


def test_put_when_last_entry_was_removed_then_its_id_is_not_given_again(store: JsonStore) -> None:
    id = store.put({"a": "1"})
    assert store.remove(id)
    assert store.put({"a": "1"}) > id


def test_put_when_value_is_long_then_it_is_found(store: JsonStore) -> None:
    value = "x" * 1_000_000
    id = store.put({"body": value})
    assert ids(store.get({"body": value})) == [id]
    assert store.get({"body": value[:-1]}) == []


def test_get_when_matching_is_empty_then_all_are_found(store: JsonStore) -> None:
    all_ids = [store.put(data) for data in ({}, {"a": "1"}, {"b": "2"})]
    assert ids(store.get({})) == all_ids
    assert store.count({}) == 3


def test_get_when_subset_differs_in_one_value_then_not_found(store: JsonStore) -> None:
    store.put({"user": "anna", "mailbox": "INBOX"})
    assert store.get({"user": "anna", "mailbox": "Sent"}) == []
    assert store.get({"user": "anna", "other": "INBOX"}) == []
    assert store.get({"anna": "user"}) == []


def test_get_when_keys_and_values_could_run_together_then_they_do_not(store: JsonStore) -> None:
    store.put({"ab": "c"})
    assert store.get({"a": "bc"}) == []
    assert store.get({"abc": ANY}) == []
    assert store.get({"c": ANY}) == []


def test_get_when_values_differ_in_case_or_normal_form_then_they_are_different(store: JsonStore) -> None:
    composed, decomposed = store.put({"n": "é"}), store.put({"n": "e\u0301"})
    assert ids(store.get({"n": "é"})) == [composed]
    assert ids(store.get({"n": "e\u0301"})) == [decomposed]
    assert store.get({"n": "É"}) == []


def test_get_when_any_then_key_must_be_there(store: JsonStore) -> None:
    one, _, three = store.put({"a": "1"}), store.put({"b": "1"}), store.put({"a": "2", "b": "2"})
    assert ids(store.get({"a": ANY})) == [one, three]
    assert ids(store.get({"a": ANY, "b": ANY})) == [three]
    assert ids(store.get({"a": ANY, "b": "2"})) == [three]
    assert store.get({"a": ANY, "b": "1"}) == []


def test_get_when_group_is_declared_then_matches_as_any_keys(store: JsonStore) -> None:
    inbox, sent, _ = (
        store.put({"user": "anna", "mailbox": "INBOX", "seen": "no"}),
        store.put({"user": "anna", "mailbox": "Sent"}),
        store.put({"user": "bert", "mailbox": "INBOX"}),
    )
    assert ids(store.get({"mailbox": "INBOX", "user": "anna"})) == [inbox]
    assert ids(store.get({"mailbox": "INBOX", "user": "anna", "seen": "no"})) == [inbox]
    assert store.get({"mailbox": "INBOX", "user": "anna", "seen": "yes"}) == []
    assert ids(store.get({"mailbox": ANY, "user": "anna"})) == [inbox, sent]
    store.update({"user": "anna", "mailbox": "INBOX"}, {"mailbox": "Trash"})
    assert store.get({"user": "anna", "mailbox": "INBOX"}) == []
    assert ids(store.get({"user": "anna", "mailbox": "Trash"})) == [inbox]


@pytest.mark.parametrize("matching", [{}, {"kind": "mail"}, {"kind": "mail", "user": "anna"}])
def test_get_when_paged_then_pages_make_up_the_whole(store: JsonStore, matching: dict[str, str]) -> None:
    store.put_many([{"kind": "mail", "user": ("anna", "bert")[n % 2]} for n in range(11)])
    for newest_first in (False, True):
        whole = ids(store.get(matching, newest_first=newest_first))
        assert whole == sorted(whole, reverse=newest_first)
        pages: list[int] = []
        before = None
        while page := ids(store.get(matching, newest_first=newest_first, limit=3, before=before)):
            pages += page
            before = page[-1]
        assert pages == whole


def test_get_when_the_entry_of_the_cursor_is_gone_then_page_goes_on(store: JsonStore) -> None:
    one, two, three = store.put_many([{"a": "1"}] * 3)
    store.remove(two)
    assert ids(store.get({"a": "1"}, newest_first=True, before=two)) == [one]
    assert ids(store.get({"a": "1"}, before=two)) == [three]


@pytest.mark.parametrize("far", [-(2**70), -1, 0, 2**63 - 1, 2**63, 2**70])
def test_ids_when_far_out_of_range_then_nothing_is_there(store: JsonStore, far: int) -> None:
    id = store.put({"a": "1"})
    assert store.get_by_id(far) is None
    assert not store.remove(far)
    assert not store.update_by_id(far, {"a": "2"})
    assert ids(store.get({"a": "1"}, newest_first=True, before=far)) == ([id] if far > id else [])
    assert ids(store.get({"a": "1"}, before=far)) == ([id] if far < id else [])


def test_get_when_limit_is_nothing_huge_or_negative_then_nothing_all_or_refused(store: JsonStore) -> None:
    id = store.put({"a": "1"})
    assert store.get({"a": "1"}, limit=0) == []
    assert ids(store.get({"a": "1"}, limit=2**70)) == [id]
    with pytest.raises(ValueError, match="limit"):
        store.get({"a": "1"}, limit=-1)


def test_update_when_several_match_then_first_by_id_is_merged(store: JsonStore) -> None:
    one, two = store.put_many([{"a": "1", "b": "1"}, {"a": "1"}])
    assert store.update({"a": "1"}, {"b": "2", "c": "3"}) == one
    assert store.get_by_id(one) == Entry(one, {"a": "1", "b": "2", "c": "3"})
    assert store.get_by_id(two) == Entry(two, {"a": "1"})
    assert store.get({"b": "1"}) == []
    assert ids(store.get({"c": ANY})) == [one]


def test_update_when_none_matches_then_none(store: JsonStore) -> None:
    store.put({"a": "1"})
    assert store.update({"a": "2"}, {"a": "3"}) is None


def test_update_when_nothing_changes_then_it_still_says_which(store: JsonStore) -> None:
    id = store.put({"a": "1"})
    assert store.update({"a": "1"}, {"a": "1"}) == id
    assert store.update({}, {}) == id


def test_update_by_id_when_not_as_expected_then_unchanged(store: JsonStore) -> None:
    id = store.put({"state": "draft"})
    assert not store.update_by_id(id, {"state": "sent"}, expecting={"state": "queued"})
    assert not store.update_by_id(id, {"state": "sent"}, expecting={"other": ANY})
    assert store.update_by_id(id, {"state": "sent"}, expecting={"state": ANY})
    assert not store.update_by_id(id + 1, {"state": "sent"})
    assert store.get({}) == [Entry(id, {"state": "sent"})]


def test_update_all_when_several_match_then_all_are_merged(store: JsonStore) -> None:
    store.put_many([{"a": "1"}, {"a": "2"}, {"a": "1"}])
    assert store.update_all({"a": "1"}, {"a": "3", "seen": "yes"}) == 2
    assert store.update_all({"a": "1"}, {"a": "3"}) == 0
    assert ids(store.get({"a": "3", "seen": "yes"})) == [1, 3]


def test_remove_when_done_then_nothing_finds_it(store: JsonStore) -> None:
    id = store.put({"user": "anna", "mailbox": "INBOX"})
    assert store.remove(id)
    assert not store.remove(id)
    assert store.get_by_id(id) is None
    for matching in ({}, {"user": "anna"}, {"user": ANY}, {"user": "anna", "mailbox": "INBOX"}):
        assert store.get(matching) == []
        assert store.count(matching) == 0


def test_count_when_several_keys_then_counts_what_get_finds(store: JsonStore) -> None:
    store.put_many([{"n": str(n % 3), "m": str(n % 2)} for n in range(12)])
    assert store.count({"n": "0"}) == 4
    assert store.count({"n": "0", "m": "0"}) == 2
    assert store.count({"n": "0", "m": "7"}) == 0


def test_put_if_absent_when_one_matches_then_its_id_and_nothing_added(store: JsonStore) -> None:
    first = store.put({"account": "anna", "password": "1"})
    store.put({"account": "anna", "password": "2"})
    assert store.put_if_absent({"account": "anna"}, {"account": "anna"}) == (first, False)
    assert store.count({}) == 2


def test_put_if_absent_when_raced_then_one_wins(store: JsonStore) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(lambda n: store.put_if_absent({"a": "1"}, {"a": "1", "n": str(n)}), range(64))
        )
    assert sum(created for _, created in answers) == 1
    assert len({id for id, _ in answers}) == 1
    assert store.count({"a": "1"}) == 1


def test_update_when_raced_as_compare_and_set_then_each_step_is_won_once(store: JsonStore) -> None:
    id = store.put({"count": "0"})

    def increase(_: int) -> None:
        while True:
            now = store.get({"count": ANY})[0].data["count"]
            if store.update({"count": now}, {"count": str(int(now) + 1)}) == id:
                return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(increase, range(40)))
    assert store.get_by_id(id) == Entry(id, {"count": "40"})


BAD = {
    "NUL in key": ({"a\0b": "1"}, "a\0b"),
    "NUL in value": ({"fine": "1", "key": "a\0"}, "key"),
    "surrogate in key": ({"\ud800": "1"}, "\ud800"),
    "surrogate in value": ({"key": "\udfff"}, "key"),
    "number as value": ({"key": 1}, "key"),
    "nothing as value": ({"key": None}, "key"),
    "number as key": ({1: "a"}, 1),
    "bytes as value": ({"key": b"a"}, "key"),
}


@pytest.mark.parametrize("case", BAD)
def test_every_operation_when_text_cannot_be_kept_then_refused_with_its_key(
    store: JsonStore, case: str
) -> None:
    bad: dict[str, str] = BAD[case][0]  # type: ignore[assignment]
    id = store.put({"here": "before"})
    attempts = [
        lambda: store.put(bad),
        lambda: store.put_many([{"a": "1"}, bad]),
        lambda: store.put_if_absent(bad, {"a": "1"}),
        lambda: store.put_if_absent({"a": "1"}, bad),
        lambda: store.get(bad),
        lambda: store.update(bad, {"a": "1"}),
        lambda: store.update({}, bad),
        lambda: store.update_by_id(id, bad),
        lambda: store.update_by_id(id, {"a": "1"}, expecting=bad),
        lambda: store.update_all(bad, {"a": "1"}),
        lambda: store.update_all({}, bad),
        lambda: store.count(bad),
    ]
    for attempt in attempts:
        with pytest.raises(InvalidEntry) as refused:
            attempt()
        assert refused.value.key == BAD[case][1]
        assert repr(BAD[case][1]) in str(refused.value)
    assert store.get({}) == [Entry(id, {"here": "before"})]


def test_any_when_given_as_data_then_refused(store: JsonStore) -> None:
    with pytest.raises(InvalidEntry):
        store.put({"key": ANY})  # type: ignore[dict-item]
