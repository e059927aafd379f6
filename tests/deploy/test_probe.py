"""Whether a host serves a release."""

from __future__ import annotations

import threading

from deploy.probe import unless_hopeless


def test_a_service_when_it_answers_then_what_is_wrong_is_said() -> None:
    assert unless_hopeless(lambda: "another release", lambda: False) == "another release"
    assert unless_hopeless(lambda: "", lambda: False) == ""


def test_a_service_when_it_ends_again_and_again_then_its_answer_is_not_waited_for() -> None:
    looked = []
    answer = threading.Event()

    def is_hopeless() -> bool:
        looked.append(1)
        return len(looked) > 2

    try:
        wrong = unless_hopeless(lambda: str(answer.wait(60)), is_hopeless)
        assert wrong == "it ends again and again before it answers"
        assert len(looked) == 3
    finally:
        answer.set()
