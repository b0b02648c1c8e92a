"""Who comes in, who does not, and when it ends."""

from functools import partial
from typing import Literal

import argon2
import pytest

from portal.conf import PortalConf, PortalDoor
from portal.login import LoginDesk
from portal.login_throttle import FREE_OF_NAME, FREE_OF_PAIR, LoginThrottle
from portal.passwords import Passwords
from portal.requests import read_own_path
from portal.roles import Role
from portal.sessions import SESSIONS_OF_ONE_MAX
from portal.staff import add_staff, list_sessions, list_staff, remove_staff, set_disabled, set_password
from tests.portal.visitors import CHEAP, HASH, PASSWORD, House, in_house, words_of

behind_a_proxy = partial(in_house, conf=PortalConf(door=PortalDoor(proxies=("192.0.2.10",))))


@in_house
async def test_a_name_and_a_password_open_a_session(house: House) -> None:
    await house.add("anna")
    browser = house.browser()
    assert (await browser.get("/")).headers["location"] == "/login?next=/"
    answer = await browser.log_in("anna", after="/faults?state=open")
    assert (answer.status_code, answer.headers["location"]) == (303, "/faults?state=open")
    (cookie,) = [text for text in answer.headers.get_list("set-cookie") if text.startswith("offhook-portal=")]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Secure" not in cookie
    assert (await browser.get("/")).status_code == 200
    (session,) = await list_sessions(house.db, now=house.clock.now())
    assert (session.name, session.address) == ("anna", "192.0.2.10")


@behind_a_proxy
async def test_over_https_the_cookie_is_for_this_host_and_https_alone(house: House) -> None:
    await house.add("anna")
    browser = house.browser()
    browser.http.headers["X-Forwarded-For"] = "203.0.113.9, 198.51.100.7"
    answer = await browser.log_in("anna")
    (cookie,) = [text for text in answer.headers.get_list("set-cookie") if text.startswith("__Host-offhook=")]
    assert "Secure" in cookie and "Path=/" in cookie and "Domain" not in cookie
    assert answer.headers["strict-transport-security"]
    (session,) = await list_sessions(house.db, now=house.clock.now())
    assert session.address == "198.51.100.7", "what the proxy saw, not what it was told"


@behind_a_proxy
async def test_behind_a_proxy_nobody_else_is_let_in(house: House) -> None:
    stranger = house.browser("192.0.2.11")
    stranger.http.headers["X-Forwarded-For"] = "192.0.2.10"
    assert (await stranger.get("/login")).status_code == 403


@in_house
async def test_every_no_is_the_same_no(house: House) -> None:
    await house.add("anna")
    await house.add("bert")
    await set_disabled(house.db, "bert", is_disabled=True)
    answers = {
        (answer.status_code, words_of(answer).replace(name, "X"))
        for name, password in (
            ("anna", "wrong"),
            ("nobody", PASSWORD),
            ("bert", PASSWORD),
            ("x' OR 1=1", "y" * 5000),
        )
        for answer in [await house.browser().log_in(name, password[:300])]
    }
    assert answers == {(401, "Log in The name or the password is not right. Name Password Log in")}


