"""From the story of a call the facts that signs ask about. Pure, and it never raises: a story is what was on record.

Everything is found out once, here; a sign (signs.py) is a look at it and a few words.
"""

import enum
from typing import Final

import msgspec

from care.alg import alg_signs
from care.explanation.registration_facts import LineRegistrations, registrations_of
from care.explanation.sound_facts import EndSound, sound_of
from care.explanation.trace_facts import DialogFacts, dialogs_of
from care.story import CallStory
from media.verdict import SoundVerdict, verdict_of_call
from provisioning.views import CdrView
from rating.records import Cdr
from switch.calls import refusal
from switch.calls.decisions import SEPARATOR
from switch.calls.divert import NOWHERE
from switch.calls.open_call import OPEN
from switch.calls.refusal import Refusal
from switch.calls.sips import SIPS_NOT_ALLOWED
from switch.calls.target import VOICEMAIL

# Every rule of the exchange that can refuse a call, by the outcome that it leaves on the record.
REFUSALS: Final = {
    value.label: value
    for value in (*vars(refusal).values(), NOWHERE, SIPS_NOT_ALLOWED)
    if isinstance(value, Refusal)
}


class Kind(enum.Enum):
    """What is at the other end of a leg."""

    PHONE = "phone"
    CARRIER = "carrier"
    VOICE = "voice of the exchange"


class LegFacts(msgspec.Struct, frozen=True):
    """One leg: its record, who is at its end, its sound and its dialog, as far as they are known."""

    cdr: Cdr
    kind: Kind
    sound: EndSound | None
    dialog: DialogFacts | None

    @property
    def is_answered(self) -> bool:
        return self.cdr.answered_at_ms is not None

    @property
    def has_rung(self) -> bool:
        return self.cdr.ringing_at_ms is not None

    @property
    def is_open(self) -> bool:
        """It rings, or talks, and nobody knows yet what it will come to."""
        return self.cdr.outcome == OPEN

    @property
    def is_ours(self) -> bool:
        """Whether it failed without an answer of the peer: in silence, or given up by the exchange."""
        return self.cdr.ended_by == "exchange"

    @property
    def waited_s(self) -> float:
        """From the INVITE until it had failed."""
        return max(0.0, (self.cdr.ended_at_ms - self.cdr.setup_at_ms) / 1000)


class Facts(msgspec.Struct, frozen=True):
    """One call. `tried` are the legs that were rung, in order, `answered` the one that the caller talked with.

    `decisive` is the leg whose outcome became the call's: the answered one, or the last that said something; None while
    a call that is up has no answer.
    `called_line` is the line that was called, "" where that is none of ours or not known.
    """

    story: CallStory
    caller: LegFacts
    tried: tuple[LegFacts, ...]
    sound: SoundVerdict
    answered: LegFacts | None
    decisive: LegFacts | None
    called_line: str
    decisions: tuple[str, ...]
    registrations: dict[str, LineRegistrations]
    alg: dict[str, tuple[str, ...]]

    @property
    def cdr(self) -> Cdr:
        """The caller's record: what became of the call."""
        return self.caller.cdr

    @property
    def is_up(self) -> bool:
        """Whether two ends talked."""
        return self.caller.is_answered and self.cdr.outcome in ("answered", "unconfirmed", OPEN)

    @property
    def talked_s(self) -> float:
        return max(0, self.cdr.duration_ms) / 1000 if self.is_up else 0.0

    @property
    def waited_s(self) -> float:
        """From the INVITE until the answer, or the end without one."""
        until = self.cdr.answered_at_ms if self.is_up else self.cdr.ended_at_ms
        return max(0.0, ((until or self.cdr.setup_at_ms) - self.cdr.setup_at_ms) / 1000)

    @property
    def is_refused(self) -> bool:
        """Whether the exchange itself said no, by a rule that has a name."""
        return self.cdr.outcome in REFUSALS

    @property
    def talkers(self) -> tuple[LegFacts, ...]:
        """The two ends of the conversation."""
        return () if self.answered is None or not self.is_up else (self.caller, self.answered)

    @property
    def called_registrations(self) -> LineRegistrations | None:
        return self.registrations.get(self.called_line)

    @property
    def legs(self) -> tuple[LegFacts, ...]:
        return (self.caller, *self.tried)


def facts_of(story: CallStory) -> Facts:
    dialogs = dialogs_of(story.trace)
    caller, *tried = [_leg(view, dialogs, is_caller=place == 0) for place, view in enumerate(story.legs)]
    answered = next((leg for leg in reversed(tried) if leg.is_answered), None)
    called_line = _called_line(story, caller, tried)
    ended_ms = max(leg.cdr.ended_at_ms for leg in (caller, *tried))
    lines = {leg.cdr.line for leg in (caller, *tried) if leg.cdr.line} | (
        {called_line} if called_line else set()
    )
    registrations = {
        line: registrations_of(line, story.registrations, begun_ms=caller.cdr.setup_at_ms, ended_ms=ended_ms)
        for line in sorted(lines)
    }
    return Facts(
        story=story,
        caller=caller,
        tried=tuple(tried),
        sound=verdict_of_call([(view.cdr, view.media) for view in story.legs]),
        answered=answered,
        decisive=answered or (None if story.is_live else _decisive(caller, tried)),
        called_line=called_line,
        decisions=tuple(
            words for leg in (caller, *tried) for words in leg.cdr.decisions.split(SEPARATOR) if words
        ),
        registrations=registrations,
        alg={line: _alg(known) for line, known in registrations.items()},
    )


def _leg(view: CdrView, dialogs: list[DialogFacts], *, is_caller: bool) -> LegFacts:
    cdr = view.cdr
    if cdr.trunk:
        kind = Kind.CARRIER
    elif not is_caller and cdr.destination == VOICEMAIL:
        kind = Kind.VOICE
    else:
        kind = Kind.PHONE
    dialog = next(
        (
            each
            for each in dialogs
            if each.call_id == cdr.sip_call_id or (each.leg == cdr.leg and each.leg >= 0)
        ),
        None,
    )
    return LegFacts(cdr, kind, sound_of(view), dialog)


def _decisive(caller: LegFacts, tried: list[LegFacts]) -> LegFacts | None:
    """What the caller was told is the best of what the last targets said (switch/calls/hunt.py)."""
    same = [leg for leg in tried if leg.cdr.q850_cause == caller.cdr.q850_cause]
    found = same or tried
    return found[-1] if found else None


def _called_line(story: CallStory, caller: LegFacts, tried: list[LegFacts]) -> str:
    """The first line that was rung; where none was, the line that has the name or, as the story says, the number."""
    rung = next((leg.cdr.line for leg in tried if leg.cdr.line), "")
    if rung:
        return rung
    others = {event.line for event in story.registrations if event.line} - {caller.cdr.line}
    if caller.cdr.destination in others or not caller.cdr.destination.startswith("+"):
        return caller.cdr.destination if caller.cdr.destination in others else ""
    return others.pop() if len(others) == 1 else ""


def _alg(known: LineRegistrations) -> tuple[str, ...]:
    """Of the latest registration that has any."""
    for event in reversed(known.events):
        found = alg_signs(event)
        if found:
            return tuple(found)
    return ()
