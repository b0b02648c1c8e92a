"""Signs in the SIP messages of a call: repeats, missing ACKs, private addresses, refreshes, BYEs."""

from collections.abc import Callable
from typing import Final

from care.explanation.facts import Facts, Kind, LegFacts
from care.explanation.phrases import counted, duration_words, said
from care.explanation.signs_of_sound import silent_before_the_end
from care.explanation.trace_facts import Refresh

# A 2xx is repeated after 0.5, 1, 2, 4, 4 ... seconds (RFC 3261 13.3.1.4): so many are no accident of one lost packet.
ANSWERS_BAD: Final = 5
INVITES_BAD: Final = 4
# 64*T1, give or take what a person's or a PBX's own timers do.
CUT_S_LEAST: Final = 25.0
CUT_S_MOST: Final = 40.0
# Session timers are a round number of minutes, most often 15 or 30; they are checked some seconds before or after.
TIMER_S: Final = (900.0, 1800.0)
TIMER_TOLERANCE_S: Final = 35.0
TIMED_OUT: Final = 408
TIMER_CAUSE: Final = 102


def no_trace(facts: Facts) -> str | None:
    """The messages were not kept."""
    if facts.story.trace is not None:
        return None
    return said(facts.story.no_trace or "the messages of this call were not kept")


def cut_at_half_a_minute(facts: Facts) -> str | None:
    """About as long as a 2xx is repeated without an ACK."""
    if not facts.is_up or not CUT_S_LEAST <= facts.talked_s <= CUT_S_MOST:
        return None
    return f"it ended {duration_words(facts.talked_s)} after the answer"


def cut_at_a_quarter_or_half_hour(facts: Facts) -> str | None:
    """About as long as a session timer runs."""
    if not facts.is_up or all(abs(facts.talked_s - timer) > TIMER_TOLERANCE_S for timer in TIMER_S):
        return None
    return f"it ended {duration_words(facts.talked_s)} after the answer"


def our_answer_unacknowledged(facts: Facts) -> str | None:
    """The caller's end never sent an ACK for our 200, which was repeated until we gave up."""
    dialog = facts.caller.dialog
    if dialog is None or not dialog.is_incoming or dialog.has_ack or dialog.answers < ANSWERS_BAD:
        return None
    return (
        f"our 200 OK to {_who(facts.caller)} was sent {dialog.answers} times in"
        f" {duration_words(dialog.answers_s)}, and no ACK came back"
    )


def their_answer_repeated(facts: Facts) -> str | None:
    """The callee's end repeated its 200, although our ACK was sent: it never got that."""
    for leg in facts.tried:
        dialog = leg.dialog
        if dialog is not None and not dialog.is_incoming and dialog.answers >= ANSWERS_BAD:
            acks = "although an ACK was sent for each" if dialog.has_ack else "and no ACK was sent"
            over = duration_words(dialog.answers_s)
            return f"{_who(leg)} repeated its 200 OK {dialog.answers} times in {over}, {acks}"
    return None


def private_address(facts: Facts) -> str | None:
    """An end asked for its sound at an address that nobody outside its own network can reach."""
    return _private(facts, Kind.PHONE)


def private_address_of_carrier(facts: Facts) -> str | None:
    """The same of a carrier."""
    return _private(facts, Kind.CARRIER)


def _private(facts: Facts, kind: Kind) -> str | None:
    for leg in facts.legs:
        if leg.kind is kind and leg.dialog is not None and leg.dialog.private_host:
            host = said(leg.dialog.private_host)
            return f"{_who(leg)} asks for its sound at {host}, an address inside its own network"
    return None


def rewritten_by_alg(facts: Facts) -> str | None:
    """The session description was changed on its way, as a router with a SIP ALG does, and the Contact was not."""
    for leg in facts.legs:
        dialog = leg.dialog
        if dialog is not None and leg.kind is Kind.PHONE and dialog.rewritten and dialog.private_contact:
            contact = said(dialog.private_contact)
            return f"in what {_who(leg)} sent, {said(dialog.rewritten)}, and its Contact still says {contact}"
    return None


def invite_unanswered(facts: Facts) -> str | None:
    """Our INVITE was repeated, and nothing at all came back."""
    for leg in facts.tried:
        dialog = leg.dialog
        if (
            dialog is None
            or dialog.is_incoming
            or dialog.reaction_s is not None
            or dialog.invites < INVITES_BAD
        ):
            continue
        return f"our INVITE to {_who(leg)} was sent {dialog.invites} times, and nothing came back"
    return None


def answer_never_came_back(facts: Facts) -> str | None:
    """The caller's phone repeated its INVITE although we answered: it does not hear us."""
    dialog = facts.caller.dialog
    if dialog is None or not dialog.is_incoming or dialog.invites < INVITES_BAD or dialog.reaction_s is None:
        return None
    return f"{_who(facts.caller)} repeated its INVITE {dialog.invites} times, although it was answered"


def refresh_unanswered(facts: Facts) -> str | None:
    """A refresh of the session that we sent was never answered."""
    found = _refresh(facts, is_from_peer=False, statuses=(0, TIMED_OUT))
    if found is None:
        return None
    leg, refresh = found
    return (
        f"{_who(leg)} did not answer our {refresh.method} {duration_words(_into(facts, refresh))} after the answer,"
        f" sent {counted(refresh.copies, 'time')}"
    )