class Counting(argon2.PasswordHasher):
    """What each look at a password costs, which is what somebody outside can measure."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.costs: list[str] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - argon2's name
        self.costs.append(str(hash).rpartition("$")[0].rpartition("$")[0])
        return super().verify(hash, password)


@in_house
async def test_every_no_costs_one_look_at_a_hash_of_the_same_cost(house: House) -> None:
    hasher = Counting()
    passwords = Passwords(hasher)
    for name in ("anna", "bert"):
        await add_staff(house.db, name, password_hash=passwords.hash(PASSWORD), role=Role.SUPPORT)
    await set_disabled(house.db, "bert", is_disabled=True)
    house.desk.login = LoginDesk(passwords, house.counts)
    costs = set()
    for name, password in (("anna", "wrong"), ("nobody", PASSWORD), ("bert", PASSWORD), ("x' OR 1=1", "y"),
                           ("anna", "z" * 290)):  # fmt: skip
        hasher.costs.clear()
        assert (await house.browser().log_in(name, password)).status_code == 401
        costs.add(tuple(hasher.costs))
    assert len(costs) == 1 and len(costs.pop()) == 1


@in_house
async def test_who_guesses_waits_longer_and_longer_whether_the_name_is_known_or_not(house: House) -> None:
    await house.add("anna")
    for name in ("anna", "nobody"):
        browser = house.browser(f"192.0.2.{20 + len(name)}")
        for _ in range(FREE_OF_PAIR):
            assert (await browser.log_in(name, "wrong")).status_code == 401
        answer = await browser.log_in(name)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "15")
        assert "in 15 seconds" in words_of(answer)
        house.clock.advance(seconds=16)
        assert (await browser.log_in(name, "wrong")).status_code == 401
        assert (await browser.log_in(name)).headers["retry-after"] == "30"
    house.clock.advance(seconds=31)
    assert (await house.browser("192.0.2.24").log_in("anna")).status_code == 303


@in_house
async def test_a_session_ends_by_logout_idleness_and_its_absolute_time(house: House) -> None:
    browser = await house.logged_in("anna")
    assert (await browser.send("/", "/logout")).headers["location"] == "/login"
    assert (await browser.get("/")).status_code == 303
    assert await list_sessions(house.db, now=house.clock.now()) == []

    await browser.log_in("anna")
    house.clock.advance(minutes=59)
    assert (await browser.get("/")).status_code == 200
    house.clock.advance(minutes=61)
    assert (await browser.get("/")).status_code == 303

    await browser.log_in("anna")
    for _ in range(13):
        house.clock.advance(minutes=55)
        assert (await browser.get("/")).status_code == 200
    house.clock.advance(minutes=30)
    assert (await browser.get("/")).status_code == 303


@in_house
async def test_a_new_password_a_ban_and_a_removal_end_every_session(house: House) -> None:
    browser = await house.logged_in("anna")
    assert await set_password(house.db, "anna", password_hash=HASH) == 1
    assert (await browser.get("/")).status_code == 303
    await browser.log_in("anna")
    assert await set_disabled(house.db, "anna", is_disabled=True) == 1
    assert (await browser.get("/")).status_code == 303
    await set_disabled(house.db, "anna", is_disabled=False)
    await browser.log_in("anna")
    await remove_staff(house.db, "anna")
    assert (await browser.get("/")).status_code == 303


@in_house
async def test_somebody_has_so_many_sessions_and_no_more(house: House) -> None:
    first = await house.logged_in("anna")
    for _ in range(SESSIONS_OF_ONE_MAX):
        house.clock.advance(seconds=1)
        await house.browser().log_in("anna")
    assert len(await list_sessions(house.db, now=house.clock.now())) == SESSIONS_OF_ONE_MAX
    assert (await first.get("/")).status_code == 303


@in_house
async def test_a_form_without_its_token_does_nothing(house: House) -> None:
    browser = await house.logged_in("anna")
    assert (await browser.post("/logout", form="")).status_code == 403
    assert (await browser.post("/logout", form="0" * 64)).status_code == 403
    assert (await browser.post("/logout", form="\u00e9" * 64)).status_code == 403
    assert (await browser.get("/")).status_code == 200
    other = house.browser()
    fields = {"name": "anna", "password": PASSWORD, "next": "/", "form": "0" * 64}
    assert (await other.post("/login", **fields)).status_code == 403


@in_house
async def test_a_hash_of_other_costs_is_made_anew_at_the_next_login(house: House) -> None:
    old = argon2.PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash(PASSWORD)
    await house.add("anna")
    await set_password(house.db, "anna", password_hash=old)
    assert (await house.browser().log_in("anna")).status_code == 303
    stored = await house.db.fetchval("SELECT password_hash FROM staff")
    assert stored != old and not CHEAP.is_outdated(stored) and CHEAP.fits(stored, PASSWORD)
    assert len(await list_sessions(house.db, now=house.clock.now())) == 1


@in_house
async def test_the_books_hold_nothing_to_log_in_with(house: House) -> None:
    browser = await house.logged_in("anna", Role.ADMIN)
    token = browser.http.cookies["offhook-portal"]
    for table in ("staff", "staff_sessions", "staff_addresses"):
        rows = await house.db.fetch(f"SELECT x::text FROM {table} x")
        assert all(token not in row[0] and PASSWORD not in row[0] for row in rows)
    (view,) = await list_staff(house.db, now=house.clock.now())
    assert (view.role, view.sessions) == (Role.ADMIN, 1)


def test_nobody_can_lock_out_somebody_where_he_has_logged_in_before() -> None:
    throttle = LoginThrottle()
    for at in range(FREE_OF_NAME * 3):
        throttle.begin("anna", f"198.51.100.{at}", is_known_there=False, now=0.0)
    assert throttle.begin("anna", "203.0.113.1", is_known_there=False, now=1.0) > 0.0
    assert throttle.begin("anna", "192.0.2.10", is_known_there=True, now=1.0) == 0.0
    throttle.succeeded("anna", "192.0.2.10", is_known_there=True)
    assert throttle.begin("anna", "203.0.113.1", is_known_there=False, now=1.0) > 0.0, (
        "which helps nobody else"
    )
    assert throttle.begin("bert", "203.0.113.1", is_known_there=False, now=1.0) == 0.0


def test_a_source_waits_over_all_names_and_a_success_is_no_failure() -> None:
    throttle = LoginThrottle()
    for at in range(200):
        assert throttle.begin(f"member{at}", "192.0.2.10", is_known_there=True, now=0.0) == 0.0
        throttle.succeeded(f"member{at}", "192.0.2.10", is_known_there=True)
    waits = [throttle.begin(f"name{at}", "192.0.2.10", is_known_there=False, now=0.0) for at in range(30)]
    assert waits[0] == 0.0 and waits[-1] > 0.0
    assert throttle.begin("name1", "192.0.2.11", is_known_there=False, now=0.0) == 0.0


def test_what_the_throttle_remembers_is_bounded() -> None:
    throttle = LoginThrottle()
    for at in range(25_000):
        throttle.begin(f"name{at}", f"source{at}", is_known_there=False, now=0.0)
    assert throttle.remembered <= 30_000


@pytest.mark.parametrize(
    "path",
    [
        "//example.com/",
        "/\\example.com",
        "https://example.com/",
        "javascript:alert(1)",
        "",
        "/a\nb",
        "/\u00e9",
        "/" * 2,
    ],
)
def test_a_login_leads_nowhere_else(path: str) -> None:
    assert read_own_path(path) == "/"


def test_a_login_leads_to_pages_of_ours() -> None:
    assert read_own_path("/calls/c-1?x=%2B44&y=1#") == "/"
    assert read_own_path("/calls/c-1?x=%2B44&y=1") == "/calls/c-1?x=%2B44&y=1"
