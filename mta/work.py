"""The work in hand: the deliveries that this container holds, from their claim to their settlement.

Everything here is in memory and guarded by one lock. No database, provider or listener is touched under it.
"""

from __future__ import annotations

import bisect
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from mta.claim import Claim, Result
from mta.events import Event, EventKind
from mta.leases import CLOCK_SLACK
from mta.outcomes import Answer, Outcome, Status
from mta.report import attempt_events, nobody_left_event, notice, provider_event, status_change
from mta.runs import Run, Runs, Task
from mta.schedule import Choice, Schedule
from mta.service import ProviderHealth, Service, Transition
from mta.settings import ContainerSettings, WhenDown
from mta.settling import Settlement
from mta.steering import Plan
from mta.verdict import STOPPED_DURING, Circumstances, Verdict, judge, postponed, unsettled


@dataclass(frozen=True, slots=True)
class Settled:
    """A settlement to be written, and what operators are told once it is."""

    task: Task
    settlement: Settlement
    events: tuple[Event, ...]
    at: float

    def as_of(self, now: float) -> Settled:
        """The same, with its wait as long as it was, if the clock was set back since."""
        if self.at <= now + CLOCK_SLACK:
            return self
        verdict = self.settlement.verdict
        if verdict.due is not None:
            verdict = replace(verdict, due=now + verdict.due - self.at)
        return replace(self, settlement=replace(self.settlement, verdict=verdict), at=now)


@dataclass(frozen=True, slots=True)
class Errand:
    """What the spool thread has to do in one turn.

    Attributes:
        settled: to be written, and then told.
        events: to be told.
        renew: deliveries whose leases are to be renewed.
        want: deliveries to be claimed, at most.
        now: when, in seconds since the epoch.
        set_back: seconds by which the clock was set back since the turn before, or 0.
    """

    settled: list[Settled]
    events: list[Event]
    renew: tuple[str, ...]
    want: int
    now: float
    set_back: float = 0.0


