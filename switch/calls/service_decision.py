"""What a service code comes to: words at once, or a change that the books are asked for and words after it. Pure.

The words are the media server's (`sip:say@...;words=`): names of prompts, `number-<digits>` and `at-<utc ms>`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, assert_never

import msgspec

from provisioning.books.line_changes import (
    RING_S_DEFAULT,
    DivertAsked,
    DivertErased,
    DivertSwitched,
    LineChange,
    SettingsAsked,
)
from provisioning.model import Divert, DivertCondition, DivertKind, Line
from provisioning.rules import RING_S_MAX, RING_S_MIN
from provisioning.settings import LineSettings
from switch.calls.number_plan import COUNTRY, E164, NumberClass, ServiceCode, Unrecognised, read_dialled
from switch.calls.reminders import next_time_ms, read_days, read_time
from switch.calls.service_codes import DIVERT_CONDITIONS, CodeRule, Feature
from switch.calls.service_records import Reminder

if TYPE_CHECKING:
    from switch.books import Books
    from switch.calls.last_callers import LastCallers
    from switch.calls.number_plan import NumberPlan

CODE_DIGITS_MAX: Final = 2
# A divert's condition, in the names of its prompts.
_OF_CONDITION: Final = {
    DivertCondition.ALL: "divert-all",
    DivertCondition.BUSY: "divert-busy",
    DivertCondition.NO_REPLY: "divert-no-reply",
    DivertCondition.UNREACHABLE: "divert-unreachable",
}
# What is said of a setting that is on, and off.
_OF_SETTING: Final = {
    "has_call_waiting": ("call-waiting-on", "call-waiting-off"),
    "rejects_anonymous": ("anonymous-rejection-on", "anonymous-rejection-off"),
    "bars_incoming": ("incoming-bar-on", "incoming-bar-off"),
    "does_not_disturb": ("do-not-disturb-on", "do-not-disturb-off"),
    "bars": ("outgoing-bar-on", "outgoing-bar-off"),
}
# By their numbers in a reminder that comes again.
_WEEKDAYS: Final = {
    "1": "monday",
    "2": "tuesday",
    "3": "wednesday",
    "4": "thursday",
    "5": "friday",
    "6": "saturday",
    "7": "sunday",
}
_OTHER_SETTING: Final = ("service-on", "service-off")


class Say(msgspec.Struct, frozen=True):
    """Words; `pressed` is what a key pressed meanwhile dials, by the key."""

    words: tuple[str, ...]
    pressed: dict[str, str] = {}


class AskBooks(msgspec.Struct, frozen=True):
    """A change, what is said when it is done, and what when the books say no."""

    change: LineChange
    done: Say
    refused: Say


class Local(msgspec.Struct, frozen=True):
    """What the switch itself changes, `action` by its name, and the argument of that."""

    action: str
    text: str = ""
    at_ms: int = 0


Decision = Say | AskBooks | Local

NOT_CHANGED: Final = Say(("service-not-changed",))
NOT_AVAILABLE: Final = Say(("service-not-available",))
NUMBER_NOT_VALID: Final = Say(("number-not-valid",))
DIVERT_REFUSED: Final = Say(("divert-refused",))
DONE: Final = Say(("service-done",))


class Asker(msgspec.Struct):
    """Who dialled a code, and what has to be known to answer."""

    line: Line
    books: "Books"
    plan: "NumberPlan"
    last_callers: "LastCallers"
    now_ms: int


def decide(rule: CodeRule, code: ServiceCode, asker: Asker) -> Decision:
    match rule.feature:
        case Feature.DIVERT:
            return _divert(rule, code, asker)
        case Feature.LINE:
            return _setting(rule, asker.line)
        case Feature.SPEED_CALL:
            return _speed_call(rule, code, asker)
        case Feature.REMINDER:
            return _reminder(rule, code, asker)
        case Feature.LAST_CALLER:
            return _last_caller(rule, asker)
        case Feature.RING_BACK | Feature.REDIAL:
            # Redial comes here only where nothing has been dialled yet.
            return Local(f"{rule.feature.value} {rule.action}") if rule.action else NOT_AVAILABLE
        case Feature.SERVICES:
            return _services(asker.line)
        case Feature.PICK_UP | Feature.PARK | Feature.RETRIEVE | Feature.CONFERENCE:
            return NOT_AVAILABLE  # they are no words: in_call_services.py has them
        case unknown:
            assert_never(unknown)


def spoken_number(number: str) -> str:
    """E.164 as it is dialled here; a line's digits and a short code as they are."""
    if number.startswith(COUNTRY):
        return f"number-0{number[len(COUNTRY) :]}"
    return f"number-{number.replace('+', '00')}"


# Diverts


