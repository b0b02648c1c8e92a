"""Signs in the registrations of the lines of a call: gone since when and why, refused logins, marks of a SIP ALG."""

from collections.abc import Callable
from typing import Final

from care.alg import maybe_rewritten
from care.explanation.facts import Facts
from care.explanation.phrases import counted, joined, said, time_words
from care.explanation.signs_of_traces import rewritten_by_alg
from rating.records import RegistrationEvent
from switch.registrar.changes import EXPIRED, LEFT, LOST, REMOVED, SILENT
from switch.registrar.refused_logins import BANNED, WRONG_PASSWORD

ENDS: Final = {
    LEFT: "it unregistered itself",
    EXPIRED: "its registration ran out and was not renewed",
    LOST: "its connection broke",
    SILENT: "it no longer answered when it was asked",
    REMOVED: "an operator removed it, or there was no room for another phone",
}


def called_line_gone(facts: Facts) -> str | None:
    """The called line had no registration when it was called: since when, and how the last one ended."""
    known = facts.called_registrations
    if known is None or known.last is None or not known.is_gone:
        return None
    return f"since {_at(facts, known.last)}, when {ENDS[known.last.event]}"


def called_line_left(facts: Facts) -> str | None:
    """... because the phone unregistered by itself: it was switched off, or set up anew."""
    return _gone_by(facts, LEFT)


def called_line_expired(facts: Facts) -> str | None:
    """... because it was not renewed: no power, no network, or somebody else's router in between."""
    return _gone_by(facts, EXPIRED)


def called_line_lost(facts: Facts) -> str | None:
    """... because its connection broke, or it fell silent."""
    return _gone_by(facts, LOST, SILENT)


def called_line_removed(facts: Facts) -> str | None:
    """... because an operator removed it."""
    return _gone_by(facts, REMOVED)


def _gone_by(facts: Facts, *events: str) -> str | None:
    known = facts.called_registrations
    is_it = known is not None and known.last is not None and known.last.event in events
    return called_line_gone(facts) if is_it else None


def called_line_unknown(facts: Facts) -> str | None:
    """Nothing about the called line's registrations is on record: its phone has never been there."""
    known = facts.called_registrations
    if known is None or known.last is not None or known.refused:
        return None
    return f"no registration of line {said(facts.called_line)} from before the call is on record"


def line_lost_during_call(facts: Facts) -> str | None:
    """A line's registration ended while the call was up."""
    for known in facts.registrations.values():
        if known.during and facts.is_up:
            event = known.during[0]
            return f"at {_at(facts, event)} the registration of line {said(known.line)} ended: {ENDS[event.event]}"
    return None


def wrong_password(facts: Facts) -> str | None:
    """Logins of a line of this call were refused for their password."""
    return _refused(facts, WRONG_PASSWORD)


def banned(facts: Facts) -> str | None:
    """Logins of a line of this call were refused as their source is banned."""
    return _refused(facts, BANNED)


def login_refused(facts: Facts) -> str | None:
    """Logins of a line of this call were refused, whatever for."""
    return _refused(facts, "")


def _refused(facts: Facts, reason: str) -> str | None:
    """Of the line that was called first: it is the one that could not be reached."""
    order = sorted(facts.registrations.values(), key=lambda known: known.line != facts.called_line)
    for known in order:
        found = [event for event in known.refused if reason in event.reason]
        if not found or (known.last is not None and not known.is_gone and known.last.at_ms > found[-1].at_ms):
            continue  # it has logged in since
        count = sum(max(1, event.count) for event in found)
        last = found[-1]
        return (
            f"{counted(count, 'login')} of line {said(known.line)} from {said(last.source)} refused, the last at"
            f" {_at(facts, last)}: {said(last.reason)}"
        )
    return None


def alg(facts: Facts) -> str | None:
    """A registration of a line of this call has marks of a router that rewrites SIP."""
    for line, marks in facts.alg.items():
        if marks:
            return f"the registration of line {said(line)}: {said(joined(list(marks)))}"
    return None


def maybe_alg(facts: Facts) -> str | None:
    """A phone that uses STUN, or a router that rewrites without leaving marks: worth a question beside a fault."""
    for known in facts.registrations.values():
        if known.events and maybe_rewritten(known.events[-1]):
            return f"the router of line {said(known.line)} may be rewriting SIP (ALG), or its phone uses STUN"
    return None


def marked_by_alg(facts: Facts) -> str | None:
    """Marks of such a router in a registration, or in the messages of the call itself."""
    return alg(facts) or rewritten_by_alg(facts)


def _at(facts: Facts, event: RegistrationEvent) -> str:
    return time_words(event.at_ms, beside_ms=facts.cdr.setup_at_ms)


SIGNS: Final[tuple[Callable[[Facts], str | None], ...]] = (
    called_line_gone, called_line_left, called_line_expired, called_line_lost, called_line_removed, called_line_unknown,
    line_lost_during_call, wrong_password, banned, login_refused, alg, marked_by_alg, maybe_alg,
)  # fmt: skip
