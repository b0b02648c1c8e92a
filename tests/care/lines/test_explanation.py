"""Why a line does not ring, without a call."""

import pytest
from msgspec.structs import replace

from care.lines import LineStory, explain_line
from care.lines.story import LiveBan, LivePhone, host_of
from provisioning.model import DigestPolicy, Divert, DivertCondition, DivertKind, LineKind
from provisioning.registration_search import Gap, LineHistory, Span
from provisioning.settings import LineSettings, Restriction
from provisioning.views import LineView
from rating.records import RegistrationEvent
from tests.care.call_stories import T0, registration

HOUR_MS = 3_600_000
VIEW = LineView("bob", "Smith", "offhook", DigestPolicy.MD5, "", False, "", "", 0, ["+441632960002"], T0,
                LineKind.PHONE, [], 0)  # fmt: skip
THERE = LivePhone("bob", "sip:bob@198.51.100.9", "udp:198.51.100.9:5060", 300, "Phone 1", is_dead=False)
EXPIRED = registration("expired", at_s=-7200)


def line(*events: RegistrationEvent, phones: list[LivePhone] | None = None, **facts: object) -> LineStory:
    """Without a phone now; `events` are what is on record of it."""
    ends = [event for event in events if event.event in ("expired", "left", "lost", "silent", "removed")]
    history = LineHistory("bob", T0 - 168 * HOUR_MS, T0, [], [], list(events), is_cut=False)
    given = {"view": VIEW, "history": history, "last_end": ends[-1] if ends else None, "phones": phones or [], **facts}
    return LineStory(**given)  # type: ignore[arg-type]


def setting(**settings: object) -> LineView:
    return replace(VIEW, settings=LineSettings(**settings))  # type: ignore[arg-type]


def diverts(condition: DivertCondition, **facts: object) -> LineView:
    return replace(VIEW, diverts=[Divert(condition, DivertKind.NUMBER, "+447700900123", **facts)])  # type: ignore[arg-type]


def ban(source: str = "198.51.100.9", of: str = "") -> list[LiveBan]:
    return [LiveBan(source, of, "wrong logins", T0 + 60_000)]


REFUSED = registration("refused", at_s=-60, reason="wrong password")
MISNAMED = registration("refused", at_s=-60, line="", claimed="b0b", reason="unknown user")
WHY: list[tuple[list[str], LineStory, str]] = [
    ([], line(phones=[THERE]), "Nothing keeps it from ringing"),
    ([], line(EXPIRED, phones=[THERE]), "1 phone registered now: Phone 1 from 198.51.100.9:5060."),
    (["not-registered"], line(), "None ever was, by the books"),
    (["not-registered"], line(EXPIRED), "Since 08:15:00, when its registration ran out"),
    (["not-registered"], line(registration("left", at_s=-86_400)), "Since 10:15:00 on 1 March, when it unregistered"),
    (["login-refused"], line(EXPIRED, REFUSED), "1 login of it refused, the last at 10:14:00"),
    (["not-registered"], line(REFUSED, registration("left", at_s=-5)), "when it unregistered itself"),
    ([], line(REFUSED, phones=[THERE]), "Nothing keeps it from ringing"),
    (["source-banned", "login-refused"], line(EXPIRED, REFUSED, bans=ban()), "is banned until 10:16:00"),
    (["source-banned"], line(EXPIRED, bans=ban("203.0.113.1", "bob")), "203.0.113.1 is banned"),
    (["not-registered"], line(EXPIRED, bans=ban("203.0.113.1")), "Since 08:15:00"),
    (["not-registered"], line(EXPIRED, bans=ban(of="anna")), "Since 08:15:00"),
    (["wrong-user-name"], line(EXPIRED, misnamed=[MISNAMED]), "somebody logs in as b0b, which is no line"),
    (["phone-silent"], line(phones=[replace(THERE, is_dead=True)]), "none of them answers any more"),
    ([], line(phones=[replace(THERE, is_dead=True), THERE]), "2 phones registered now"),
    (["do-not-disturb"], line(phones=[THERE], view=setting(does_not_disturb=True)), "do not disturb"),
    (["calls-barred"], line(phones=[THERE], view=setting(bars_incoming=True)), "are barred"),
    (["diverted"], line(phones=[THERE], view=diverts(DivertCondition.ALL)), "sent on to number +447700900123"),
    ([], line(phones=[THERE], view=diverts(DivertCondition.ALL, is_enabled=False)), "Nothing keeps"),
    ([], line(phones=[THERE], view=diverts(DivertCondition.ALL, time_set="night")), "Nothing keeps"),
    (["account-closed"], line(phones=[THERE], restriction=Restriction.SUSPENDED), "suspended until it is paid"),
    ([], line(phones=[THERE], restriction=Restriction.OUTGOING), "Nothing keeps"),
    ([], line(view=replace(VIEW, addresses=["udp:192.0.2.5:5060"])), "calls go to udp:192.0.2.5:5060"),
]  # fmt: skip


