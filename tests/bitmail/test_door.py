"""The door: guesses are slowed down, owners are not locked out, and a second factor is asked for where it is on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pyotp
import pytest
from argon2 import PasswordHasher

from bitmail.accounts import LOCKED, WRONG, Accounts, SignUp
from bitmail.audit import Action, Audit
from bitmail.door import (
    EXPIRED,
    NEW_ACCOUNTS,
    PER_ACCOUNT,
    PER_ADDRESS,
    PER_CODE,
    TICKET,
    Client,
    Door,
    Entered,
    network,
)
from bitmail.errors import CodeNeeded, LogInRefused, TooMany
from bitmail.invitations import DAYS, Invitations
from bitmail.passwords import COMMON, Passwords
from bitmail.secondfactor import RECOVERY_CODES, STEP, WRONG_CODE, SecondFactor
from bitmail.sessions import Sessions
from bitmail.throttle import Allowance, Bucket, Throttle
from store import MemoryStore

PASSWORD = "correct horse battery"
CHEAP = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
HOME, ELSEWHERE = Client("192.0.2.1", "Home"), Client("198.51.100.7", "Elsewhere")


@dataclass
class House:
    """A door with its accounts, at a time of its own."""

    sign_up: SignUp = SignUp.FIRST_LOG_IN
    now: float = 1_800_000_000.0
    store: MemoryStore = field(default_factory=MemoryStore)

    def __post_init__(self) -> None:
        def clock() -> float:
            return self.now

        self.accounts = Accounts(self.store, "mail.test", passwords=CHEAP, clock=clock)
        self.sessions = Sessions(self.store, clock=clock)
        self.second = SecondFactor(self.store, clock=clock)
        self.invitations = Invitations(self.store, clock=clock)
        self.audit = Audit(self.store, clock=clock)
        self.throttle = Throttle(self.store, clock=clock)
        self.door = Door(
            self.store, self.accounts, self.sessions, secret=b"x" * 32, sign_up=self.sign_up, clock=clock
        )

    def guess(self, client: Client, times: int, name: str = "ada") -> None:
        for number in range(times):
            with pytest.raises(LogInRefused, match=WRONG):
                self.door.enter(name, f"wrong password {number}", client)

    def wait(self, work: Callable[[], object]) -> float:
        with pytest.raises(TooMany) as refused:
            work()
        return refused.value.seconds


@pytest.fixture
def house() -> House:
    house = House()
    house.accounts.create("ada", PASSWORD)
    return house


def knows(entered: Entered, client: Client) -> Client:
    return Client(client.address, client.agent, entered.device)


def test_guesses_at_one_account_wait_longer_each_time_wherever_they_come_from(house: House) -> None:
    for number in range(PER_ACCOUNT.free):
        house.guess(Client(f"192.0.2.{number}"), 1)
    waits = []
    for number in range(5):
        waits.append(house.wait(lambda: house.door.enter("ada", PASSWORD, ELSEWHERE)))
        house.now += waits[-1]
        house.guess(Client(f"192.0.2.{100 + number}"), 1)
    assert waits == sorted(waits)
    assert waits[-1] > 3 * waits[0]
    assert waits[-1] <= PER_ACCOUNT.most


def test_a_known_browser_enters_while_others_guess(house: House) -> None:
    mine = knows(house.door.enter("ada", PASSWORD, HOME), HOME)
    house.guess(ELSEWHERE, PER_ACCOUNT.free)
    house.wait(lambda: house.door.enter("ada", PASSWORD, ELSEWHERE))
    assert house.door.enter("ada", PASSWORD, mine).account.name == "ada"
    # The mark is for one account alone, and cannot be made up.
    house.accounts.create("bob", PASSWORD)
    house.guess(ELSEWHERE, PER_ACCOUNT.free, "bob")
    for device in (mine.device, "", "x", mine.device[:-4] + "AAAA"):
        house.wait(
            lambda device=device: house.door.enter("bob", PASSWORD, Client("203.0.113.9", device=device))
        )  # type: ignore[misc]


def test_a_known_browser_that_guesses_is_slowed_down_as_well(house: House) -> None:
    mine = knows(house.door.enter("ada", PASSWORD, HOME), HOME)
    house.guess(mine, 10)
    assert house.wait(lambda: house.door.enter("ada", PASSWORD, mine)) >= 1


def test_one_address_that_tries_many_names_is_slowed_down_and_others_are_not(house: House) -> None:
    strict = House(SignUp.CLOSED, store=house.store)
    for number in range(PER_ADDRESS.free):
        strict.guess(ELSEWHERE, 1, f"name{number}")
    strict.wait(lambda: strict.door.enter("ada", PASSWORD, ELSEWHERE))
    assert strict.door.enter("ada", PASSWORD, HOME).account.name == "ada"


def test_the_right_password_costs_nothing_however_often(house: House) -> None:
    for _ in range(PER_ADDRESS.free + PER_ACCOUNT.free + 5):
        house.door.enter("ada", PASSWORD, HOME)


def test_many_guesses_at_once_get_no_more_than_one_after_another(house: House) -> None:
    bucket = Bucket("of these", Allowance(free=7))

    def one(_: int) -> bool:
        try:
            house.throttle.take(bucket)
        except TooMany:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(100))) == 7


def test_counts_of_strangers_do_not_pile_up(house: House) -> None:
    for number in range(500):
        house.throttle.take(Bucket(f"stranger {number}", Allowance(1, memory=100.0)))
        house.now += 10
    assert house.store.count({"kind": "throttle"}) < 150


def test_a_clock_set_back_does_not_lock_anyone_out(house: House) -> None:
    bucket = Bucket("of these", Allowance(free=1))
    house.throttle.take(bucket)
    house.wait(lambda: house.throttle.take(bucket))
    house.now -= 3600
    house.throttle.take(bucket)


def test_accounts_made_from_one_address_are_limited(house: House) -> None:
    for number in range(NEW_ACCOUNTS.free):
        house.door.enter(f"person{number}", PASSWORD, ELSEWHERE)
    assert house.wait(lambda: house.door.enter("onemore", PASSWORD, ELSEWHERE)) >= 60
    house.door.enter("onemore", PASSWORD, HOME)


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", "unknown"),
        ("testclient", "unknown"),
    ],
)
def test_an_ipv6_customer_is_one_whatever_address_they_take(address: str, counted: str) -> None:
    assert network(address) == counted


def test_where_accounts_are_not_made_by_logging_in_an_unknown_name_is_told_like_a_wrong_password() -> None:
    for sign_up in (SignUp.CLOSED, SignUp.INVITE):
        house = House(sign_up)
        house.accounts.create("ada", PASSWORD)
        for name in ("ada", "nobody-here"):
            with pytest.raises(LogInRefused) as refused:
                house.door.enter(name, "not the password", HOME)
            assert str(refused.value) == WRONG
        assert not house.accounts.exists("nobody-here")


def test_an_invitation_makes_one_account_within_its_time() -> None:
    house = House(SignUp.INVITE)
    code = house.invitations.make()
    guest = Client("192.0.2.1", invitation=code)
    with pytest.raises(LogInRefused, match=COMMON):
        house.door.enter("ada", "password", guest)
    assert house.door.enter("ada", PASSWORD, guest).account.name == "ada"
    with pytest.raises(LogInRefused, match=WRONG):
        house.door.enter("bob", PASSWORD, guest)
    late = house.invitations.make()
    house.now += DAYS * 86_400 + 1
    with pytest.raises(LogInRefused, match=WRONG):
        house.door.enter("bob", PASSWORD, Client("192.0.2.1", invitation=late))


@pytest.mark.parametrize(
    "password", ["password", "Password1", "12345678", "aaaaaaaa", "abababab", "adaadaada"]
)
def test_a_password_that_anybody_would_try_first_makes_no_account(password: str) -> None:
    house = House()
    with pytest.raises(LogInRefused):
        house.door.enter("adaadaada", password, HOME)
    assert not house.accounts.exists("adaadaada")


def test_a_locked_account_opens_for_nobody_until_it_is_unlocked(house: House) -> None:
    house.accounts.lock("ada")
    with pytest.raises(LogInRefused, match=LOCKED):
        house.door.enter("ada", PASSWORD, HOME)
    with pytest.raises(LogInRefused, match=WRONG):
        house.door.enter("ada", "not the password", HOME)
    house.accounts.lock("ada", is_locked=False)
    house.door.enter("ada", PASSWORD, HOME)


def turned_on(house: House) -> tuple[pyotp.TOTP, tuple[str, ...]]:
    app = pyotp.TOTP(house.second.begin("ada", "ada@mail.test").secret, interval=STEP)
    with pytest.raises(LogInRefused, match=WRONG_CODE):
        house.second.confirm("ada", "000000" if app.at(house.now) != "000000" else "000001")
    assert not house.second.is_on("ada")
    codes = house.second.confirm("ada", app.at(house.now))
    assert len(codes) == RECOVERY_CODES
    house.now += STEP
    return app, codes


def ticket(house: House, client: Client = HOME) -> str:
    with pytest.raises(CodeNeeded) as needed:
        house.door.enter("ada", PASSWORD, client)
    return needed.value.ticket


def test_with_a_second_factor_the_password_alone_opens_nothing(house: House) -> None:
    app, _ = turned_on(house)
    sessions = len(house.sessions.of("ada"))
    given = ticket(house)
    assert len(house.sessions.of("ada")) == sessions
    code = app.at(house.now)
    assert house.door.enter_code(given, code, HOME).account.name == "ada"
    with pytest.raises(LogInRefused, match=WRONG_CODE):
        house.door.enter_code(given, code, HOME)
    house.now += STEP
    assert house.door.enter("ada", PASSWORD, HOME, app.at(house.now)).account.name == "ada"


def test_a_recovery_code_opens_once(house: House) -> None:
    _, codes = turned_on(house)
    house.door.enter_code(ticket(house), f" {codes[0].upper()} ", HOME)
    with pytest.raises(LogInRefused, match=WRONG_CODE):
        house.door.enter_code(ticket(house), codes[0], HOME)
    house.door.enter_code(ticket(house), codes[1], HOME)


def test_a_ticket_is_for_one_account_and_for_minutes(house: House) -> None:
    app, _ = turned_on(house)
    given = ticket(house)
    for wrong in ("", "x", given[:-4] + "AAAA", "ä"):
        with pytest.raises(LogInRefused, match=EXPIRED):
            house.door.enter_code(wrong, app.at(house.now), HOME)
    house.now += TICKET + 1
    with pytest.raises(LogInRefused, match=EXPIRED):
        house.door.enter_code(given, app.at(house.now), HOME)


def test_codes_cannot_be_guessed_by_trying(house: House) -> None:
    turned_on(house)
    for number in range(PER_CODE.free):
        with pytest.raises(LogInRefused, match=WRONG_CODE):
            house.door.enter_code(ticket(house), f"{number}", HOME)
    house.wait(lambda: house.door.enter_code(ticket(house), "123456", HOME))


def test_a_reset_gives_a_new_password_and_takes_the_second_factor_off(house: House) -> None:
    turned_on(house)
    new = house.accounts.reset_password("ada")
    with pytest.raises(LogInRefused, match=WRONG):
        house.door.enter("ada", PASSWORD, HOME)
    assert house.door.enter("ada", new, HOME).account.name == "ada"


def test_the_trail_says_who_came_in_and_who_did_not(house: House) -> None:
    house.guess(ELSEWHERE, 1)
    house.door.enter("ada", PASSWORD, HOME)
    house.door.enter("bob", PASSWORD, HOME)
    trail = [(record.action, record.address) for record in house.audit.page("ada")]
    assert trail == [(Action.LOGGED_IN, "192.0.2.1"), (Action.REFUSED, "198.51.100.7")]
    assert [record.action for record in house.audit.page("bob")] == [Action.LOGGED_IN, Action.CREATED]
    assert "wrong password" not in repr(house.store.get({}))
