"""Why a line does not ring: its registrations, its settings and the bans in words, with what to ask the customer for.

Pure. A finding is something that keeps calls from its phones now, the first the likeliest; a remark is worth knowing
beside it. What calls come to is said of calls (care/explanation); here nobody has called yet.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from care.alg import alg_signs, alg_words
from care.explanation.explanation import Finding
from care.explanation.patterns import Where
from care.explanation.phrases import counted, duration_words, joined, number_words, said, sentence, time_words
from care.explanation.signs_of_registrations import ENDS
from care.lines.story import LineStory, host_of
from provisioning.model import DivertCondition
from provisioning.settings import Restriction
from rating.records import RegistrationEvent
from switch.door.sources import sources_of
from switch.registrar.line_presence import FLAPPING
from switch.registrar.refused_logins import BANNED

NUMBERS_TOLD_MAX: Final = 3
PHONES_TOLD_MAX: Final = 5
# A phone that is set up wrong tries again within minutes; a refusal older than this is history.
REFUSED_LATELY_MS: Final = 24 * 3_600_000


class LineExplanation(msgspec.Struct, frozen=True):
    """`findings` keep calls from its phones, `remarks` do not; `steps` are how it stands, one sentence each."""

    paragraph: str
    findings: list[Finding]
    remarks: list[str]
    steps: list[str]


def explain_line(story: LineStory) -> LineExplanation:
    findings = [finding for rule in RULES if (finding := rule(story)) is not None]
    remarks = [sentence(words) for remark in REMARKS if (words := remark(story))]
    steps = _steps(story)
    if findings:
        first = findings[0]
        conclusion = f"Why it does not ring: {first.title}. {first.words}"
        if first.checks:
            conclusion += f" To check: {sentence(first.checks[0])}"
    elif story.phones is None:
        conclusion = "Nothing in the books keeps it from ringing."
    else:
        conclusion = (
            "Nothing keeps it from ringing; a call that did not ring says why by itself: offhook call find."
        )
    return LineExplanation(" ".join([*steps, conclusion]), findings, remarks, steps)


# How it stands


def _steps(story: LineStory) -> list[str]:
    view = story.view
    numbers = [number_words(number) for number in view.numbers[:NUMBERS_TOLD_MAX]]
    if len(view.numbers) > NUMBERS_TOLD_MAX:
        numbers.append(f"{len(view.numbers) - NUMBERS_TOLD_MAX} more")
    has = joined(numbers) if numbers else "no number, so it is called by its name alone"
    steps = [f"line {said(view.user)} of account {said(view.account)} has {has}"]
    if story.silent:
        steps.append(f"{story.silent}, so what follows is from the books")
    steps.append(_registered(story))
    gaps = [gap for gap in story.history.gaps if gap.after]  # before its first phone it was set up, not away
    if gaps and not view.addresses:
        away_s = sum(gap.until_ms - gap.from_ms for gap in gaps) / 1000
        days = max(1, round((story.history.until_ms - story.history.since_ms) / 86_400_000))
        times = f"{_times(len(gaps))}, {_long_words(away_s)} in all"
        steps.append(f"in the last {counted(days, 'day')} it was without a phone {times}")
    return [sentence(words) for words in steps]


def _registered(story: LineStory) -> str:
    if story.view.addresses:
        return f"it does not register: calls go to {joined([said(each) for each in story.view.addresses])}"
    phones = [f"{said(agent) or 'a phone'} from {said(source)}" for agent, source in _phones(story)]
    if not phones:
        return _gone_words(story)
    more = len(phones) - PHONES_TOLD_MAX
    told = phones[:PHONES_TOLD_MAX] + ([f"{more} more"] if more > 0 else [])
    return f"{counted(len(phones), 'phone')} registered now: {joined(told)}"


def _phones(story: LineStory) -> list[tuple[str, str]]:
    """What is registered now: by the switch, or as the books have it."""
    if story.phones is not None:
        return [(phone.user_agent, phone.source.partition(":")[2]) for phone in story.phones]
    return [(span.user_agent, span.source) for span in story.history.spans if span.until_ms is None]


def _gone_words(story: LineStory) -> str:
    last = _last_end(story)
    if last is not None:
        return f"no phone is registered since {_at(story, last.at_ms)}, when {ENDS[last.event]}"
    if story.history.spans:
        return "no phone is registered, although the books do not know of its end"
    return "no phone is registered, and none has been as far as the books go"


def _last_end(story: LineStory) -> RegistrationEvent | None:
    """How the last phone went; None where the books have one that came after it."""
    last = story.last_end
    begun = [span.from_ms or 0 for span in story.history.spans if span.until_ms is None]
    return None if last is None or any(from_ms > last.at_ms for from_ms in begun) else last


def _is_away(story: LineStory) -> bool:
    return not story.view.addresses and not _phones(story)


# What keeps calls from its phones


def closed(story: LineStory) -> Finding | None:
    if story.restriction not in (Restriction.SUSPENDED, Restriction.CEASED):
        return None
    words = "Nobody can call the line: " + (
        "its service has ceased."
        if story.restriction is Restriction.CEASED
        else "its account is suspended until it is paid."
    )
    return _finding(
        "account-closed", "The account is closed", words, Where.USE, "What is overdue (offhook arrears)?"
    )


def barred(story: LineStory) -> Finding | None:
    if not story.view.settings.bars_incoming:
        return None
    words = "Calls to the line are barred (bars_incoming)."
    return _finding(
        "calls-barred", "Calls to the line are barred", words, Where.USE, "Did the customer want that?"
    )


def not_to_be_disturbed(story: LineStory) -> Finding | None:
    if not story.view.settings.does_not_disturb:
        return None
    words = "It is set to do not disturb, so its phones do not ring."
    check = "Has somebody switched it on by a code, without meaning to?"
    return _finding("do-not-disturb", "Do not disturb is on", words, Where.USE, check)


def diverted(story: LineStory) -> Finding | None:
    """Every call goes elsewhere; diverts for some callers or times are a remark."""
    always = [
        divert
        for divert in story.view.diverts
        if divert.condition is DivertCondition.ALL
        and divert.is_enabled
        and not (divert.sources or divert.ddis or divert.time_set)
    ]
    if not always:
        return None
    to = joined([said(f"{divert.kind.value} {divert.destination}".strip()) for divert in always])
    words = f"All calls are sent on to {to}, without ringing here."
    return _finding(
        "diverted",
        "All calls are diverted",
        words,
        Where.USE,
        "Is the divert meant to be on (offhook divert list)?",
    )


def banned(story: LineStory) -> Finding | None:
    """Its phones' address is shut out at this moment."""
    if not _is_away(story):
        return None
    places = {source for host in story.hosts for source in sources_of(host)}
    for ban in story.bans:
        if (ban.source in places and ban.line in ("", story.view.user)) or ban.line == story.view.user:
            until = _at(story, ban.until_ms)
            words = f"{said(ban.source)} is banned until {until} ({said(ban.reason)}), so its phones cannot log in."
            return _finding(
                "source-banned", "The customer's address is banned", words, Where.EQUIPMENT,
                "Which phone there has a wrong password? Mend that one first, then lift the ban: offhook bans lift.",
            )  # fmt: skip
    return None