@pytest.mark.parametrize(("names", "found", "words"), WHY)
def test_what_keeps_a_line_from_ringing_is_named(names: list[str], found: LineStory, words: str) -> None:
    explained = explain_line(found)
    assert [finding.name for finding in explained.findings] == names, explained.paragraph
    assert words in explained.paragraph
    assert all(finding.checks for finding in explained.findings)


def test_without_the_switch_the_books_are_asked_and_it_is_said() -> None:
    away = replace(line(), phones=None, silent="the switch does not answer")
    held = replace(away.history, spans=[Span(T0 - HOUR_MS, None, "198.51.100.9:5060", "Phone 1")])
    explained = explain_line(replace(away, history=held))
    assert explained.findings == []
    assert "The switch does not answer, so what follows is from the books. 1 phone registered now: Phone 1" in (
        explained.paragraph
    )
    assert "Nothing in the books keeps it from ringing." in explained.paragraph


def test_what_the_books_have_not_heard_of_is_not_given_a_time() -> None:
    """The switch has no phone, and the books have one that came after the last end."""
    found = line(EXPIRED)
    held = replace(found.history, spans=[Span(T0 - HOUR_MS, None, "198.51.100.9:5060", "Phone 1")])
    explained = explain_line(replace(found, history=held))
    assert [finding.name for finding in explained.findings] == ["not-registered"]
    assert "08:15" not in explained.paragraph and "the books do not know of its end" in explained.paragraph


def test_gaps_are_summed_up_and_the_time_before_the_first_phone_is_none() -> None:
    gaps = [Gap(T0 - 100 * HOUR_MS, T0 - 90 * HOUR_MS, ""), Gap(T0 - 3 * HOUR_MS, T0 - HOUR_MS, "lost")]
    found = line(phones=[THERE])
    explained = explain_line(replace(found, history=replace(found.history, gaps=gaps)))
    assert "In the last 7 days it was without a phone once, 2 hours in all." in explained.paragraph


def test_what_is_worth_knowing_beside_it() -> None:
    view = replace(
        setting(rejects_anonymous=True, blocked_callers=("+442079460123",)),
        diverts=[Divert(DivertCondition.NO_REPLY, DivertKind.VOICEMAIL, ring_s=15)],
    )
    explained = explain_line(line(registration("flapping", at_s=-600), phones=[THERE], view=view))
    assert explained.findings == []
    assert explained.remarks == [
        "Its phone drops off and comes back again and again, last noticed at 10:05:00.",
        "It does not take calls of callers who withhold their number and 1 blocked caller.",
        "Calls are sent on when: no reply (offhook divert list).",
    ]


def test_nothing_that_a_phone_says_breaks_a_line() -> None:
    evil = "\x1b[2Jevil\nnext"
    found = line(registration("refused", at_s=-1, reason=evil, source=evil), misnamed=[replace(MISNAMED, claimed=evil)])
    for story in (found, replace(found, phones=[replace(THERE, user_agent=evil, source=evil)])):
        explained = explain_line(story)
        assert explained.paragraph.isprintable()
        assert all(finding.words.isprintable() for finding in explained.findings)


@pytest.mark.parametrize(
    ("source", "host"),
    [
        ("192.0.2.1:5060", "192.0.2.1"), ("udp:192.0.2.1:5060", "192.0.2.1"), ("[2001:db8::1]:5060", "2001:db8::1"),
        ("tls:[2001:db8::1]:5061", "2001:db8::1"), ("", ""), ("nothing", ""),
    ],
)  # fmt: skip
def test_the_host_of_a_source(source: str, host: str) -> None:
    assert host_of(source) == host
