"""Fields of an INVITE that concern the call: Expires, Require, the Reason of its CANCEL, Diversion, History-Info."""

import pytest

from switch.conf_trunks import DiversionHeader
from switch.config import CallLimits
from tests.switch.house import House, Phone, make_account, make_conf, make_line, make_trunk

CARRIER = "192.0.2.50"


def make_house(**settings: object) -> tuple[House, Phone, Phone, Phone]:
    """A line alice, a line bob, and a carrier."""
    house = House(
        conf=make_conf(
            trunks=[make_trunk("carrier", CARRIER, **settings)], calls=CallLimits(no_answer_timeout_s=60)
        ),
        lines=[make_line("alice"), make_line("bob", 2)],
        accounts=[make_account(1), make_account(2)],
        numbers={"+441632960001": "alice", "+441632960002": "bob"},
    )
    alice, bob, carrier = (
        house.phone(user, host)
        for user, host in (("alice", "192.0.2.10"), ("bob", "192.0.2.11"), ("carrier", CARRIER))
    )
    alice.register()
    bob.register()
    alice.statuses.clear()
    return house, alice, bob, carrier


# Expires


@pytest.mark.parametrize(
    ("expires", "after_s", "status"),
    [
        ("10", 10, 487),
        ("0", 1, 487),
        ("600", 60, 480),
        ("99999999999999999999", 60, 480),
        ("Thu, 01 Dec 1994 16:00:00 GMT", 60, 480),
    ],
)
def test_an_invitation_expires_when_its_caller_says_so(expires: str, after_s: int, status: int) -> None:
    house, alice, bob, _ = make_house()
    bob.answer_after_s = None
    alice.invite("01632960002", extra=[("expires", expires)])
    house.run(after_s - 0.5)
    assert bob.requests_of("CANCEL") == []
    house.run(1)
    assert alice.statuses[-1] == status
    assert bob.requests_of("CANCEL")
    house.run(60)
    house.assert_clean()
    assert house.journal.cdrs()[0].q850_cause == 19


def test_an_answer_in_time_is_the_end_of_it() -> None:
    house, alice, _, _ = make_house()
    alice.invite("01632960002", extra=[("expires", "5")])
    house.run(30)
    assert alice.statuses[-1] == 200
    assert len(house.exchange.board.calls) == 1


def test_an_emergency_call_does_not_expire() -> None:
    house, alice, _, carrier = make_house()
    carrier.answer_after_s = 5.0
    alice.invite("999", extra=[("expires", "1")])
    house.run(10)
    assert alice.statuses[-1] == 200


# Require and Supported


@pytest.mark.parametrize("field", ["require", "proxy-require"])
@pytest.mark.parametrize("tag", ["precondition", "sec-agree", "replaces", "x"])
def test_what_a_box_between_two_ends_cannot_promise_is_420(field: str, tag: str) -> None:
    house, alice, bob, _ = make_house()
    alice.invite("01632960002", extra=[(field, f"timer, {tag}")])
    house.run(1)
    assert alice.statuses == [420]
    assert alice.responses[-1].headers.get("unsupported") == tag
    assert bob.requests_of("INVITE") == []


@pytest.mark.parametrize(("field", "tags"), [("require", "100rel, TIMER"), ("proxy-require", "privacy")])
def test_what_is_here_may_be_required(field: str, tags: str) -> None:
    house, alice, bob, _ = make_house()
    alice.invite("01632960002", extra=[(field, tags)])
    house.run(1)
    assert 420 not in alice.statuses
    invite = bob.requests_of("INVITE")[0]
    assert invite.headers.get("require") is None
    assert "PRACK" in invite.headers.tokens("allow")
    assert "UPDATE" in invite.headers.tokens("allow")