def login_refused(story: LineStory) -> Finding | None:
    if not _is_away(story):
        return None
    found = _refused_lately(story)
    if not found:
        return None
    last = found[-1]
    times = sum(max(1, event.count) for event in found)
    words = (
        f"{counted(times, 'login')} of it refused, the last at {_at(story, last.at_ms)} from"
        f" {said(last.source) or 'many places'}: {said(last.reason)}."
    )
    check = (
        "Wait for the ban to end, or lift it (offhook bans lift), once its phones have the right password."
        if last.reason == BANNED
        else "Set the password of the line anew in the phone (offhook line set USER --new-password makes one)."
    )
    return _finding("login-refused", "Its phone cannot log in", words, Where.EQUIPMENT, check)


def _refused_lately(story: LineStory) -> list[RegistrationEvent]:
    """After the phone was there last."""
    end = _last_end(story)
    since_ms = max(story.history.until_ms - REFUSED_LATELY_MS, 0 if end is None else end.at_ms)
    return [event for event in story.history.refused if event.at_ms >= since_ms]


def misnamed(story: LineStory) -> Finding | None:
    if not _is_away(story) or not story.misnamed:
        return None
    last = story.misnamed[-1]
    words = (
        f"From {said(host_of(last.source))}, where its phone was, somebody logs in as {said(last.claimed)}, which is no"
        f" line: {said(last.reason)}, the last at {_at(story, last.at_ms)}."
    )
    check = f"Is the user name in the phone {said(story.view.user)}, letter by letter?"
    return _finding("wrong-user-name", "Its phone logs in under another name", words, Where.EQUIPMENT, check)