def _divert(rule: CodeRule, code: ServiceCode, asker: Asker) -> Decision:
    conditions = DIVERT_CONDITIONS[rule.what]
    match rule.action:
        case "check":
            return Say(_divert_words(asker.line, conditions))
        case "cancel" | "erase":
            return _divert_off(conditions, rule, asker.line)
        case _ if not code.args:
            return _divert_on_again(conditions, asker.line)
        case _:
            return _divert_to(conditions, code.args, asker)


def _divert_to(conditions: tuple[DivertCondition, ...], args: tuple[str, ...], asker: Asker) -> Decision:
    """*61*number#, *61*number*seconds#, and the mobiles' *61*number*service*seconds#."""
    seconds = args[-1] if len(args) > 1 else ""
    ring_s = RING_S_DEFAULT if not seconds else _ring_s(seconds)
    if ring_s is None:
        return NUMBER_NOT_VALID
    found = _destination(args[0], asker)
    if isinstance(found, Say):
        return found
    kind, destination = found
    name = _OF_CONDITION.get(conditions[0]) if len(conditions) == 1 else None
    spoken = _spoken_destination(kind, destination)
    done = Say((f"{name}-is-set-to", spoken)) if name and spoken else Say((f"{name}-on",)) if name else DONE
    return AskBooks(DivertAsked(conditions, kind, destination, ring_s), done, DIVERT_REFUSED)


def _ring_s(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= 3):
        return None
    seconds = int(text)
    return seconds if RING_S_MIN <= seconds <= RING_S_MAX else None


def _destination(text: str, asker: Asker) -> tuple[DivertKind, str] | Say:
    """A line of the same account by its name, or a number. The books look again, and further."""
    line = asker.books.lines.get(text)
    if line is not None and line.account_id == asker.line.account_id:
        return (DivertKind.LINE, line.user) if line.user != asker.line.user else DIVERT_REFUSED
    destination = read_dialled(text, asker.plan).destination
    if isinstance(destination, E164):
        is_premium = destination.number_class is NumberClass.PREMIUM
        return DIVERT_REFUSED if is_premium else (DivertKind.NUMBER, destination.number)
    return NUMBER_NOT_VALID if isinstance(destination, Unrecognised) else DIVERT_REFUSED


def _divert_on_again(conditions: tuple[DivertCondition, ...], line: Line) -> Decision:
    """*21# alone: what was set before."""
    kept = [divert for condition in conditions if (divert := _by_code(line, condition)) is not None]
    if not kept:
        return Say(_divert_words(line, conditions))
    words = _divert_words(line, (kept[0].condition,), is_asked_for=True)
    return AskBooks(DivertSwitched(conditions, True), Say(words), NOT_CHANGED)


def _divert_off(conditions: tuple[DivertCondition, ...], rule: CodeRule, line: Line) -> Decision:
    name = _OF_CONDITION.get(conditions[0]) if len(conditions) == 1 else None
    done = Say((f"{name}-off",)) if name else Say(("diverts-off",)) if rule.what == "every" else DONE
    if not any(_by_code(line, condition) is not None for condition in conditions):
        return done
    if rule.action == "erase":
        return AskBooks(DivertErased(conditions), done, NOT_CHANGED)
    return AskBooks(DivertSwitched(conditions, False), done, NOT_CHANGED)


def _divert_words(
    line: Line, conditions: tuple[DivertCondition, ...], *, is_asked_for: bool = False
) -> tuple[str, ...]:
    """What is set for all calls; with `is_asked_for` also what is switched off now."""
    words: list[str] = []
    for condition in conditions:
        name = _OF_CONDITION.get(condition)
        divert = _first(line, condition, is_asked_for=is_asked_for)
        if name is None or (divert is None and len(conditions) == len(DivertCondition)):
            continue
        words += _condition_words(name, divert)
    return tuple(words) or ("diverts-off",)


def _condition_words(name: str, divert: Divert | None) -> list[str]:
    if divert is None:
        return [f"{name}-is-not-set"]
    spoken = _spoken_destination(divert.kind, divert.destination)
    if not spoken:
        return [f"{name}-on"]
    after = ["after", f"count-{divert.ring_s}", "seconds"] if divert.ring_s else []
    return [f"{name}-is-set-to", spoken, *after]


def _first(line: Line, condition: DivertCondition, *, is_asked_for: bool) -> Divert | None:
    for divert in line.diverts:
        is_for_all = not (divert.sources or divert.ddis or divert.time_set)
        if divert.condition is condition and is_for_all and (divert.is_enabled or is_asked_for):
            return divert
    return None


def _by_code(line: Line, condition: DivertCondition) -> Divert | None:
    """The divert of this condition that a code can change (provisioning.diverts.is_by_code)."""
    for divert in line.diverts:
        is_for_all = not (divert.sources or divert.ddis or divert.time_set)
        is_ours = divert.kind in (DivertKind.NUMBER, DivertKind.LINE) or condition is DivertCondition.ALL
        if divert.condition is condition and is_for_all and is_ours:
            return divert
    return None


