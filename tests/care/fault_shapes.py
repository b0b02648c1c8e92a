"""The shapes that faults take: calls that somebody refused, nobody answered, or that were cut or repeated."""

from typing import Any, Final

from msgspec.structs import replace

from care.story import CallStory
from media.course import pack_course
from switch.calls import endings, refusal
from switch.calls.refusal import Refusal
from switch.calls.vanished import WORDS
from tests.care.call_stories import (
    T0,
    US,
    Talk,
    call,
    cdr,
    failed,
    good_dialog,
    leg,
    phone,
    refused,
    registration,
    sdp_of,
    sound,
    story,
    trace,
)

MEDIA: Final = {0: sound(0), 1: sound(1)}


def by(refused_as: Refusal, words: str = "", **changed: Any) -> CallStory:
    """The exchange refused the call by this rule."""
    return refused(
        refused_as.label,
        words or refused_as.words,
        status=refused_as.status,
        cause=refused_as.q850_cause,
        **changed,
    )


def unanswered(*targets: Any, **changed: Any) -> CallStory:
    """Nobody took the call; the caller's record has what the last target came to, but for what is changed."""
    last = targets[-1]
    own = failed(last.sip_status, last.q850_cause, last.outcome, last.reason, by=last.ended_by)
    extra = {name: changed.pop(name) for name in ("registrations", "trace", "alarms") if name in changed}
    return story(cdr(**{**own, **changed}), *targets, **extra)


def from_us(outcome: Any) -> dict[str, Any]:
    """What is on record of a leg that the exchange gave up."""
    label = "no_answer" if outcome.status == 408 else "failed"
    return failed(outcome.status, outcome.q850_cause, label, outcome.words, by="exchange", at_s=5)


def carrier(status: int, cause: int, outcome: str = "failed", index: int = 1, **changed: Any) -> Any:
    return leg(index, **{**failed(status, cause, outcome, "Said"), **changed})


def silence(index: int, seconds: float = 60) -> Any:
    """The course of an end from which nothing came."""
    packed = pack_course(
        [(round(seconds * 100), 0, 0, 0, False)],
        length_ms=round(seconds * 1000),
        first_ms=None,
        last_ms=0,
        gap_ms=0,
        gap_at_ms=0,
    )
    return sound(index, packets=0, octets=0, course=packed)


def late(index: int, first_s: float) -> Any:
    """An end that was first heard so long after the answer."""
    first_ms = round((6 + first_s) * 1000)
    packed = pack_course(
        [(6600, 2500, 0, 900, False)],
        length_ms=66_000,
        first_ms=first_ms,
        last_ms=65_900,
        gap_ms=20,
        gap_at_ms=0,
    )
    return sound(index, packets=2500, course=packed)


def torn(index: int) -> Any:
    """Four seconds of speech that dropped out in one go."""
    slices = [(10_000, 5000, 0, 900, False), (400, 0, 200, 900, False), (10_000, 5000, 0, 900, False)]
    packed = pack_course(
        slices, length_ms=204_000, first_ms=10, last_ms=203_900, gap_ms=4000, gap_at_ms=104_000
    )
    return sound(index, packets=10_000, lost=200, course=packed, ended_at_ms=T0 + 204_000)


def traced(found: CallStory, *talks: Talk) -> CallStory:
    return replace(found, trace=trace(*talks), no_trace="")


def with_private_sdp() -> CallStory:
    talk = (
        Talk(0)
        .request("INVITE", 0, sent=False, sdp=sdp_of("192.168.1.20"))
        .response(200, "INVITE", 6, sent=True)
    )
    return traced(call(media={0: sound(0, packets=0, dropped="stranger=40"), 1: sound(1)}), talk)


def with_alg() -> CallStory:
    """The router wrote its own address into the SDP, and not into the Contact."""
    talk = Talk(0).request(
        "INVITE",
        0,
        sent=False,
        sdp=sdp_of("198.51.100.7", origin="192.168.1.20"),
        fields="Contact: <sip:anna@192.168.1.20:5060>\r\n",
    )
    return traced(call(media={0: sound(0, packets=0), 1: sound(1)}), talk)


