"""*55*hhmm#: when that is in London, what a restart keeps, and how the line is rung."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.calls.reminders import (
    AGAIN_MS,
    LATE_MS,
    LONDON,
    OF_ONE_LINE_MAX,
    RUNG_PER_SECOND_MAX,
    TRIES_MAX,
    Reminders,
    next_time_ms,
    read_days,
    read_time,
)
from switch.calls.service_records import REMINDER_KEY, Reminder
from switch.service_metrics import reminder_rows, service_metrics, service_status
from switch.sip.headers import Headers
from switch.sip.message import Request
from tests.switch.calls.test_service_codes import Street
from tests.switch.house import OFFER
from tests.switch.voicemail_stand_in import NO_REPLY, to_voicemail


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0730", (7, 30)), ("0000", (0, 0)), ("2359", (23, 59)), ("2400", None), ("0760", None), ("730", None),
        ("", None), ("07300", None), ("\u0660730", None), ("+730", None), ("07 3", None),
    ],
)  # fmt: skip
def test_a_time_of_day(text: str, expected: tuple[int, int] | None) -> None:
    assert read_time(text) == expected


# now (UTC), the time dialled, when that is (UTC)
@pytest.mark.parametrize(
    ("now", "dialled", "at"),
    [
        ("2026-01-15T06:00", (7, 30), "2026-01-15T07:30"),
        ("2026-01-15T07:30", (7, 30), "2026-01-16T07:30"),
        ("2026-07-15T06:00", (7, 30), "2026-07-15T06:30"),
        ("2026-03-28T23:00", (7, 30), "2026-03-29T06:30"),  # summer time began in the night
        ("2026-03-28T23:00", (1, 30), "2026-03-29T01:30"),  # there is no 1.30 that night: 2.30 it is
        ("2026-10-24T22:30", (1, 30), "2026-10-25T00:30"),  # twice that night: the first
        ("2026-10-25T00:45", (1, 30), "2026-10-26T01:30"),
        ("2026-10-25T06:00", (7, 30), "2026-10-25T07:30"),
        ("2026-12-31T23:59", (0, 0), "2027-01-01T00:00"),
    ],
)
def test_the_next_such_time_in_london(now: str, dialled: tuple[int, int], at: str) -> None:
    assert next_time_ms(*dialled, utc(now)) == utc(at)


@given(st.integers(1_700_000_000_000, 1_900_000_000_000), st.integers(0, 23), st.integers(0, 59))
def test_it_is_always_within_a_day_or_so_and_says_that_time(now_ms: int, hour: int, minute: int) -> None:
    at_ms = next_time_ms(hour, minute, now_ms)
    assert 0 < at_ms - now_ms <= 25 * 3_600_000 + 1000
    local = datetime.fromtimestamp(at_ms // 1000, LONDON)
    assert local.minute == minute and (local.hour == hour or (hour, local.hour, local.month) == (1, 2, 3))


def test_a_line_has_so_many_and_the_same_time_is_one() -> None:
    reminders = Reminders()
    for at_ms in range(OF_ONE_LINE_MAX):
        assert reminders.set("1001", at_ms)
    assert reminders.set("1001", 0) == []
    assert reminders.set("1001", 99) is None
    assert reminders.set("1002", 99)
    assert [reminder.at_ms for reminder in reminders.of("1001")] == list(range(OF_ONE_LINE_MAX))
    assert len(reminders.cancel("1001")) == OF_ONE_LINE_MAX
    assert reminders.due(1000)[0] == [Reminder("1002", 99)]
    assert reminders.count == 0 and reminders.cancel("1001") == []


# now (UTC), the time and days, when that is (UTC)
@pytest.mark.parametrize(
    ("now", "days", "at"),
    [
        ("2026-11-23T06:00", "1", "2026-11-23T07:30"),  # a Monday
        ("2026-11-23T08:00", "1", "2026-11-30T07:30"),
        ("2026-11-27T08:00", "12345", "2026-11-30T07:30"),
        ("2026-11-28T08:00", "67", "2026-11-29T07:30"),
        ("2026-03-27T08:00", "7", "2026-03-29T06:30"),  # summer time began in the night
    ],
)
def test_the_next_such_day(now: str, days: str, at: str) -> None:
    assert next_time_ms(7, 30, utc(now), days) == utc(at)


@pytest.mark.parametrize(
    ("text", "days"), [("1", "1"), ("7", "7"), ("8", "12345"), ("9", "1234567"), ("0", ""), ("12", "")]
)
def test_days_as_they_are_dialled(text: str, days: str) -> None:
    assert read_days(text) == days


def test_a_regular_one_comes_again_at_the_clocks_time() -> None:
    reminders = Reminders()
    at_ms = next_time_ms(1, 30, utc("2026-03-27T12:00"), "1234567")
    state = dict(reminders.set("1001", at_ms, "0130:1234567") or [])
    rung = []
    for _ in range(4):
        (reminder,), puts = reminders.due(at_ms)
        rung.append(datetime.fromtimestamp(reminder.at_ms // 1000, UTC).isoformat()[:16])
        for key, value in puts:
            state.pop(key) if value is None else state.update({key: value})
        reminders = Reminders()
        reminders.restore(state)
        (kept,) = reminders.of("1001")
        at_ms = kept.at_ms
    # There is no 1.30 in the night in which summer time begins; the night after has one again.
    assert rung == ["2026-03-28T01:30", "2026-03-29T01:30", "2026-03-30T00:30", "2026-03-31T00:30"]
    assert reminders.count == 1


def test_one_that_was_missed_comes_again_all_the_same() -> None:
    reminders = Reminders()
    reminders.set("1001", 1000, "0730:12345")
    found, _ = reminders.due(1000 + LATE_MS + 1)
    assert found == [] and reminders.missed == 1
    (kept,) = reminders.of("1001")
    assert kept.at_ms > 1000 + LATE_MS and kept.every == "0730:12345"


def test_a_second_call_of_a_regular_one_does_not_multiply() -> None:
    reminders = Reminders()
    reminders.set("1001", 1000, "0730:12345")
    (reminder,), _ = reminders.due(1000)
    assert reminders.failed(reminder, 1000)
    assert sorted(each.every for each in reminders.of("1001")) == ["", "0730:12345"]
    (again,), _ = reminders.due(1000 + AGAIN_MS)
    assert again.tries == 1 and reminders.count == 1


def test_kinds_are_cancelled_apart_and_one_by_its_time() -> None:
    reminders = Reminders()
    for hour in (6, 7):
        reminders.set("1001", next_time_ms(hour, 30, 0))
        reminders.set("1001", next_time_ms(hour, 45, 0), f"0{hour}45:1234567")
    assert len(reminders.cancel("1001", is_regular=False, time=(6, 30))) == 1
    assert reminders.cancel("1001", is_regular=True, time=(6, 30)) == []
    assert len(reminders.cancel("1001", is_regular=True)) == 2
    (left,) = reminders.of("1001")
    assert left.at_ms == next_time_ms(7, 30, 0) and reminders.count == 1


def test_a_restart_keeps_them_and_what_is_long_past_is_missed() -> None:
    reminders = Reminders()
    state = dict(reminders.set("1001", 1000) or []) | dict(reminders.set("1002", 5_000_000) or [])
    later = Reminders()
    later.restore({**state, REMINDER_KEY + "broken/1": b"\xc1", "b/1001": b""})
    assert later.count == 2
    due, puts = later.due(1000 + LATE_MS + 1)
    assert due == [] and later.missed == 1 and dict(puts) == {f"{REMINDER_KEY}1001/1000": None}
    due, _ = later.due(5_000_000 + LATE_MS)
    assert due == [Reminder("1002", 5_000_000)]


def test_so_many_ring_in_a_second() -> None:
    reminders = Reminders()
    for line in range(RUNG_PER_SECOND_MAX + 5):
        reminders.set(str(line), 1000)
    assert [len(reminders.due(now)[0]) for now in (999, 1000, 2000, 3000)] == [0, RUNG_PER_SECOND_MAX, 5, 0]


def test_one_that_failed_comes_again_three_times_at_most() -> None:
    reminders = Reminders()
    reminders.set("1001", 0)
    now_ms = 0
    for tries in range(TRIES_MAX):
        (reminder,), _ = reminders.due(now_ms)
        assert reminder.tries == tries
        reminders.failed(reminder, now_ms)
        now_ms += AGAIN_MS
    assert reminders.count == 0 and reminders.missed == 1


def call_of_media_server(street: Street, refer: Request, token: str = "") -> None:
    """As it carries out a REFER: an INVITE to the line through the exchange."""
    token = token or refer.uri.partition("token=")[2].partition(";")[0]
    headers = Headers()
    headers.add("max-forwards", "70")
    headers.add("from", f"<sip:call.{token}@192.0.2.1>;tag=v1")
    uri = refer.headers.get("refer-to").strip("<>")
    headers.add("to", f"<{uri}>")
    headers.add("call-id", street.voicemail.tokens.call_id())
    headers.add("cseq", "1 INVITE")
    headers.add("contact", f"<{street.voicemail.contact}>")
    headers.add("content-type", "application/sdp")
    street.voicemail._send_invite(Request("INVITE", uri, headers, OFFER), street.house.clock.now)


def set_for_a_minute_later(street: Street) -> None:
    at = datetime.fromtimestamp(street.house.wall.ms(street.house.clock.now) // 1000 + 60, LONDON)
    assert street.dial(f"*55*{at:%H%M}#").startswith("reminder-set-for.at-")


def test_at_the_time_the_media_server_is_asked_to_call_and_its_call_is_free_and_not_diverted() -> None:
    street = Street()
    set_for_a_minute_later(street)
    assert street.dial("*#55#").startswith("reminder-set-for.at-")
    street.books.run(62)
    (refer,) = street.voicemail.requests_of("REFER")
    assert refer.uri.startswith("sip:call@192.0.2.70:5070;token=") and "words=reminder-call" in refer.uri
    assert refer.headers.get("refer-to") == "<sip:1001@192.0.2.1:5060>"
    assert [key for key in street.house.journal.state if key.startswith(REMINDER_KEY)] == []
    before = len(street.house.journal.cdrs())
    call_of_media_server(street, refer)
    street.books.run(2)
    (invite,) = street.me.requests_of("INVITE")
    assert street.voicemail.statuses[-1] == 200
    assert street.house.exchange.board.last_calls.of("1001") is None, "nobody has called"
    street.voicemail.hang_up()
    street.books.run(1)
    rows = street.house.journal.cdrs()[before:]
    assert {row.cost_micros for row in rows} == {0} and rows[0].line == "1001" and invite is not None
    call_of_media_server(street, refer)  # a token is good once
    street.books.run(1)
    assert len(street.me.requests_of("INVITE")) == 1
    street.close()


def test_a_reminder_that_nobody_answers_does_not_go_to_the_mailbox() -> None:
    street = Street(diverts=to_voicemail(NO_REPLY, ring_s=5))
    street.me.answer_after_s = None
    set_for_a_minute_later(street)
    street.books.run(62)
    asked = len(street.voicemail.asked)
    call_of_media_server(street, street.voicemail.requests_of("REFER")[0])
    street.books.run(8)
    assert len(street.me.requests_of("INVITE")) == 1 and len(street.voicemail.asked) == asked
    assert street.voicemail.statuses[-1] == 180


def test_nobody_else_calls_with_a_token_and_a_wrong_one_is_good_for_nothing() -> None:
    street = Street()
    set_for_a_minute_later(street)
    street.books.run(62)
    (refer,) = street.voicemail.requests_of("REFER")
    token = refer.uri.partition("token=")[2].partition(";")[0]
    stranger = street.house.phone("stranger", "192.0.2.99")
    stranger.invite("1001", from_=f"<sip:call.{token}@192.0.2.1>")
    street.books.run(1)
    assert 407 in stranger.statuses or 401 in stranger.statuses
    call_of_media_server(street, refer, token="wrong")
    street.books.run(1)
    assert street.me.requests_of("INVITE") == []


def test_a_reminder_that_cannot_be_made_comes_again_a_minute_later() -> None:
    street = Street()
    set_for_a_minute_later(street)
    street.voicemail.go_away()
    street.books.run(62)
    assert [reminder.tries for reminder in street.house.exchange.services.reminders] == [1]
    street.voicemail.come_back()
    street.books.run(62)
    assert len(street.voicemail.requests_of("REFER")) == 1


def test_a_line_that_is_not_there_is_rung_again_a_minute_later() -> None:
    street = Street()
    set_for_a_minute_later(street)
    street.me.register(expires=0)
    street.books.run(62)
    call_of_media_server(street, street.voicemail.requests_of("REFER")[0])
    street.books.run(1)
    assert street.voicemail.statuses[-1] == 480
    assert [reminder.tries for reminder in street.house.exchange.services.reminders] == [1]
    street.close()


def test_a_reminder_for_a_line_that_is_not_there_is_no_call_of_anybody() -> None:
    street = Street()
    set_for_a_minute_later(street)
    street.me.register(expires=0)
    street.books.run(62)
    (refer, *_) = street.voicemail.requests_of("REFER")
    call_of_media_server(street, refer)
    street.books.run(2)
    services = street.house.exchange.services
    now_ms = street.house.wall.ms(street.house.clock.now)
    assert services.last_callers.of("1001", now_ms) is None and services.last_dialled.of("1001") == ""


def test_it_is_cancelled() -> None:
    street = Street()
    assert street.dial("#55#") == "reminder-is-not-set"
    set_for_a_minute_later(street)
    assert street.dial("#55#") == "reminder-cancelled"
    street.books.run(62)
    assert street.voicemail.requests_of("REFER") == []
    assert street.dial("*55*2500#") == "number-not-valid"


def test_the_operator_sees_them() -> None:
    street = Street()
    set_for_a_minute_later(street)
    (row,) = reminder_rows(street.house.exchange)
    assert (row["line"], row["tries"]) == ("1001", 0)
    names = {metric.name: metric for metric in service_metrics(street.house.exchange)}
    assert names["offhook_reminders"].samples[0].value == 1
    about = {sample.labels["about"]: sample.value for sample in names["offhook_service_codes"].samples}
    assert about["reminder"] == 1
    assert service_status(street.house.exchange)["reminders"] == 1


def test_a_regular_one_is_dialled_asked_for_and_cancelled() -> None:
    street = Street()
    said = street.dial("*56*0730*8#")
    assert said.startswith("reminder-set-for.at-")
    assert said.endswith(".monday.tuesday.wednesday.thursday.friday")
    assert street.dial("*#56#") == said
    assert street.dial("*#55#") == "reminder-is-not-set"
    assert street.dial("*55*0815#").startswith("reminder-set-for.at-")
    (row, _) = sorted(reminder_rows(street.house.exchange), key=lambda row: -len(str(row["every"])))
    assert row["every"] == "0730:12345"
    assert street.dial("#55*0730#") == "reminder-is-not-set"
    assert street.dial("#55*0815#") == "reminder-cancelled"
    assert street.dial("#56#") == "reminder-cancelled"
    assert street.dial("*#56#") == "reminder-is-not-set"
    for wrong in ("*56*0730#", "*56*0730*0#", "*56*2500*8#", "*56*8#", "#55*25#"):
        assert street.dial(wrong) == "number-not-valid", wrong
    street.close()