def refresh_refused(facts: Facts) -> str | None:
    """An end refused a refresh, or we refused its."""
    for leg in facts.legs:
        for refresh in () if leg.dialog is None else leg.dialog.refreshes:
            if refresh.status >= 400 and refresh.status not in (TIMED_OUT, 491):
                by = "we refused" if refresh.is_from_peer else "it refused"
                return f"{by} a {refresh.method} with {refresh.status}, on the leg of {_who(leg)}"
    return None


def their_refresh_unanswered(facts: Facts) -> str | None:
    """An end sent a refresh that nobody answered: the answer did not get through."""
    found = _refresh(facts, is_from_peer=True, statuses=(0,))
    return None if found is None else f"the {found[1].method} of {_who(found[0])} was never answered"


def carrier_vanished(facts: Facts) -> str | None:
    """It was the carrier that did not answer our refresh; without a trace, that was the first to fall silent."""
    found = _refresh(facts, is_from_peer=False, statuses=(0, TIMED_OUT))
    if found is not None:
        return said(found[0].cdr.trunk) if found[0].kind is Kind.CARRIER else None
    silent = silent_before_the_end(facts)
    return said(silent[0].cdr.trunk) if silent is not None and silent[0].kind is Kind.CARRIER else None


def _refresh(
    facts: Facts, *, is_from_peer: bool, statuses: tuple[int, ...]
) -> tuple[LegFacts, Refresh] | None:
    """The last of each leg: what was answered later was no end of the call."""
    for leg in facts.legs:
        refreshes = () if leg.dialog is None else leg.dialog.refreshes
        own = [refresh for refresh in refreshes if refresh.is_from_peer is is_from_peer]
        if own and own[-1].status in statuses:
            return leg, own[-1]
    return None


def _into(facts: Facts, refresh: Refresh) -> float:
    answered_ms = facts.cdr.answered_at_ms
    return 0.0 if answered_ms is None else max(0.0, refresh.at_us / 1_000_000 - answered_ms / 1000)


def bye_says_timer(facts: Facts) -> str | None:
    """A peer hung up and said that a timer had run out."""
    if facts.is_up and facts.cdr.ended_by in ("caller", "callee") and facts.cdr.q850_cause == TIMER_CAUSE:
        return f"the {facts.cdr.ended_by}'s end hung up with cause 102, recovery on timer expiry"
    for leg in facts.legs:
        bye = None if leg.dialog is None else leg.dialog.bye
        if bye is not None and bye.is_from_peer and ("cause=408" in bye.reason or bye.cause == TIMER_CAUSE):
            return f"{_who(leg)} hung up with the reason {said(bye.reason)}"
    return None


def bye_says_failure(facts: Facts) -> str | None:
    """A peer hung up and gave a reason that is no normal end."""
    for leg in facts.talkers:
        bye = None if leg.dialog is None else leg.dialog.bye
        if bye is not None and bye.is_from_peer and bye.cause is not None and bye.cause > 31:
            return f"{_who(leg)} hung up with the reason {said(bye.reason)}"
    return None


def retry_after(facts: Facts) -> str | None:
    """A target said when it wants to be asked again."""
    for leg in facts.tried:
        if leg.dialog is not None and leg.dialog.retry_after:
            return f"{_who(leg)} asks to be tried again after {said(leg.dialog.retry_after)} seconds"
    return None


def warned(facts: Facts) -> str | None:
    """A target explained its refusal in a Warning."""
    for leg in facts.tried:
        if leg.dialog is not None and leg.dialog.warning:
            return f"{_who(leg)} warns: {said(leg.dialog.warning)}"
    return None


def codecs_differ(facts: Facts) -> str | None:
    """What the caller's end can speak, where the other end refused it or has nothing of it."""
    caller = facts.caller.dialog
    if caller is None or not caller.codecs:
        return None
    for leg in facts.tried:
        theirs = () if leg.dialog is None else leg.dialog.codecs
        if theirs and not {name.lower() for name in theirs} & {name.lower() for name in caller.codecs}:
            return f"{_who(facts.caller)} speaks {_list(caller.codecs)}, {_who(leg)} speaks {_list(theirs)}"
    return None


def offered_codecs(facts: Facts) -> str | None:
    """What the caller's end offered."""
    dialog = facts.caller.dialog
    return (
        f"{_who(facts.caller)} offered {_list(dialog.codecs)}"
        if dialog is not None and dialog.codecs
        else None
    )


def _list(codecs: tuple[str, ...]) -> str:
    return said(", ".join(codecs))


def transfer_refused(facts: Facts) -> str | None:
    """An end asked for a transfer that the exchange refused."""
    for leg in facts.legs:
        if leg.dialog is not None and leg.dialog.refused_transfer:
            return f"the transfer that {_who(leg)} asked for was refused with {leg.dialog.refused_transfer}"
    return None


def _who(leg: LegFacts) -> str:
    if leg.kind is Kind.CARRIER:
        return f"carrier {said(leg.cdr.trunk)}"
    if leg.kind is Kind.VOICE:
        return "our voicemail"
    return f"the phone of line {said(leg.cdr.line)}" if leg.cdr.line else "the caller"


SIGNS: Final[tuple[Callable[[Facts], str | None], ...]] = (
    no_trace, cut_at_half_a_minute, cut_at_a_quarter_or_half_hour, our_answer_unacknowledged, their_answer_repeated,
    private_address, private_address_of_carrier, rewritten_by_alg, invite_unanswered, answer_never_came_back,
    refresh_unanswered, refresh_refused, their_refresh_unanswered, carrier_vanished, bye_says_timer, bye_says_failure,
    retry_after, warned, codecs_differ, offered_codecs, transfer_refused,
)  # fmt: skip