class Work:
    """The work in hand of one container."""

    def __init__(
        self,
        schedule: Schedule,
        settings: ContainerSettings,
        clock: Callable[[], float],
        chance: random.Random,
    ) -> None:
        self._schedule = schedule
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        """Notified when the spool thread may have something to do."""
        self._held: dict[str, Task] = {}
        self._waiting: list[Task] = []
        self._runs = Runs(self.lock, settings.overrun)
        self._settled: list[Settled] = []
        self._events: list[Event] = []
        self._claimed = 0
        self._last_renewal = 0.0
        self._nobody_left = False
        self._in_trouble = False
        self._stopping = False
        self._latest = float("-inf")
        self._set_back = 0.0

    def start(self, hire: Callable[[], None], call: Callable[[], None]) -> None:
        """Begin; `hire` starts one more thread that takes attempts, and `call` says that there are some that converse,
        or will be none; both are called under the lock.
        """
        with self.lock:
            self._runs.start_with(hire, call)

    # The spool thread

    def errand(self) -> Errand:
        """What is to be written and claimed now."""
        with self.lock:
            now, ticks = self._now(), time.monotonic()
            self._schedule.wake(now)
            self._write_off(now)
            self._assign(now, all_of_them=self._schedule.is_impaired())
            want = self._want(now, ticks)
            if not want:
                self._make_way(now, ticks)
            renew: tuple[str, ...] = ()
            # In trouble at every turn, as the try that ends it when there is nothing else to write.
            if self._in_trouble or ticks - self._last_renewal >= self._settings.lease_seconds / 3:
                renew = tuple(self._held)
            settled = [one.as_of(now) for one in self._settled]
            errand = Errand(settled, self._events, renew, want, now, self._set_back)
            self._settled, self._events, self._set_back = [], [], 0.0
            return errand

    def written(self, errand: Errand, claims: Iterable[Claim]) -> None:
        """Go on after a turn was committed: let go what is settled, take up what was claimed."""
        with self.lock:
            self._in_trouble = False
            if errand.renew:
                self._last_renewal = time.monotonic()
            for one in errand.settled:
                if not one.settlement.verdict.again:
                    self._let_go(one.task)
            now = self._now()
            for claim in claims:
                self._admit(claim, now)
            self._assign(now, all_of_them=self._schedule.is_impaired())

    def not_written(self, settled: list[Settled]) -> None:
        """Keep what a turn could not write; nothing is started until one succeeds."""
        with self.lock:
            self._settled = settled + self._settled
            self._in_trouble = True

    def has_news(self) -> bool:
        """Whether something waits to be written or told."""
        with self.lock:
            return bool(self._settled or self._events)

    def is_busy(self) -> bool:
        """Whether the providers have enough to do from what was claimed ahead."""
        with self.lock:
            return bool(self._waiting and self._runs)

    def is_sated(self) -> bool:
        """Whether no provider has room, and more is claimed for when one has."""
        with self.lock:
            return (
                self.is_busy() and min(self._schedule.room(self._now(), time.monotonic()), self._free()) <= 0
            )

    def is_in_trouble(self) -> bool:
        """Whether the spool could not be reached the last time."""
        with self.lock:
            return self._in_trouble

    def is_over(self) -> bool:
        """Whether the work ended, by a stop or since no provider is left, and all in flight is written."""
        with self.lock:
            return self._is_ending() and not (self._runs or self._settled or self._events)

    def is_ending(self) -> bool:
        """Whether no attempt is made any more."""
        with self.lock:
            return self._is_ending()

    def has_lost_all(self) -> bool:
        """Whether the work ended since no provider is left."""
        with self.lock:
            return self._nobody_left and not self._stopping

    def next_change(self) -> float:
        """Seconds until something is to be done without anybody saying so; infinity if nothing is."""
        with self.lock:
            refill = self._schedule.refill_in(time.monotonic()) if self._waiting else float("inf")
            return max(0.0, min(refill, self._runs.next_overdue()))

    # The threads that make attempts

    def take(self, idle_seconds: float) -> Run | None:
        """Wait for an attempt to be made; None when there is none for so long, or no more."""
        with self.lock:
            return self._runs.take(0.0 if self._is_ending() else idle_seconds)

    def take_conversing(self) -> list[Run]:
        """Every attempt to be made that converses."""
        with self.lock:
            return self._runs.take_conversing()

    def started(self, run: Run) -> None:
        """Note that an attempt is written down, and that the network comes next."""
        with self.lock:
            run.start()

    def not_started(self, run: Run, *, ours: bool) -> None:
        """Put back an attempt that was not made.

        Args:
            run: the attempt.
            ours: the spool could not be reached, so the delivery is tried again; else it is no longer ours.
        """
        with self.lock:
            self._runs.ended(run)
            run.service.give_back(trial=run.trial)
            if ours:
                self._in_trouble = True
                self._wait_for_room(run.task)
            else:
                self._let_go(run.task)
            self._assign(self._now())
            self.changed.notify()

    def finished(self, run: Run, answer: Answer) -> None:
        """Judge an answer: what becomes of the delivery, and of the provider."""
        with self.lock:
            self._runs.ended(run)
            if not run.written_off:
                run.service.ended()
                self._judge(run, answer, self._now())
            elif answer.outcome is Outcome.ACCEPTED:  # late, but now it is known
                self._judge_delivery(Task(run.claim, 0), run, answer, self._now())
            self._assign(self._now(), all_of_them=False)
            # While the providers have enough to do, the spool thread comes by itself; waking costs.
            if len(self._settled) <= 1 or not self.is_busy() or self._is_ending():
                self.changed.notify()

    # Operators

    def stop(self) -> None:
        """Start nothing more, and give back what was not started."""
        with self.lock:
            self._stopping = True
            self._assign(self._now())
            self._runs.dismiss()
            self.changed.notify_all()

    def steer(self, plan: Plan) -> None:
        """Go by what operators set of the schedule."""
        with self.lock:
            self._schedule.steer(plan)
            self.changed.notify()

    def scheduler(self) -> str:
        """The name of the scheduler that picks now."""
        with self.lock:
            return self._schedule.scheduler

    def states(self) -> list[tuple[str, str, float | None, int, str]]:
        """The name of each provider, its state, until when that is so, its weight, and the scheduler."""
        with self.lock:
            scheduler = self._schedule.scheduler
            return [
                (one.name, str(one.state), one.until, one.provider.options.weight, scheduler)
                for one in self._schedule.services
            ]

    def health(self) -> tuple[ProviderHealth, ...]:
        """How each provider is."""
        with self.lock:
            return tuple(service.health() for service in self._schedule.services)

    def checked(self, name: str, answer: Answer) -> None:
        """Learn from a check of a provider's credentials: bad ones take it out before a mail meets them."""
        with self.lock:
            service = self._schedule.named(name)
            if service is not None and answer.outcome is Outcome.MISCONFIGURED and not answer.sender_only:
                change = service.misconfigured(answer.detail)
                self._note(service, change, answer.detail, self._now())
                self.changed.notify()

    def restore(self, name: str) -> None:
        """Put a provider back into service.

        Raises:
            KeyError: there is no such provider.
        """
        with self.lock:
            service = self._schedule.named(name)
            if service is None:
                raise KeyError(name)
            service.restore()
            self._note(service, Transition.RETURNED, "An operator put it back.", self._now())
            self.changed.notify()

    def withdraw(self, name: str) -> bool:
        """Take a provider out of service until `restore`; False when no other is left, and it stays.

        Raises:
            KeyError: there is no such provider.
        """
        with self.lock:
            service, now = self._schedule.named(name), self._now()
            if service is None:
                raise KeyError(name)
            is_last = not any(one is not service and not one.is_out for one in self._schedule.services)
            if is_last and not service.is_out:
                text = f"{name} is the last provider in service, so an operator cannot take it out."
                self._events.append(Event(EventKind.WARNING, now, text, provider=name))
            else:
                service.withdraw()
                self._note(service, Transition.WITHDRAWN, "", now)
            self.changed.notify()
            return service.is_out

    # Claim

    def _want(self, now: float, ticks: float) -> int:
        if self._is_ending():
            return 0
        room = min(self._schedule.room(now, ticks), self._free())
        return max(0, room + self._schedule.ahead() - len(self._waiting))

    def _free(self) -> int:
        return self._settings.concurrency - len(self._runs)

    def _admit(self, claim: Claim, now: float) -> None:
        """Take up what was claimed; its status says where it comes from."""
        if claim.id in self._held:
            return  # ours already: its lease had almost run out
        self._claimed += 1
        task = self._held[claim.id] = Task(claim, self._claimed)
        if claim.status is Status.SENDING:
            self._recover(task, now)
        elif claim.status is Status.UNCERTAIN and (verdict := unsettled(claim)) is not None:
            self._settle(task, claim, verdict, now)
        else:
            self._wait_for_room(task)

    def _recover(self, task: Task, now: float) -> None:
        """The container that held it died during an attempt: nobody knows whether the provider took it."""
        answer = Answer(Outcome.UNCERTAIN, STOPPED_DURING)
        verdict = judge(task.claim, answer, self._circumstances(task.claim.provider, now))
        events = attempt_events(task.claim, answer, verdict, now)
        self._settle(task, task.claim, verdict, now, Result(answer.outcome, 0, answer.detail), events)

    def _let_go(self, task: Task) -> None:
        if self._held.get(task.claim.id) is task:
            del self._held[task.claim.id]

    def _circumstances(self, provider: str, now: float) -> Circumstances:
        service = self._schedule.named(provider)
        idempotent = service is not None and service.provider.idempotent
        return Circumstances(provider, idempotent, now, self._chance.random(), self._settings)

    # Schedule

    def _wait_for_room(self, task: Task) -> None:
        bisect.insort(self._waiting, task, key=lambda one: (one.claim.priority, one.order))

    def _assign(self, now: float, *, all_of_them: bool = True) -> None:
        """Give what waits to providers with room, most urgent first; settle what nobody can take.

        Args:
            now: the time in seconds since the epoch.
            all_of_them: look also at those that come after the room is used up, to settle them.
        """
        if self._is_ending():
            self._give_back_all(now)
            return
        if self._in_trouble:
            return
        ticks = time.monotonic()
        for task in list(self._waiting):
            if self._free() <= 0 or not (all_of_them or self._schedule.room(now, ticks)):
                break
            choice = self._schedule.choose(task.claim, task.tried, now, ticks, self._chance.random())
            if choice is None:
                continue
            self._waiting.remove(task)
            if isinstance(choice, Choice):
                self._runs.send_off(task, choice)
            else:
                self._settle(task, task.claim, choice, now)

    def _make_way(self, now: float, ticks: float) -> None:
        """When all that waits wants providers that are full, put it back, lest the others starve."""
        if self._in_trouble or min(self._schedule.room(now, ticks), self._free()) <= 0:
            return
        for task in self._waiting:
            self._settle(task, task.claim, postponed(task.claim, now, now + self._settings.poll), now)
        self._waiting.clear()

    def _give_back_all(self, now: float) -> None:
        self._waiting.extend(self._runs.pull_back())
        for task in self._waiting:
            self._settle(task, task.claim, postponed(task.claim, now, now), now)
        self._waiting.clear()

    def _is_ending(self) -> bool:
        terminates = self._settings.when_down is WhenDown.TERMINATE
        return self._stopping or (self._nobody_left and terminates)

    # Outcome

    def _write_off(self, now: float) -> None:
        """A provider that does not answer at all holds up neither the delivery nor itself."""
        for run in self._runs.overdue():
            run.service.ended()
            self._judge(run, Answer(Outcome.UNCERTAIN, f"No answer within {run.seconds():.0f} seconds."), now)

    def _judge(self, run: Run, answer: Answer, now: float) -> None:
        """What becomes of the delivery, and of the provider."""
        service = run.service
        self._schedule.learn(service, answer.outcome, run.seconds())
        service.timed(answer.outcome, run.seconds())
        change = service.record(answer, run.claim.sender, now, self._chance.random(), trial=run.trial)
        self._judge_delivery(run.task, run, answer, now)
        self._note(service, change, answer.detail, now)

    def _judge_delivery(self, task: Task, run: Run, answer: Answer, now: float) -> None:
        verdict = judge(run.claim, answer, self._circumstances(run.service.name, now))
        events = attempt_events(run.claim, answer, verdict, now)
        ms = round(run.seconds() * 1000)
        result = Result(answer.outcome, ms, answer.detail, answer.provider_id, answer.whole)
        if verdict.again:
            task.unwritten = result
            if verdict.tried:
                task.tried.add(run.service.name)
        self._settle(task, run.claim, verdict, now, result, events)

    def _settle(
        self,
        task: Task,
        claim: Claim,
        verdict: Verdict,
        now: float,
        result: Result | None = None,
        events: Sequence[Event] = (),
    ) -> None:
        """Have a verdict written; a delivery that goes on at once waits for room again."""
        change = status_change(claim, verdict, now) if verdict.status is not claim.status else None
        told = notice(claim, verdict, now) if verdict.notice else None
        settlement = Settlement(claim, verdict, result, change, told)
        self._settled.append(Settled(task, settlement, tuple(events), now))
        if verdict.again:
            task.claim = verdict.carry_on(claim)
            self._wait_for_room(task)

    # Event

    def _note(self, service: Service, change: Transition, detail: str, now: float) -> None:
        """Tell what an answer did to a provider, and see whether any is left."""
        if change is Transition.NONE:
            return
        self._events.append(provider_event(service.health(), change, detail, now))
        if change is Transition.RETURNED:
            self._nobody_left = False
            return
        for task in self._runs.pull_back(service):
            self._wait_for_room(task)
        if self._schedule.nobody_left() and not self._nobody_left:
            self._nobody_left = True
            self._events.append(nobody_left_event(self._settings.when_down, now))

    # Time

    def _now(self) -> float:
        """The time in seconds since the epoch. When the clock is set back, pauses keep their length."""
        now = self._clock()
        if (back := self._latest - now) > CLOCK_SLACK:
            self._set_back += back
            for service in self._schedule.services:
                service.clock_was_set_back(back)
            self._latest = now
        self._latest = max(self._latest, now)
        return now
