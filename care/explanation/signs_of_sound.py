"""Signs in what the relay has counted: silence, loss, jitter, gaps, sound that came late."""

from collections.abc import Callable
from typing import Final

from care.explanation.facts import Facts, Kind, LegFacts
from care.explanation.phrases import counted, duration_words, said, time_words
from care.explanation.sound_facts import EndSound

# Ends that stop within some seconds of each other have both hung up.
FELL_SILENT_S: Final = 10.0


def _silent(facts: Facts) -> LegFacts | None:
    """The one end that sent nothing while the other was heard."""
    verdict = facts.sound
    if not facts.is_up or not verdict.is_one_way:
        return None
    return next((leg for leg in facts.legs if leg.cdr.leg == verdict.leg), None)


def _sounds(facts: Facts) -> list[tuple[LegFacts, EndSound]]:
    """The ends of the conversation whose sound is known."""
    return [(leg, leg.sound) for leg in facts.talkers if leg.sound is not None]


def no_sound_from_phone(facts: Facts) -> str | None:
    """Not one packet came from a phone, and some came from the other end."""
    leg = _silent(facts)
    return f"no sound at all arrived from {_who(leg)}" if leg is not None and leg.kind is Kind.PHONE else None


def no_sound_from_carrier(facts: Facts) -> str | None:
    """Not one packet came from a carrier, and some came from the other end."""
    leg = _silent(facts)
    return (
        f"no sound at all arrived from {_who(leg)}" if leg is not None and leg.kind is Kind.CARRIER else None
    )


def no_sound_from_us(facts: Facts) -> str | None:
    """Our own voicemail or announcement was silent."""
    leg = _silent(facts)
    return "no sound came from our own media server" if leg is not None and leg.kind is Kind.VOICE else None


def no_sound_at_all(facts: Facts) -> str | None:
    """Not one packet came from either end."""
    return "no sound arrived from either end" if facts.is_up and facts.sound.is_silent else None


def sound_from_elsewhere(facts: Facts) -> str | None:
    """Sound came from an address that its end had not announced, and was not taken."""
    sounds = _sounds(facts)
    found = next((leg for leg, sound in sounds if not sound.packets and sound.has_strangers), None)
    return (
        None if found is None else f"sound for {_who(found)} came from an address that it had not announced"
    )


def loss_from_phone(facts: Facts) -> str | None:
    """Packets of a phone were lost on the way to us."""
    return _loss(facts, Kind.PHONE)


def loss_from_carrier(facts: Facts) -> str | None:
    """Packets of a carrier were lost on the way to us."""
    return _loss(facts, Kind.CARRIER)


def _loss(facts: Facts, kind: Kind) -> str | None:
    for leg, sound in _sounds(facts):
        if leg.kind is kind and sound.has_loss:
            return f"{sound.loss_percent:.1f} % of the packets from {_who(leg)} were lost on the way to us"
    return None


def loss_from_both(facts: Facts) -> str | None:
    """Both ends are heard badly, so it is likely to be what they share."""
    sounds = _sounds(facts)
    if len(sounds) < 2 or not all(sound.has_loss for _, sound in sounds):
        return None
    return " and ".join(f"{sound.loss_percent:.1f} % from {_who(leg)}" for leg, sound in sounds)


def jitter_from_phone(facts: Facts) -> str | None:
    """Packets of a phone came unevenly."""
    return _jitter(facts, Kind.PHONE)


def jitter_from_carrier(facts: Facts) -> str | None:
    """Packets of a carrier came unevenly."""
    return _jitter(facts, Kind.CARRIER)


def _jitter(facts: Facts, kind: Kind) -> str | None:
    for leg, sound in _sounds(facts):
        if leg.kind is kind and sound.has_jitter:
            return (
                f"the packets from {_who(leg)} came unevenly, {sound.jitter_ms:.0f} ms of jitter on average"
            )
    return None


def sound_began_late(facts: Facts) -> str | None:
    """An end that was heard was first heard seconds after the answer."""
    for leg, sound in _sounds(facts):
        if sound.is_late:
            return f"the sound of {_who(leg)} began only {sound.late_s or 0:.0f} seconds after the answer"
    return None


def long_gap(facts: Facts) -> str | None:
    """The speech of an end dropped out for seconds at a time."""
    for leg, sound in _sounds(facts):
        if sound.gaps:
            longest = max(sound.gaps, key=lambda gap: gap.seconds)
            times = counted(len(sound.gaps), "time")
            return f"the sound of {_who(leg)} dropped out {times}, for up to {longest.seconds:.1f} seconds"
    return None


def _who(leg: LegFacts) -> str:
    if leg.kind is Kind.CARRIER:
        return f"carrier {said(leg.cdr.trunk)}"
    return "our media server" if leg.kind is Kind.VOICE else f"the phone of line {said(leg.cdr.line)}"


def fell_silent(facts: Facts) -> str | None:
    """One end was not heard any more while the other still was: it is the one that vanished."""
    found = silent_before_the_end(facts)
    if found is None:
        return None
    leg, last_at_ms, seconds = found
    at = time_words(last_at_ms, beside_ms=facts.cdr.setup_at_ms)
    return f"nothing came from {_who(leg)} after {at}, while the other end was heard for {duration_words(seconds)} more"


def silent_before_the_end(facts: Facts) -> tuple[LegFacts, int, float] | None:
    """That end, when its last packet came, and how much longer the other was heard, in seconds."""
    ends = [
        (sound.last_at_ms, leg) for leg, sound in _sounds(facts) if sound.last_at_ms is not None
    ]
    if len(ends) < 2:
        return None
    (first_ms, leg), (last_ms, _) = sorted(ends, key=lambda end: end[0])
    seconds = (last_ms - first_ms) / 1000
    return (leg, first_ms, seconds) if seconds >= FELL_SILENT_S else None


SIGNS: Final[tuple[Callable[[Facts], str | None], ...]] = (
    no_sound_from_phone, no_sound_from_carrier, no_sound_from_us, no_sound_at_all, sound_from_elsewhere,
    loss_from_phone, loss_from_carrier, loss_from_both, jitter_from_phone, jitter_from_carrier,
    sound_began_late, fell_silent, long_gap,
)  # fmt: skip