def away(story: LineStory) -> Finding | None:
    """Nothing registered, for no better reason."""
    if not _is_away(story) or any(reason(story) for reason in (banned, login_refused, misnamed)):
        return None
    last = _last_end(story)
    if last is not None and last.event == "left":
        check = "Is the phone switched on, and does its display say that it is registered?"
    elif last is None and not story.history.spans:
        check = "Has the phone been set up with this line's name and password?"
    else:
        check = "Has the phone power and network? Restarting the router, then the phone, mends most of it."
    if last is not None:
        since = f"since {_at(story, last.at_ms)}, when {ENDS[last.event]}"
    else:
        since = "the books do not know of its end" if story.history.spans else "none ever was, by the books"
    return _finding("not-registered", "No phone is registered", sentence(since), Where.EQUIPMENT, check)


def silent(story: LineStory) -> Finding | None:
    if not story.phones or not all(phone.is_dead for phone in story.phones):
        return None
    words = "Its phones are registered, and none of them answers any more."
    return _finding(
        "phone-silent", "Its phone is registered, and out of reach", words, Where.EQUIPMENT,
        "Has the phone power and network? Is the router's UDP timeout at least 60 seconds?",
    )  # fmt: skip


def _finding(name: str, title: str, words: str, where: Where, check: str) -> Finding:
    return Finding(name, title, words, where.value, (check,))


RULES: Final[tuple[Callable[[LineStory], Finding | None], ...]] = (
    closed, barred, not_to_be_disturbed, diverted, banned, login_refused, misnamed, away, silent,
)  # fmt: skip


# What is worth knowing beside it


def flapping(story: LineStory) -> str:
    found = [event for event in story.history.events if event.event == FLAPPING]
    if not found:
        return ""
    return (
        f"its phone drops off and comes back again and again, last noticed at {_at(story, found[-1].at_ms)}"
    )


def rewriting_router(story: LineStory) -> str:
    signs = [sign for event in story.history.events for sign in alg_signs(event)]
    return alg_words(dict.fromkeys(signs))


def choosy(story: LineStory) -> str:
    """Some callers do not get through."""
    settings = story.view.settings
    kept_out = []
    if settings.rejects_anonymous:
        kept_out.append("callers who withhold their number")
    if settings.blocked_callers or settings.hidden_callers:
        kept_out.append(
            counted(len(settings.blocked_callers) + len(settings.hidden_callers), "blocked caller")
        )
    return f"it does not take calls of {joined(kept_out)}" if kept_out else ""


def diverted_sometimes(story: LineStory) -> str:
    found = [
        divert
        for divert in story.view.diverts
        if divert.is_enabled and not (divert.condition is DivertCondition.ALL and diverted(story))
    ]
    if not found:
        return ""
    conditions = joined(list(dict.fromkeys(divert.condition.value.replace("_", " ") for divert in found)))
    return f"calls are sent on when: {conditions} (offhook divert list)"


REMARKS: Final[tuple[Callable[[LineStory], str], ...]] = (
    flapping,
    rewriting_router,
    choosy,
    diverted_sometimes,
)


def _at(story: LineStory, at_ms: int) -> str:
    return time_words(at_ms, beside_ms=story.history.until_ms)


def _long_words(seconds: float) -> str:
    """Hours up to two days, then days."""
    days = int(seconds // 86_400)
    return duration_words(seconds) if days < 2 else f"{days} days {int(seconds % 86_400 // 3600)} hours"


def _times(count: int) -> str:
    return "once" if count == 1 else counted(count, "time")