def _spoken_destination(kind: DivertKind, destination: str) -> str:
    if kind is DivertKind.VOICEMAIL:
        return "to-voicemail"
    digits = destination.removeprefix("+")
    is_digits = digits.isascii() and digits.isdigit()
    return spoken_number(destination) if is_digits else ""


# Settings


def _setting(rule: CodeRule, line: Line) -> Decision:
    key = rule.what.partition("=")[0].rstrip("+-")
    if rule.action == "check":
        return Say((_setting_word(key, is_on=bool(getattr(line.settings, key))),))
    is_on = rule.what.partition("=")[2] not in ("no", "off", "false", "") and "-=" not in rule.what
    done = Say((_setting_word(key, is_on=is_on),))
    return AskBooks(SettingsAsked((rule.what,)), done, NOT_CHANGED)


def _setting_word(key: str, *, is_on: bool) -> str:
    on, off = _OF_SETTING.get(key, _OTHER_SETTING)
    return on if is_on else off


def _services(line: Line) -> Say:
    """*#001#: what is on and not so with everybody."""
    words: list[str] = []
    for condition in _OF_CONDITION:
        divert = _first(line, condition, is_asked_for=False)
        if divert is not None:
            words += _condition_words(_OF_CONDITION[condition], divert)
    untouched = LineSettings()
    for key in _OF_SETTING:
        value = getattr(line.settings, key)
        if value != getattr(untouched, key):
            words.append(_setting_word(key, is_on=bool(value)))
    return Say(("services-on", *words)) if words else Say(("no-services-on",))


# Speed calls, reminders


def _speed_call(rule: CodeRule, code: ServiceCode, asker: Asker) -> Decision:
    if rule.action == "call":  # **7, and nothing is stored there
        return Say(("speed-call-is-not-set",))
    place = code.args[0] if code.args else ""
    if not (place and len(place) <= CODE_DIGITS_MAX and place.isascii() and place.isdigit()):
        return NUMBER_NOT_VALID
    stored = asker.line.settings.speed_dials.get(place)
    if rule.action == "check" or (rule.action == "cancel" and stored is None):
        found = (
            ("speed-call-is-not-set",) if stored is None else ("speed-call-is-set-to", spoken_number(stored))
        )
        return Say(found)
    if rule.action == "cancel":
        return AskBooks(SettingsAsked((f"speed_dials-={place}",)), Say(("speed-call-removed",)), NOT_CHANGED)
    number = code.args[1] if len(code.args) > 1 else ""
    if not number:
        return NUMBER_NOT_VALID
    destination = read_dialled(number, asker.plan).destination
    if isinstance(destination, E164):  # local numbers get their area code
        number = destination.number
    done = Say(("speed-call-stored", spoken_number(number)))
    return AskBooks(SettingsAsked((f"speed_dials+={place}:{number}",)), done, NUMBER_NOT_VALID)


def _reminder(rule: CodeRule, code: ServiceCode, asker: Asker) -> Decision:
    """*55*hhmm#, *56*hhmm*day#, #55#, and #55*hhmm# for one of several."""
    is_set = rule.action in ("set", "set_regular")
    text = code.args[0] if code.args else ""
    time = read_time(text)
    if time is None and (is_set or text):
        return NUMBER_NOT_VALID
    if not is_set or time is None:
        return Local(f"reminder {rule.action}", text)
    if rule.action == "set":
        return Local("reminder set", at_ms=next_time_ms(*time, asker.now_ms))
    days = read_days(code.args[1]) if len(code.args) > 1 else ""
    if not days:
        return NUMBER_NOT_VALID
    return Local("reminder set", f"{text}:{days}", next_time_ms(*time, asker.now_ms, days))


def reminder_words(reminders: Sequence[Reminder]) -> tuple[str, ...]:
    """When they ring next, and on which days those that come again."""
    words = ["reminder-set-for"]
    for reminder in reminders:
        words.append(f"at-{reminder.at_ms}")
        words += [_WEEKDAYS[day] for day in reminder.every.partition(":")[2] if day in _WEEKDAYS]
    return tuple(words)


# The last caller


def _last_caller(rule: CodeRule, asker: Asker) -> Decision:
    user = asker.line.user
    last = asker.last_callers.of(user, asker.now_ms)
    if rule.action == "erase":
        return Local("last_caller erase")
    if rule.action == "trace":
        return Local("last_caller trace")
    if rule.action == "block":
        if last is None:
            return Say(("no-last-caller",))
        wanted = asker.last_callers.block_entries(last)
        if not wanted:
            return NOT_CHANGED
        return AskBooks(SettingsAsked(wanted), Say(("caller-refused",)), NOT_CHANGED)
    if last is None:
        return Say(("no-calls-to-return",))
    at = f"at-{last.at_ms}"
    if last.number:
        words = ("telephone-number", spoken_number(last.number), "called", at, "to-return-call", "press-3")
        return Say(words, {"3": last.number})
    return Say(("you-were-called", at, "caller-withheld" if last.is_withheld else "no-number-to-return"))
