"""Signs in the caller's record: what became of the call, who ended it, what was decided about it."""

from collections.abc import Callable
from typing import Final

from care.explanation.facts import REFUSALS, Facts, Kind
from care.explanation.phrases import duration_words, money_words, said
from switch.calls import endings
from switch.calls.announcement import PROMPTS
from switch.calls.cdr import outcome_label
from switch.calls.open_call import OPEN
from switch.calls.vanished import SILENCE_WORDS, WORDS

ENDERS: Final = ("caller", "callee", "exchange", "operator", "credit", "cap")
# What call.py and recovery.py write besides the refusals and what outcome_label says.
OUTCOMES: Final = frozenset(
    {
        *REFUSALS,
        *(outcome_label(status, cause) for status in range(200, 700) for cause in (0, 19)),
        endings.GATE_CLOSED,
        endings.UNCONFIRMED,
        endings.INTERRUPTED,
        OPEN,
    }
)
# A person who hears nothing at all takes the line for dead by then.
PATIENCE_S: Final = 8.0
# Who hangs up before has changed his mind, or has dialled a wrong number.
SHORT_RINGING_S: Final = 5.0


# Families


def outcome(facts: Facts, label: str) -> str | None:
    """How the caller's record says that the call ended."""
    return said(facts.cdr.reason or label) if facts.cdr.outcome == label else None


def is_outcome(label: str) -> bool:
    return label in OUTCOMES


def ended_by(facts: Facts, who: str) -> str | None:
    """Who ended the call, as its record says."""
    return said(facts.cdr.reason or who) if facts.cdr.ended_by == who else None


def is_ender(who: str) -> bool:
    return who in ENDERS


def decided(facts: Facts, words: str) -> str | None:
    """Whether something was decided that holds these words."""
    return next((said(each) for each in facts.decisions if words in each), None)


def is_decision(words: str) -> bool:
    return bool(words.strip())


# Signs


def answered(facts: Facts) -> str | None:
    """Two ends talked."""
    if not facts.is_up:
        return None
    return (
        f"it was answered after {duration_words(facts.waited_s)} and lasted {duration_words(facts.talked_s)}"
    )


def never_answered(facts: Facts) -> str | None:
    """Nobody answered, whoever that lay with."""
    if facts.is_up or facts.story.is_live:
        return None
    return f"nobody had answered after {duration_words(facts.waited_s)}"


def refused(facts: Facts) -> str | None:
    """A rule of the exchange said no."""
    return said(facts.cdr.reason or facts.cdr.outcome) if facts.is_refused else None


def recovered(facts: Facts) -> str | None:
    """The exchange restarted while the call was there."""
    if not facts.cdr.is_recovered:
        return None
    return (
        f"the exchange restarted {duration_words(facts.talked_s)} into the call"
        if facts.is_up
        else ("the exchange restarted before anybody had answered")
    )


def duration_limit_reached(facts: Facts) -> str | None:
    """The longest call that is allowed."""
    if facts.cdr.reason != endings.TOO_LONG:
        return None
    return f"it had lasted {duration_words(facts.talked_s)}, the longest that a call may last"


def emergency(facts: Facts) -> str | None:
    """The emergency services were called."""
    return "it was a call to the emergency services" if facts.cdr.is_emergency else None


def vanished(facts: Facts) -> str | None:
    """An end gave no sign of life when one was due, and the exchange ended the call."""
    if facts.cdr.reason not in (WORDS, SILENCE_WORDS) or not facts.is_up:
        return None
    return f"its last sign of life came {duration_words(facts.talked_s)} after the answer"


def silent_at_the_end(facts: Facts) -> str | None:
    """... and no sound had come from either end, either."""
    return "no sound had come from either end, either" if facts.cdr.reason == SILENCE_WORDS else None


def dialog_forgotten(facts: Facts) -> str | None:
    """A phone or a carrier no longer knew the call that it was in."""
    if not facts.is_up or not facts.cdr.reason.endswith(endings.FORGOTTEN):
        return None
    return f"{duration_words(facts.talked_s)} after the answer {said(facts.cdr.reason)}"


def ringing_unacknowledged(facts: Facts) -> str | None:
    """The caller never acknowledged a reliable ringing (RFC 3262)."""
    return said(facts.cdr.reason) if facts.cdr.reason == endings.RINGING_UNACKNOWLEDGED else None


def browser_lost(facts: Facts) -> str | None:
    """The sound of a browser's call broke down."""
    return said(facts.cdr.reason) if facts.cdr.reason.startswith(endings.BROWSER_LOST) else None


def no_common_sound(facts: Facts) -> str | None:
    """The call was up, and its two ends turned out to have no sound in common (after a transfer, mostly)."""
    return said(facts.cdr.reason) if facts.is_up and facts.cdr.reason == endings.NO_COMMON_SOUND else None


def gave_up(facts: Facts) -> str | None:
    """The caller hung up before the answer, and did not hear words of a refusal."""
    if facts.cdr.outcome != "cancelled" or facts.cdr.ended_by != "caller":
        return None
    return f"the caller hung up after {duration_words(facts.waited_s)}"


def gave_up_soon(facts: Facts) -> str | None:
    """... so soon that hardly anybody could have answered."""
    if gave_up(facts) is None or facts.waited_s >= SHORT_RINGING_S:
        return None
    return f"after only {duration_words(facts.waited_s)}"


def gave_up_in_silence(facts: Facts) -> str | None:
    """... after waiting for long without hearing it ring."""
    if gave_up(facts) is None or facts.cdr.ringing_at_ms is not None or facts.waited_s < PATIENCE_S:
        return None
    return f"nothing rang in the {duration_words(facts.waited_s)} that the caller waited"


def bar_of_the_line(facts: Facts) -> str | None:
    """A bar of the calling line stopped it."""
    return _bar(facts, "barred for the line")


def bar_of_the_account(facts: Facts) -> str | None:
    """A bar of the account stopped it."""
    return _bar(facts, "barred for the account")


def bar_of_the_operator(facts: Facts) -> str | None:
    """Only we can lift it."""
    return _bar(facts, "; the operator can lift it")


def _bar(facts: Facts, words: str) -> str | None:
    """The words are those of bars.SetBar, which says whose a bar is."""
    if facts.cdr.outcome != "barred" or words not in facts.cdr.reason:
        return None
    return said(facts.cdr.reason)


def called_itself(facts: Facts) -> str | None:
    """A line that called its own number."""
    line = facts.cdr.line
    is_own = bool(line) and line in (facts.called_line, facts.cdr.destination)
    if not is_own or any(leg.kind is Kind.VOICE for leg in facts.tried):
        return None
    return f"line {said(line)} called its own number"


def charged(facts: Facts) -> str | None:
    """Somebody paid for it."""
    cost = sum(leg.cdr.cost_micros for leg in facts.legs)
    return f"{money_words(cost)} was charged" if cost > 0 else None


def words_were_said(facts: Facts) -> str | None:
    """A refusal that the caller heard in words."""
    return (
        "the caller heard an announcement that said so"
        if facts.cdr.outcome in PROMPTS and facts.tried
        else None
    )


SIGNS: Final[tuple[Callable[[Facts], str | None], ...]] = (
    answered, never_answered, refused, recovered, duration_limit_reached, emergency, vanished, silent_at_the_end,
    dialog_forgotten, ringing_unacknowledged, browser_lost, no_common_sound, gave_up, gave_up_soon, gave_up_in_silence,
    bar_of_the_line, bar_of_the_account, bar_of_the_operator, called_itself, charged, words_were_said,
)  # fmt: skip
