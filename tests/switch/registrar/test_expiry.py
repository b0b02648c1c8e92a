"""How long a registration lasts: what was asked for, its limits, and its jitter (RFC 3261 10.2.1.1, 10.3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.registrar.bindings import RegistrarLimits
from tests.switch.registrar.desk import Desk, listed
from tests.switch.registrar.phones import HOME, HOME_URI, register


@pytest.mark.parametrize(
    ("parameter", "field", "granted"),
    [
        (None, None, 3000),
        (None, "600", 600),
        ("300", "600", 300),
        ("300", None, 300),
        ("3600", None, 3600),
        ("7200", None, 3600),
        (None, "4294967295", 3600),
        (None, "99999999999999999999", 3600),
        ("0000060", None, 60),
        # 20.10: malformed is 3600
        ("soon", "600", 3600),
        ("-1", "600", 3600),
        ("1_0", None, 3600),
        (None, "", 3600),
        (None, "60 seconds", 3600),
    ],
)
def test_expiry_is_the_parameters_or_the_fields_or_the_default_up_to_the_maximum(
    parameter: str | None, field: str | None, granted: int
) -> None:
    desk = Desk(RegistrarLimits(default_expires_s=3000, max_expires_s=3600))
    contact = HOME if parameter is None else f"{HOME};expires={parameter}"
    assert listed(desk.ask(register(contact, expires=field))) == [f"<{HOME_URI}>;expires={granted}"]


@pytest.mark.parametrize("seconds", ["1", "59"])
def test_too_short_an_expiry_is_answered_423_with_the_minimum(seconds: str) -> None:
    desk = Desk()
    result = desk.ask(register(HOME, expires=seconds))
    assert (result.status, result.reason) == (423, "Interval Too Brief")
    assert result.headers == [("Min-Expires", "60")]
    assert not result.changed
    assert desk.contacts() == []
    assert desk.ask(register(HOME, cseq=2, expires="60")).status == 200


def granted_s(desk: Desk, user: str, expires: str, *, cseq: int = 1, now: float = 0.0) -> int:
    contact = f"<sip:{user}@192.168.1.20:5060>"
    result = desk.ask(register(contact, user=user, expires=expires, cseq=cseq), user=user, now=now)
    (told,) = listed(result)
    (phone,) = desk.bindings.of(user, now)
    seconds = int(told.partition(";expires=")[2])
    assert phone.expires_at == now + seconds  # what the phone is told is what holds
    return seconds


def test_phones_that_come_together_do_not_come_back_together() -> None:
    desk = Desk(jitter_percent=10)
    granted = [granted_s(desk, f"10{number:03}", "3600") for number in range(1000)]
    assert (min(granted), max(granted)) == (3240, 3600)
    tenths = [sum(start <= seconds < start + 36 for seconds in granted) for start in range(3240, 3600, 36)]
    assert all(50 < count < 150 for count in tenths), tenths


def test_a_phone_is_granted_the_same_at_every_renewal_so_that_phones_drift_apart() -> None:
    desk = Desk(jitter_percent=10)
    first = [granted_s(desk, f"10{number:03}", "3600") for number in range(20)]
    again = [granted_s(desk, f"10{number:03}", "3600", cseq=2, now=3000.0) for number in range(20)]
    assert again == first


@given(
    asked_s=st.integers(1, 100_000),
    min_s=st.integers(1, 3600),
    max_s=st.integers(60, 604_800),
    percent=st.integers(0, 50),
    user=st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True),
)
def test_jitter_only_shortens_and_never_below_the_minimum(
    asked_s: int, min_s: int, max_s: int, percent: int, user: str
) -> None:
    min_s = min(min_s, max_s)
    desk = Desk(RegistrarLimits(min_expires_s=min_s, max_expires_s=max_s), jitter_percent=percent)
    wanted_s = min(asked_s, max_s)
    if wanted_s < min_s:
        result = desk.ask(register(HOME, expires=str(asked_s)))
        assert (result.status, result.headers) == (423, [("Min-Expires", str(min_s))])
        return
    granted = granted_s(desk, user, str(asked_s))
    assert max(min_s, wanted_s - wanted_s * percent // 100) <= granted <= wanted_s


def test_with_jitter_the_minimum_is_granted_whole_and_expires_0_still_ends_a_binding() -> None:
    desk = Desk(jitter_percent=50)
    assert {granted_s(desk, f"{number}", "60") for number in range(50)} == {60}
    assert (
        listed(desk.ask(register("<sip:7@192.168.1.20:5060>", user="7", expires="0", cseq=2), user="7")) == []
    )


def test_limits_may_change_while_running() -> None:
    desk = Desk()
    desk.registrar.limits = RegistrarLimits(min_expires_s=300)
    assert desk.ask(register(HOME, expires="299")).status == 423