def repeated_answer(talk: Talk, *, sent: bool, is_acknowledged: bool = False) -> Talk:
    talk.request("INVITE", 0, sent=not sent, sdp=sdp_of(US))
    for at_s in (6, 6.5, 7.5, 9.5, 13.5, 17.5, 21.5):
        talk.response(200, "INVITE", at_s, sent=sent)
        if is_acknowledged:
            talk.request("ACK", at_s + 0.01, sent=not sent, in_dialog=True)
    return talk


def unconfirmed(**changed: Any) -> CallStory:
    return call(
        **{
            "outcome": endings.UNCONFIRMED,
            "sip_status": 408,
            "q850_cause": 102,
            "ended_by": "exchange",
            "reason": "the caller never acknowledged the answer",
            "duration_ms": 32_000,
            "ended_at_ms": T0 + 38_000,
            **changed,
        }
    )


def cut_by_callee(target: Any, talk: Talk) -> CallStory:
    return traced(
        call(target=target, ended_by="callee", reason="the callee hung up", duration_ms=32_000),
        good_dialog(0),
        talk,
    )


def refreshed(talk: Talk, status: int, *, sent: bool) -> Talk:
    """A re-INVITE in the middle; status 0: no answer."""
    talk.request("INVITE", 906, sent=sent, cseq=7, in_dialog=True)
    if status:
        talk.response(status, "INVITE", 906.1, sent=not sent, cseq=7)
    return talk


def vanished(words: str = WORDS, **changed: Any) -> CallStory:
    return call(
        **{
            "reason": words,
            "ended_by": "exchange",
            "q850_cause": 102,
            "duration_ms": 900_000,
            "media": MEDIA,
            **changed,
        }
    )


def falls_silent(index: int, *, after_ms: int, is_held: bool = False) -> Any:
    """A quarter of an hour, of which this end was heard so long."""
    packed = pack_course(
        [(90_000, 3000, 0, 800, is_held)],
        length_ms=900_000, first_ms=20, last_ms=after_ms, gap_ms=30, gap_at_ms=100,
    )  # fmt: skip
    return sound(index, ended_at_ms=T0 + 906_000, course=packed)


def timed_out() -> CallStory:
    talk = good_dialog(1).request(
        "BYE", 906, sent=False, in_dialog=True, fields='Reason: SIP;cause=408;text="timer"\r\n'
    )
    return traced(
        call(ended_by="callee", reason="the callee hung up", duration_ms=900_000), good_dialog(0), talk
    )


def diverted(status: int, cause: int, outcome: str, **changed: Any) -> CallStory:
    first = phone(**failed(486, 17, "busy", "Busy Here"))
    second = leg(
        2,
        **failed(status, cause, outcome, "Said"),
        destination="+441632960002",
        leg_reason="divert_busy of line bob: trunk acme",
    )
    return unanswered(first, second, destination="bob", **changed)


def sent_on_always(status: int, cause: int, outcome: str) -> CallStory:
    """Line bob, which has no phone, sends every call on; what it came to itself is what the caller is told."""
    target = leg(
        1,
        **failed(status, cause, outcome, "Said"),
        destination="+441632960002",
        leg_reason="divert_all of line bob: trunk acme",
    )
    own = refusal.NOT_REGISTERED
    record = failed(own.status, own.q850_cause, own.label, own.words, by="exchange")
    return unanswered(target, destination="bob", **record)


def unregistered(**changed: Any) -> CallStory:
    return replace(by(refusal.NOT_REGISTERED, destination="bob", dialled="bob"), **changed)


def registered_through_alg(**changed: Any) -> Any:
    """The router's address in the Via, the phone's private one in the Contact."""
    return registration(
        "registered",
        at_s=-7200,
        line="anna",
        source="198.51.100.7:5060",
        contact="<sip:anna@192.168.1.20:5060>",
        via="SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKa;rport",
        **changed,
    )
