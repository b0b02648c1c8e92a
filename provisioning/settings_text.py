"""Settings as people and codes write them: `key=value`, and for lists `key+=value` and `key-=value`.

The one grammar and the one set of limits for the command, the service codes and, later, the portal. Every assignment
is read before any is applied. A problem names the key, the value and what is allowed.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from provisioning.mail_address import is_mail_address
from provisioning.numbers import parse_number
from provisioning.problems import InvalidValue
from provisioning.settings import (
    CUSTOMER,
    WITHHELD,
    AccountSettings,
    Bar,
    LineSettings,
    PresentedNumber,
    Restriction,
)
from rating.money import MoneyProblem, format_pounds, parse_pounds

# One screen of a list that somebody keeps by telephone; BT's Choose to Refuse has 10, its successors 100.
BLOCKED_MAX: Final = 100
SPEED_DIALS_MAX: Final = 100  # two digits
BARS_MAX: Final = 32  # the six classes, and a couple of dozen countries
OPTED_IN_MAX: Final = 64
PRESENTED_MAX: Final = 20  # each is a document that somebody has to renew
UNDERTAKING_CHARS_MAX: Final = 64  # the name of a document, not its text
CAP_MICROS_MAX: Final = 1_000_000 * 1_000_000  # as of one movement of credit: more is a typing error
BAR_CLASSES: Final = ("premium", "international", "mobile", "directory", "national", "satellite", "all")
ON: Final = ("yes", "on", "true")
OFF: Final = ("no", "off", "false")

_name = re.compile("[a-z0-9][a-z0-9_-]{0,31}").fullmatch
_country = re.compile("country:([A-Za-z]{2})").fullmatch
_code = re.compile("[0-9]{1,2}").fullmatch
_short_number = re.compile("[0-9]{2,6}").fullmatch
_beginning = re.compile(r"\+[1-9][0-9]{0,14}").fullmatch
_date = re.compile("[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])").fullmatch
_hash = re.compile("[0-9a-f]{16,64}").fullmatch
_assignment = re.compile(r"([a-z_]{1,40})(\+=|-=|=)(.*)", re.DOTALL).fullmatch

EXPECTED_NUMBER: Final = 'a number such as 01632960001, a beginning with a star such as "0044163296*"'
EXPECTED_BAR: Final = (
    f"{', '.join(BAR_CLASSES)}, country:XX or a number pattern, perhaps with @TIME_SET after it"
)
EXPECTED_SPEED_DIAL: Final = "CODE:NUMBER, the code of one or two digits"
EXPECTED_PRESENTED: Final = (
    "NUMBER:TYPE:UNDERTAKING or NUMBER:TYPE:UNDERTAKING:YYYY-MM-DD, the type 3, 4 or 5; of type 4 also a beginning "
    "with a star, or +* for any number"
)


ONWARD: Final = "4"  # the type of presentation numbers that are those of whoever called the customer
ANY_NUMBER: Final = "+*"


class Assignment(msgspec.Struct, frozen=True):
    """`operator` is "=", "+=" or "-="."""

    key: str
    operator: str
    text: str

    def __str__(self) -> str:
        return f"{self.key}{self.operator}{self.text}"


class Key:
    """How one setting is written. `changed` gives the value after an assignment, or raises InvalidValue."""

    __slots__ = ("expected",)

    def __init__(self, expected: str) -> None:
        self.expected = expected

    def changed(self, value: Any, wanted: Assignment) -> Any:
        raise NotImplementedError

    def shown(self, value: Any) -> str:
        raise NotImplementedError

    def _refuse(self, wanted: Assignment, expected: str = "") -> InvalidValue:
        return InvalidValue(wanted.key, wanted.text, expected or self.expected)


class Scalar(Key):
    """One value: only `=` makes sense."""

    __slots__ = ("_format", "_read")

    def __init__(self, expected: str, read: Callable[[str], Any], shown: Callable[[Any], str]) -> None:
        super().__init__(expected)
        self._read = read
        self._format = shown

    def changed(self, value: Any, wanted: Assignment) -> Any:
        if wanted.operator != "=":
            raise InvalidValue(wanted.key, str(wanted), f"{wanted.key}=VALUE, as it is no list")
        try:
            return self._read(wanted.text)
        except (ValueError, InvalidValue):
            raise self._refuse(wanted) from None

    def shown(self, value: Any) -> str:
        return self._format(value)


class ListKey(Key):
    """Values with commas between; nothing at all empties the list. Adding what is there, and taking away what is not,
    is no error: a code pressed twice must not fail."""

    __slots__ = ("_format", "_max", "_read")

    def __init__(
        self, expected: str, read: Callable[[str], Any], shown: Callable[[Any], str], *, items_max: int
    ) -> None:
        super().__init__(expected)
        self._read = read
        self._format = shown
        self._max = items_max

    def changed(self, value: tuple[Any, ...], wanted: Assignment) -> tuple[Any, ...]:
        items = [self._item(wanted, text) for text in wanted.text.split(",")] if wanted.text else []
        match wanted.operator:
            case "+=":
                found = tuple(dict.fromkeys((*value, *items)))
            case "-=":
                return tuple(item for item in value if item not in items)
            case _:
                found = tuple(dict.fromkeys(items))
        if len(found) > self._max:
            raise self._refuse(wanted, f"at most {self._max} in the list")
        return found

    def shown(self, value: tuple[Any, ...]) -> str:
        return ",".join(self._format(item) for item in value)

    def _item(self, wanted: Assignment, text: str) -> Any:
        try:
            return self._read(text.strip(" "))
        except (ValueError, InvalidValue):
            raise InvalidValue(wanted.key, text, self.expected) from None


class SpeedDialsKey(Key):
    """`7:01632960001,8:1002`; to take one away its code is enough."""

    __slots__ = ()

    def changed(self, value: Mapping[str, str], wanted: Assignment) -> dict[str, str]:
        texts = [text.strip(" ") for text in wanted.text.split(",")] if wanted.text else []
        if wanted.operator == "-=":
            gone = {text.partition(":")[0] for text in texts}
            return {code: number for code, number in value.items() if code not in gone}
        found = dict(value) if wanted.operator == "+=" else {}
        for text in texts:
            code, colon, number = text.partition(":")
            if not colon or _code(code) is None:
                raise InvalidValue(wanted.key, text, self.expected)
            found[code] = self._number(wanted, number)
        if len(found) > SPEED_DIALS_MAX:
            raise self._refuse(wanted, f"at most {SPEED_DIALS_MAX} codes")
        return dict(sorted(found.items()))

    def shown(self, value: Mapping[str, str]) -> str:
        return ",".join(f"{code}:{number}" for code, number in value.items())

    def _number(self, wanted: Assignment, text: str) -> str:
        if _short_number(text) is not None:  # a line of one's own, 118500, even 999: as it would be dialled
            return text
        try:
            return parse_number(text)
        except InvalidValue as problem:
            raise InvalidValue(wanted.key, text, problem.expected) from None


def read_number_pattern(text: str) -> str:
    """E.164, or a beginning of it with a star. Raises ValueError or InvalidValue."""
    if not text.endswith("*"):
        return parse_number(text)
    digits = text[:-1]
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    elif digits.startswith("0"):
        digits = f"+44{digits[1:]}"
    if _beginning(digits) is None:
        raise ValueError(text)
    return f"{digits}*"


def read_caller_pattern(text: str) -> str:
    """As `read_number_pattern`, or WITHHELD."""
    return WITHHELD if text == WITHHELD else read_number_pattern(text)


def read_time_set(text: str) -> str:
    """The name of a time set; whether there is one, conf/time-sets.toml says. Raises ValueError."""
    return _matched(_name, text)


def _matched(match: Callable[[str], re.Match[str] | None], text: str) -> str:
    if match(text) is None:
        raise ValueError(text)
    return text


def _read_switch(text: str) -> bool:
    if text in ON:
        return True
    if text in OFF:
        return False
    raise ValueError(text)


def _read_destination(text: str) -> str:
    if text in BAR_CLASSES:
        return text
    country = _country(text)
    return f"country:{country[1].upper()}" if country is not None else read_number_pattern(text)


def _read_bar(text: str) -> Bar:
    what, at, time_set = text.partition("@")
    return Bar(_read_destination(what), read_time_set(time_set) if at else "")


def _shown_bar(bar: Bar) -> str:
    return f"{bar.what}@{bar.time_set}" if bar.time_set else bar.what


def _read_presented(text: str) -> PresentedNumber:
    number, kind, undertaking, *until = text.split(":")
    if kind not in ("3", "4", "5") or not undertaking.isprintable() or len(until) > 1:
        raise ValueError(text)
    if not 1 <= len(undertaking) <= UNDERTAKING_CHARS_MAX:
        raise ValueError(text)
    until_text = _matched(_date, until[0]) if until else ""
    if kind == ONWARD:
        e164 = ANY_NUMBER if number in (ANY_NUMBER, "*") else read_number_pattern(number)
    else:
        e164 = parse_number(number)
    return PresentedNumber(e164, int(kind), undertaking, until_text)


def _shown_presented(number: PresentedNumber) -> str:
    parts = [number.e164, str(number.presentation_type), number.undertaking, number.until]
    return ":".join(part for part in parts if part)


def _read_mail(text: str) -> str:
    if text in ("", CUSTOMER) or is_mail_address(text):
        return text
    raise ValueError(text)


def _read_cap(text: str) -> int | None:
    if text in ("", "none"):
        return None
    try:
        micros = parse_pounds(text)
    except MoneyProblem:
        raise ValueError(text) from None
    if not 0 <= micros <= CAP_MICROS_MAX:
        raise ValueError(text)
    return micros


def _switch() -> Key:
    return Scalar("yes or no", _read_switch, lambda value: "yes" if value else "no")


def _list(expected: str, read: Callable[[str], Any], items_max: int) -> Key:
    return ListKey(expected, read, str, items_max=items_max)


def _bars() -> Key:
    return ListKey(EXPECTED_BAR, _read_bar, _shown_bar, items_max=BARS_MAX)


def _callers() -> Key:
    return _list(f"{EXPECTED_NUMBER}, or {WITHHELD}", read_caller_pattern, BLOCKED_MAX)


def _destinations() -> Key:
    return _list(EXPECTED_NUMBER, read_number_pattern, BLOCKED_MAX)


def _cap() -> Key:
    return Scalar(
        f"pounds such as 25.00, at most {format_pounds(CAP_MICROS_MAX)}, or none",
        _read_cap,
        lambda value: "none" if value is None else format_pounds(value),
    )


LINE_KEYS: Final[dict[str, Key]] = {
    "does_not_disturb": _switch(),
    "rejects_anonymous": _switch(),
    "has_call_waiting": _switch(),
    "bars_incoming": _switch(),
    "bars": _bars(),
    "operator_bars": _bars(),
    "refuses_diverts": _switch(),
    "blocked_callers": _callers(),
    # Hashes that the exchange makes: they can be added by it alone, and taken away by anybody.
    "hidden_callers": _list(
        "nothing (hidden_callers= empties the list)", lambda text: _matched(_hash, text), BLOCKED_MAX
    ),
    "blocked_destinations": _destinations(),
    "speed_dials": SpeedDialsKey(EXPECTED_SPEED_DIAL),
    "pickup_group": Scalar(
        "the name of a group: lower-case letters, digits, _ and -, or nothing",
        lambda text: text and _matched(_name, text),
        str,
    ),
    "presents": ListKey(EXPECTED_PRESENTED, _read_presented, _shown_presented, items_max=PRESENTED_MAX),
    "traces_until": Scalar(
        "the last day, such as 2026-12-31, or nothing", lambda text: text and _matched(_date, text), str
    ),
    "offline_mail": Scalar(
        f"an e-mail address, {CUSTOMER} for the address of the account's customer, or nothing", _read_mail, str
    ),
    "divert_hint": _switch(),
}
ACCOUNT_KEYS: Final[dict[str, Key]] = {
    "bars": _bars(),
    "operator_bars": _bars(),
    "opted_in": _list(
        f"{', '.join(BAR_CLASSES)}, country:XX or a number pattern", _read_destination, OPTED_IN_MAX
    ),
    "daily_cap_micros": _cap(),
    "monthly_cap_micros": _cap(),
    "blocked_callers": _callers(),
    "blocked_destinations": _destinations(),
    "restriction": Scalar(
        f"none, {', '.join(step for step in Restriction if step)}",
        lambda text: Restriction("" if text == "none" else text),
        lambda value: value or "none",
    ),
    "low_balance_micros": _cap(),
    "auto_top_up_micros": _cap(),
    "auto_top_up_below_micros": _cap(),
}
# What a person types for an amount of money is pounds.
_ALIASES: Final = {
    "daily_cap": "daily_cap_micros",
    "monthly_cap": "monthly_cap_micros",
    "low_balance": "low_balance_micros",
    "auto_top_up": "auto_top_up_micros",
    "auto_top_up_below": "auto_top_up_below_micros",
}


def read_line_assignments(texts: Iterable[str]) -> list[Assignment]:
    return _read(texts, LINE_KEYS, "line setting")


def read_account_assignments(texts: Iterable[str]) -> list[Assignment]:
    return _read(texts, ACCOUNT_KEYS, "account setting")


def changed_line_settings(settings: LineSettings, wanted: Sequence[Assignment]) -> LineSettings:
    """In their order. Raises InvalidValue; then nothing was changed."""
    changed: LineSettings = _changed(settings, wanted, LINE_KEYS)
    return changed


def changed_account_settings(settings: AccountSettings, wanted: Sequence[Assignment]) -> AccountSettings:
    changed: AccountSettings = _changed(settings, wanted, ACCOUNT_KEYS)
    return changed


def shown_settings(settings: LineSettings | AccountSettings) -> list[tuple[str, str]]:
    """Every one that has not its default, as it would be typed."""
    keys = LINE_KEYS if isinstance(settings, LineSettings) else ACCOUNT_KEYS
    untouched = type(settings)()
    return [
        (_typed(name), key.shown(getattr(settings, name)))
        for name, key in keys.items()
        if getattr(settings, name) != getattr(untouched, name)
    ]


def _typed(name: str) -> str:
    return name.removesuffix("_micros")


def _read(texts: Iterable[str], keys: Mapping[str, Key], what: str) -> list[Assignment]:
    found = []
    for text in texts:
        parts = _assignment(text)
        if parts is None:
            raise InvalidValue(what, text, "KEY=VALUE, or KEY+=VALUE and KEY-=VALUE for a list")
        name = _ALIASES.get(parts[1], parts[1])
        if name not in keys:
            raise InvalidValue(what, parts[1], f"one of {', '.join(_typed(key) for key in keys)}")
        found.append(Assignment(name, parts[2], parts[3].strip(" ")))
    return found


def _changed(settings: Any, wanted: Sequence[Assignment], keys: Mapping[str, Key]) -> Any:
    for one in wanted:
        settings = msgspec.structs.replace(
            settings, **{one.key: keys[one.key].changed(getattr(settings, one.key), one)}
        )
    return settings