def test_options_and_answers_say_what_is_here() -> None:
    house, alice, _, _ = make_house()
    alice.invite("01632960002")
    house.run(2)
    answer = alice.responses[-1]
    alice.send_in_dialog("OPTIONS")
    house.run(1)
    for response in (answer, alice.responses[-1]):
        assert response.headers.tokens("supported") == ["100rel", "timer"]
        assert {"PRACK", "UPDATE"} <= set(response.headers.tokens("allow"))


# Reason of a CANCEL


@pytest.mark.parametrize(
    ("said", "passed"),
    [
        ('SIP;cause=200;text="Call completed elsewhere"', 'SIP;cause=200;text="Call completed elsewhere"'),
        ("Q.850;cause=31", "Q.850;cause=31"),
        ("nonsense", 'Q.850;cause=16;text="the caller gave up before the answer"'),
    ],
)
def test_the_reason_of_a_cancel_reaches_the_phone(said: str, passed: str) -> None:
    house, _, bob, carrier = make_house()
    bob.answer_after_s = None
    carrier.invite("+441632960002")
    house.run(1)
    carrier.stack.cancel(carrier.invites[-1], house.clock.now, [("reason", said)])
    house.run(1)
    assert bob.requests_of("CANCEL")[0].headers.get("reason") == passed


# Diversion, History-Info

DIVERTED = "<sip:+441632960777@carrier.example>;reason=no-answer;counter=1"
HISTORY = (
    "<sip:+441632960777@carrier.example>;index=1, "
    "<sip:+441632960002@carrier.example?Reason=SIP%3Bcause%3D302>;index=1.1"
)


def passed(house: House, callee: Phone, name: str) -> list[str]:
    house.run(1)
    return callee.requests_of("INVITE")[-1].headers.values(name)


def test_a_line_is_told_from_where_a_carriers_call_was_diverted() -> None:
    house, _, bob, carrier = make_house()
    carrier.invite("+441632960002", extra=[("diversion", DIVERTED), ("history-info", HISTORY)])
    assert passed(house, bob, "diversion") == [DIVERTED]
    assert passed(house, bob, "history-info") == HISTORY.split(", ")


@pytest.mark.parametrize(
    ("diversion", "count"),
    [
        (f"{DIVERTED};privacy=off", 1),
        (f"{DIVERTED};privacy=full", 0),
        (f'{DIVERTED};privacy="uri"', 0),
        (f"{DIVERTED};privacy=full, {DIVERTED}", 1),
        (", ".join([DIVERTED] * 40), 5),
        ("<sip:", 0),
        (f"<sip:{'9' * 600}@carrier.example>", 0),
    ],
)
def test_who_diverted_may_be_private_and_there_is_a_limit(diversion: str, count: int) -> None:
    house, _, bob, carrier = make_house()
    carrier.invite("+441632960002", extra=[("diversion", diversion)])
    assert len(passed(house, bob, "diversion")) == count


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ([("history-info", HISTORY), ("privacy", "history")], 0),
        ([("history-info", HISTORY), ("privacy", "id")], 2),
        ([("history-info", HISTORY.replace("?Reason", "?Privacy=history&Reason"))], 1),
        ([("history-info", ", ".join(["<sip:a@b>;index=1"] * 21))], 0),
    ],
)
def test_a_history_may_be_private_and_has_a_limit(fields: list[tuple[str, str]], count: int) -> None:
    house, _, bob, carrier = make_house()
    carrier.invite("+441632960002", extra=fields)
    assert len(passed(house, bob, "history-info")) == count


@pytest.mark.parametrize("form", list(DiversionHeader))
def test_what_a_line_claims_of_a_diversion_is_dropped(form: DiversionHeader) -> None:
    house, alice, bob, carrier = make_house(diversion=form)
    for dialled, callee in (("01632960002", bob), ("01632960123", carrier)):
        alice.invite(dialled, extra=[("diversion", DIVERTED), ("history-info", HISTORY)])
        assert passed(house, callee, "diversion") == []
        assert passed(house, callee, "history-info") == []
