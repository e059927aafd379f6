"""Every implementation against a plain-Python model, under operations chosen at random."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from store import ANY, Entry, JsonStore
from tests.store.conftest import KINDS, make_store

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=4)
keys = st.sampled_from(["user", "mailbox", "", "ключ"]) | texts
values = st.sampled_from(["anna", "INBOX", "", "🙂"]) | texts
maps = st.dictionaries(keys, values, max_size=4)
matches = st.dictionaries(keys, values | st.just(ANY), max_size=3)
ids = st.integers(-1, 40)


def is_subset(matching: dict, data: dict) -> bool:
    return all(key in data and value in (ANY, data[key]) for key, value in matching.items())


def machine_for(kind: str, request: pytest.FixtureRequest) -> type[RuleBasedStateMachine]:
    """A machine that compares a store of this kind with a list of pairs."""

    class Comparison(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.store: JsonStore = make_store(kind, request)
            self.model: list[tuple[int, dict]] = []

        def find(self, matching: dict) -> list[tuple[int, dict]]:
            return [(id, data) for id, data in self.model if is_subset(matching, data)]

        def added(self, id: int, data: dict) -> None:
            assert all(id > earlier for earlier, _ in self.model)
            self.model.append((id, dict(data)))

        @rule(data=maps)
        def put(self, data: dict) -> None:
            self.added(self.store.put(data), data)

        @rule(entries=st.lists(maps, max_size=4))
        def put_many(self, entries: list[dict]) -> None:
            for id, data in zip(self.store.put_many(entries), entries, strict=True):
                self.added(id, data)

        @rule(matching=matches, data=maps)
        def put_if_absent(self, matching: dict, data: dict) -> None:
            found = self.find(matching)
            id, created = self.store.put_if_absent(matching, data)
            assert created == (not found)
            if created:
                self.added(id, data)
            else:
                assert id == found[0][0]

        @rule(
            matching=matches,
            newest_first=st.booleans(),
            limit=st.none() | st.integers(0, 4),
            before=st.none() | ids,
        )
        def get(self, matching: dict, newest_first: bool, limit: int | None, before: int | None) -> None:
            found = self.find(matching)[:: -1 if newest_first else 1]
            if before is not None:
                found = [one for one in found if (one[0] < before if newest_first else one[0] > before)]
            got = self.store.get(matching, newest_first=newest_first, limit=limit, before=before)
            assert [(entry.id, entry.data) for entry in got] == found[:limit]

        @rule(id=ids)
        def get_by_id(self, id: int) -> None:
            found = [Entry(id, data) for known, data in self.model if known == id]
            assert self.store.get_by_id(id) == (found[0] if found else None)

        @rule(matching=matches)
        def count(self, matching: dict) -> None:
            assert self.store.count(matching) == len(self.find(matching))

        @rule(matching=matches, changes=maps)
        def update(self, matching: dict, changes: dict) -> None:
            found = self.find(matching)
            assert self.store.update(matching, changes) == (found[0][0] if found else None)
            if found:
                found[0][1].update(changes)

        @rule(id=ids, changes=maps, expecting=matches)
        def update_by_id(self, id: int, changes: dict, expecting: dict) -> None:
            found = [data for known, data in self.find(expecting) if known == id]
            assert self.store.update_by_id(id, changes, expecting=expecting) == bool(found)
            if found:
                found[0].update(changes)

        @rule(matching=matches, changes=maps)
        def update_all(self, matching: dict, changes: dict) -> None:
            found = self.find(matching)
            assert self.store.update_all(matching, changes) == len(found)
            for _, data in found:
                data.update(changes)

        @rule(id=ids)
        def remove(self, id: int) -> None:
            before = len(self.model)
            self.model = [one for one in self.model if one[0] != id]
            assert self.store.remove(id) == (len(self.model) < before)

        def teardown(self) -> None:
            assert [(entry.id, entry.data) for entry in self.store.get({})] == self.model

    return Comparison


@pytest.mark.parametrize("kind", KINDS)
def test_store_when_used_at_random_then_answers_as_the_model(
    kind: str, request: pytest.FixtureRequest
) -> None:
    run_state_machine_as_test(
        machine_for(kind, request),
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
