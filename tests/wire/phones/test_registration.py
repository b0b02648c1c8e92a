"""Phones register: passwords, digest policies, transports, several on a line, one that is wrong about its address."""

from collections.abc import Callable

import pytest

from demo.phone import Phone
from demo.phone_messages import Transport
from tests.wire.phones.calling import header, received, sent
from tests.wire.phones.town import Town


def test_a_phone_registers_is_listed_and_unregisters(town: Town, registered: Callable[..., Phone]) -> None:
    alice = registered("alice")
    [binding] = town.run_json("registrations")
    assert binding["contact"] == f"sip:alice@{alice.address};ob"
    assert binding["source"] == f"udp:{alice.address}"
    assert 260 <= binding["expires_in_s"] <= 300  # up to 10 % less than asked for, and what passed since
    assert binding["user_agent"] == "pjsua2 (alice)"
    assert binding["is_behind_nat"] is False
    alice.unregister()
    town.wait_for_status(1.0, registrations=0)


@pytest.mark.parametrize(
    ("user", "password"), [("alice", "not-her-password"), ("nobody-here", "whatever-it-is")]
)
def test_a_wrong_password_and_an_unknown_user_are_refused_alike(
    town: Town, phone: Callable[..., Phone], user: str, password: str
) -> None:
    stranger = phone(town.settings(user, password=password))
    change = stranger.try_to_register()
    assert not change.is_registered
    answers = [seen.text.split("\r\n")[0].split("\n")[0] for seen in received(stranger, "SIP/2.0")]
    assert set(answers) == {"SIP/2.0 401 Unauthorized"}
    assert town.status()["registrations"] == 0


@pytest.mark.parametrize(
    ("user", "offered", "chosen"),
    [
        ("alice", ["MD5"], "MD5"),
        ("both", ["SHA-256", "MD5"], "SHA-256"),
        ("sha", ["SHA-256"], "SHA-256"),
    ],
)
def test_a_line_is_challenged_as_its_policy_says(
    town: Town, registered: Callable[..., Phone], user: str, offered: list[str], chosen: str
) -> None:
    phone = registered(user)
    challenge = received(phone, "SIP/2.0 401")[0]
    lines = [line for line in challenge.text.splitlines() if line.startswith("WWW-Authenticate:")]
    assert [algorithm_of(line) for line in lines] == offered
    answer = header(sent(phone, "REGISTER")[-1], "Authorization")
    assert answer is not None
    assert algorithm_of(answer) == chosen


def algorithm_of(field: str) -> str:
    """RFC 7616: without one it is MD5."""
    _, _, rest = field.partition("algorithm=")
    return rest.split(",")[0].strip('" ') if rest else "MD5"


def test_a_phone_registers_over_tcp(town: Town, registered: Callable[..., Phone]) -> None:
    alice = registered("alice", transport=Transport.TCP)
    assert {seen.transport for seen in alice.trace} == {"TCP"}
    [binding] = town.registrations("alice")
    assert binding["source"].startswith("tcp:127.0.0.1:")


def test_two_phones_may_be_on_one_line(town: Town, registered: Callable[..., Phone]) -> None:
    desk = registered("alice", name="desk")
    kitchen = registered("alice", name="kitchen")
    assert {row["source"] for row in town.registrations("alice")} == {
        f"udp:{desk.address}",
        f"udp:{kitchen.address}",
    }
    desk.unregister()
    assert [row["source"] for row in town.registrations("alice")] == [f"udp:{kitchen.address}"]


def test_a_phone_that_asks_for_too_short_a_time_is_told_the_minimum_and_registers_for_it(
    town: Town, phone: Callable[..., Phone]
) -> None:
    hasty = phone(town.settings("alice", register_for_s=20))
    hasty.try_to_register()
    [refusal] = received(hasty, "SIP/2.0 423")
    assert header(refusal, "Min-Expires") == "60"
    [binding] = town.registrations("alice")
    assert 55 <= binding["expires_in_s"] <= 60


def test_a_phone_behind_nat_is_pinged_where_it_really_is(
    town: Town, registered: Callable[..., Phone]
) -> None:
    alice = registered("alice", claimed_host="192.0.2.10")
    [binding] = town.registrations("alice")
    assert "@192.0.2.10:" in binding["contact"]
    assert binding["source"] == f"udp:127.0.0.1:{alice.address.partition(':')[2]}"
    assert binding["is_behind_nat"] is True
    ping = alice.wait_for_message("OPTIONS", timeout_s=10.0)
    assert "@192.0.2.10:" in ping.text.split("\n")[0]
    [binding] = town.registrations("alice")
    assert binding["is_dead"] is False
