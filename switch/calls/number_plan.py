"""What a caller dialled -> emergency, E.164, short code or service code; and how trunks write numbers.

Emergency is looked for first, under every prefix that people and phones put before it, and no setting
can take it away. Then 141 and 1470 are stripped, indirect access (1280 ...) is refused, 18001 and 18002
(text relay) are stripped, and the rest is classified by the tables of uk_ranges.py (uk.md a, c; RFC 3966
for tel:, RFC 5031 for urn:). Whether the user part is a line's name is asked before, by the caller of
`read_dialled`. No regular expressions; every input is bounded by DIALLED_CHARS_MAX.
"""

import enum
from typing import Final
from urllib.parse import unquote

from msgspec import Struct

from rating.prefix import PrefixTable
from switch.calls.uk_ranges import (
    EMERGENCY_NUMBERS,
    INDIRECT_ACCESS_DIGITS,
    INDIRECT_ACCESS_STARTS,
    SERVICE_NUMBERS,
    NumberClass,
    NumberRange,
    uk_ranges,
    uk_short_codes,
)

__all__ = [
    "DIALLED_CHARS_MAX",
    "E164",
    "Destination",
    "DialProblem",
    "Dialled",
    "Emergency",
    "NumberClass",
    "NumberFormat",
    "NumberPlan",
    "PrivacyChoice",
    "ServiceCode",
    "Short",
    "Unrecognised",
    "format_number",
    "read_dialled",
    "read_trunk_number",
]

# A service code with two numbers in it, separators and a tel: URI's parameters, with room to spare.
DIALLED_CHARS_MAX: Final = 128
# E.164: at most 15 digits. The shortest international numbers in use have 7 (Niue).
E164_DIGITS_MAX: Final = 15
E164_DIGITS_MIN: Final = 7
# *51*code*number# has two; nothing in use has more than three.
SERVICE_ARGS_MAX: Final = 4

COUNTRY: Final = "+44"
_RELAY_FROM_TEXT: Final = "18001"
_RELAY_PREFIXES: Final[tuple[str, ...]] = (_RELAY_FROM_TEXT, "18002")
_COUNTRY_PREFIXES: Final[tuple[str, ...]] = (COUNTRY, "0044")
_EMERGENCY_ENDINGS: Final = tuple(EMERGENCY_NUMBERS)
_SEPARATORS: Final = dict.fromkeys(map(ord, "-.() "))
_SERVICE_PREFIXES: Final = frozenset({"*", "#", "*#", "**", "##"})


class NumberFormat(enum.Enum):
    """How a trunk writes numbers. Short codes and emergency numbers look the same in every format."""

    E164_PLUS = "e164_plus"
    E164 = "e164"
    NATIONAL = "national"
    INTERNATIONAL_00 = "international_00"


class PrivacyChoice(enum.Enum):
    """What the caller asked for this call: 141 withholds the CLI, 1470 releases it."""

    WITHHOLD = "withhold"
    RELEASE = "release"


_PRIVACY_PREFIXES: Final[tuple[tuple[str, PrivacyChoice], ...]] = (
    ("1470", PrivacyChoice.RELEASE),
    ("141", PrivacyChoice.WITHHOLD),
    ("#31#", PrivacyChoice.WITHHOLD),
    ("*31#", PrivacyChoice.RELEASE),
)


_BEFORE_EMERGENCY: Final[tuple[str, ...]] = (
    *_COUNTRY_PREFIXES,
    *_RELAY_PREFIXES,
    *(prefix for prefix, _ in _PRIVACY_PREFIXES),
)


class DialProblem(enum.Enum):
    """Why a dialled string is no number. The value is plain English for the CDR."""

    EMPTY = "nothing was dialled"
    TOO_LONG = "the dialled number is too long"
    NOT_A_NUMBER = "not a telephone number"
    INCOMPLETE = "the dialled number is incomplete"
    NEEDS_AREA_CODE = "the area code is missing"
    NOT_IN_USE = "the number range is not in use"
    INDIRECT_ACCESS = "indirect access codes are not available here"
    FOREIGN_CONTEXT = "the number is local to another country"


class Emergency(Struct, frozen=True):
    """An emergency call. `service` is the number to send to the trunk: 999, 112 or 18000."""

    service: str


class E164(Struct, frozen=True):
    """`number` with its plus. `territory` is UK, Jersey, Guernsey, Isle of Man or empty (abroad)."""

    number: str
    number_class: NumberClass
    territory: str


class Short(Struct, frozen=True):
    """A national short code: 118500, 116123, 101."""

    number: str
    number_class: NumberClass


class ServiceCode(Struct, frozen=True):
    """*21*01632960124# is prefix "*", code "21", args ("01632960124",); 1471 is prefix "", code "1471"."""

    prefix: str
    code: str
    args: tuple[str, ...]

    @property
    def name(self) -> str:
        """What it is looked up by: "*21", "#21", "1571"."""
        return self.prefix + self.code


class Unrecognised(Struct, frozen=True):
    """Digits that lead nowhere, and why."""

    reason: DialProblem


Destination = Emergency | E164 | Short | ServiceCode | Unrecognised


class Dialled(Struct, frozen=True):
    """`relay_prefix` is "18001" or "18002" where text relay was asked for; the number alone is charged."""

    destination: Destination
    privacy: PrivacyChoice | None = None
    relay_prefix: str = ""


class NumberPlan:
    """The operator's part of the plan; empty is the UK's as it stands. Never changed once built.

    `area_code` is without its 0; empty means that numbers are dialled in full. `extra_emergency_numbers`
    maps a dialled number to the one that is sent to the trunk. `service_numbers` are codes of digits alone.
    """

    __slots__ = (
        "area_code",
        "extra_emergency_numbers",
        "extra_short_codes",
        "ranges",
        "service_numbers",
        "short_codes",
    )

    def __init__(
        self,
        area_code: str = "",
        extra_emergency_numbers: dict[str, str] | None = None,
        extra_short_codes: frozenset[str] = frozenset(),
        ranges: PrefixTable[NumberRange] | None = None,
        *,
        service_numbers: frozenset[str] = frozenset(),
    ) -> None:
        self.area_code = area_code
        self.extra_emergency_numbers = extra_emergency_numbers or {}
        self.extra_short_codes = extra_short_codes
        self.ranges = uk_ranges() if ranges is None else ranges
        self.short_codes = uk_short_codes()
        self.service_numbers = SERVICE_NUMBERS | service_numbers


def read_dialled(text: str, plan: NumberPlan) -> Dialled:
    """A user part or a tel:, sip: or urn: URI as a destination. Never raises."""
    if text[:4].lower() == "urn:":
        return Dialled(_read_service_urn(text))
    digits, is_foreign = _subscriber(text)
    if len(digits) > DIALLED_CHARS_MAX:
        return Dialled(Unrecognised(DialProblem.TOO_LONG))
    service = _emergency_service(digits, plan)
    digits, privacy = _strip_privacy(digits)
    if service:
        return Dialled(Emergency(service), privacy)
    relay_prefix = _relay_prefix(digits)
    if relay_prefix:
        digits, inner_privacy = _strip_privacy(digits[len(relay_prefix) :])
        privacy = inner_privacy or privacy
    if is_foreign and not digits.startswith("+"):
        return Dialled(Unrecognised(DialProblem.FOREIGN_CONTEXT), privacy, relay_prefix)
    return Dialled(_classify(digits, plan), privacy, relay_prefix)


def read_trunk_number(text: str, number_format: NumberFormat, plan: NumberPlan) -> str | None:
    """A number as a trunk writes it (user part or URI) as E.164 with its plus; None where it is none.

    "+", "00" and "0" mean the same in every format, since no country code begins with 0. Only digits with
    nothing before them need the trunk's format to be understood.
    """
    digits, _ = _subscriber(text)
    if digits.startswith("+0"):
        return _after_plus(digits[1:], plan)
    if digits.startswith("+"):
        return _e164(digits[1:])
    if digits.startswith("00"):
        return _e164(digits[2:])
    if digits.startswith("0"):
        return _e164("44" + digits[1:])
    if number_format is NumberFormat.E164:
        return _e164(digits)
    if number_format is NumberFormat.NATIONAL and _is_decimal(digits):
        # Some carriers leave out the 0 as well; only a whole national number is taken for one.
        whole = _classify_national(digits, plan)
        if isinstance(whole, E164):
            return whole.number
    if digits.startswith(COUNTRY[1:]) and _is_decimal(digits):
        # The + is lost on many ways. No UK number begins with 44 once its 0 is gone, so a whole one is no other's.
        whole = _classify_national(digits[2:], plan)
        return whole.number if isinstance(whole, E164) else None
    return None


def _after_plus(digits: str, plan: NumberPlan) -> str | None:
    """No country code begins with 0: somebody put a + before a number as it was dialled."""
    if digits.startswith("00"):
        return _e164(digits[2:])
    whole = _classify_national(digits[1:], plan) if _is_decimal(digits) else None
    return whole.number if isinstance(whole, E164) else None


def format_number(number: str, number_format: NumberFormat) -> str:
    """E.164 as the trunk wants it. Short codes, emergency numbers and "" come back as they are."""
    if not number.startswith("+"):
        return number
    match number_format:
        case NumberFormat.E164_PLUS:
            return number
        case NumberFormat.E164:
            return number[1:]
        case NumberFormat.INTERNATIONAL_00:
            return "00" + number[1:]
        case NumberFormat.NATIONAL:
            return "0" + number[3:] if number.startswith(COUNTRY) else "00" + number[1:]


def _subscriber(text: str) -> tuple[str, bool]:
    """The number in a user part or a tel: or sip: URI, without separators; and whether it is foreign.

    It is when `phone-context` names another country than ours (RFC 3966 5.1.5).
    """
    scheme, colon, rest = text.partition(":")
    if colon and scheme.lower() in ("sip", "sips"):
        user, at, _ = rest.partition("@")
        text = user.partition(":")[0] if at else ""
    elif colon and scheme.lower() == "tel":
        text = rest
    number, semicolon, parameters = text.partition(";")
    if len(number) > DIALLED_CHARS_MAX:
        return number, False
    if "%" in number:
        number = unquote(number)
    if not number.isdigit():
        number = number.translate(_SEPARATORS)
    return number, bool(semicolon) and _is_foreign(parameters)


def _is_foreign(parameters: str) -> bool:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.lower() == "phone-context" and value.startswith("+") and not value.startswith(COUNTRY):
            return True
    return False


def _read_service_urn(text: str) -> Destination:
    """RFC 5031: urn:service:sos and everything under it is an emergency."""
    service = text.lower().removeprefix("urn:service:")
    if service == "sos" or service.startswith("sos."):
        return Emergency("999")
    return Unrecognised(DialProblem.NOT_A_NUMBER)


def _emergency_service(digits: str, plan: NumberPlan) -> str:
    """The emergency number under the prefixes that people and phones put before it, or "".

    No ordinary number is caught: +44141999 or +44147018000 would be a Glasgow or a Skye number whose local
    part is three digits long or begins with 1, and there are none; +441800218000 would be in the area 01800,
    which does not exist. The operator's own numbers could clash, so they are not looked for behind +44; and
    1280 and its like are not stripped, because 0131 214 1999 is a number.
    """
    rest = digits.removesuffix("#")
    if not plan.extra_emergency_numbers and not rest.endswith(_EMERGENCY_ENDINGS):
        return ""  # nearly every call leaves here
    may_be_extra = True
    is_from_text = False
    while rest not in EMERGENCY_NUMBERS:
        if may_be_extra and rest in plan.extra_emergency_numbers:
            return plan.extra_emergency_numbers[rest]
        prefix = next((prefix for prefix in _BEFORE_EMERGENCY if rest.startswith(prefix)), "")
        if not prefix:
            return ""
        rest = rest[len(prefix) :]
        if prefix in _COUNTRY_PREFIXES:
            rest = rest.removeprefix("0")  # +44 (0)999
            may_be_extra = False
        is_from_text = is_from_text or prefix == _RELAY_FROM_TEXT
    # 999 asked for through the text relay is what 18000 is for.
    return "18000" if is_from_text else rest


def _strip_privacy(digits: str) -> tuple[str, PrivacyChoice | None]:
    """Without 141 and 1470 before the number. The one nearest the number counts; alone they are no prefix."""
    privacy: PrivacyChoice | None = None
    while True:
        for prefix, choice in _PRIVACY_PREFIXES:
            if digits.startswith(prefix) and len(digits) > len(prefix):
                digits, privacy = digits[len(prefix) :], choice
                break
        else:
            return digits, privacy


def _relay_prefix(digits: str) -> str:
    for prefix in _RELAY_PREFIXES:
        if digits.startswith(prefix) and len(digits) > len(prefix):
            return prefix
    return ""


def _classify(digits: str, plan: NumberPlan) -> Destination:
    if digits.startswith(("*", "#")):
        return _read_service_code(digits)
    digits = digits.removesuffix("#")  # many terminal adaptors send the key that ended dialling
    if digits.startswith("+"):
        return _classify_international(digits[1:], plan)
    if not _is_decimal(digits):
        return Unrecognised(DialProblem.NOT_A_NUMBER if digits else DialProblem.EMPTY)
    return _classify_decimal(digits, plan)


def _classify_decimal(digits: str, plan: NumberPlan) -> Destination:
    """Digits only, as a telephone without a + key dials them."""
    if digits in plan.service_numbers:
        return ServiceCode("", digits, ())
    if digits in plan.extra_short_codes:
        return Short(digits, NumberClass.OPERATOR)
    if digits.startswith("00"):
        return _classify_international(digits[2:], plan)
    if digits[0] == "0":
        return _classify_national(digits[1:], plan)
    if digits[0] == "1":
        return _classify_short(digits, plan)
    return _classify_local(digits, plan)


def _classify_international(digits: str, plan: NumberPlan) -> Destination:
    if not (digits.isascii() and digits.isdigit()):
        return Unrecognised(DialProblem.NOT_A_NUMBER if digits else DialProblem.INCOMPLETE)
    if digits.startswith("44"):
        # "+44 (0)1632 960123": no national significant number begins with 0, so it is the trunk prefix.
        nsn = digits[2:].removeprefix("0")
        short = _short_code(nsn, plan)
        return short if short is not None else _classify_national(nsn, plan)
    if digits[0] == "0":
        return Unrecognised(DialProblem.NOT_A_NUMBER)
    if len(digits) < E164_DIGITS_MIN:
        return Unrecognised(DialProblem.INCOMPLETE)
    if len(digits) > E164_DIGITS_MAX:
        return Unrecognised(DialProblem.TOO_LONG)
    return E164("+" + digits, NumberClass.INTERNATIONAL, "")


def _classify_national(nsn: str, plan: NumberPlan) -> Destination:
    """A national significant number, without the 0."""
    if not nsn:
        return Unrecognised(DialProblem.INCOMPLETE)
    number_range = plan.ranges.longest(nsn)
    if number_range is None or number_range.number_class is NumberClass.NOT_IN_USE:
        return Unrecognised(DialProblem.NOT_IN_USE)
    if len(nsn) not in number_range.lengths:
        is_longer = len(nsn) > max(number_range.lengths)
        return Unrecognised(DialProblem.TOO_LONG if is_longer else DialProblem.INCOMPLETE)
    return E164(COUNTRY + nsn, number_range.number_class, number_range.territory)


def _classify_short(digits: str, plan: NumberPlan) -> Destination:
    """Digits that begin with 1."""
    short = _short_code(digits, plan)
    if short is not None:
        return short
    code = plan.short_codes.longest(digits)
    if code is not None:
        return Unrecognised(DialProblem.TOO_LONG if len(digits) > code.length else DialProblem.INCOMPLETE)
    if digits.startswith(INDIRECT_ACCESS_STARTS) and digits[INDIRECT_ACCESS_DIGITS:][:1] == "0":
        return Unrecognised(DialProblem.INDIRECT_ACCESS)
    return Unrecognised(DialProblem.INCOMPLETE if _begins_a_code(digits, plan) else DialProblem.NOT_IN_USE)


def _short_code(digits: str, plan: NumberPlan) -> Short | None:
    code = plan.short_codes.longest(digits)
    return Short(digits, code.number_class) if code is not None and len(digits) == code.length else None


def _begins_a_code(digits: str, plan: NumberPlan) -> bool:
    prefixes = (
        *plan.short_codes,
        *_RELAY_PREFIXES,
        *plan.service_numbers,
        *(prefix for prefix, _ in _PRIVACY_PREFIXES),
    )
    return any(code.startswith(digits) for code in prefixes)


def _classify_local(digits: str, plan: NumberPlan) -> Destination:
    """Digits that begin with 2 to 9: a local number where the exchange has an area code."""
    if not plan.area_code:
        return Unrecognised(DialProblem.NEEDS_AREA_CODE)
    return _classify_national(plan.area_code + digits, plan)


def _read_service_code(digits: str) -> Destination:
    """*21*01632960124#, *#21#, ##002#, with and without the closing #.

    Mobiles send an empty argument for the service that they do not name: **61*01632960124**20#.
    """
    body = digits.lstrip("*#")
    prefix = digits[: len(digits) - len(body)]
    code, *args = body.removesuffix("#").split("*")
    ends = (0, len(args) - 1)
    is_sound = (
        prefix in _SERVICE_PREFIXES
        and _is_decimal(code)
        and len(args) <= SERVICE_ARGS_MAX
        and all(_is_decimal(arg.removeprefix("+")) for place, arg in enumerate(args) if arg or place in ends)
    )
    return ServiceCode(prefix, code, tuple(args)) if is_sound else Unrecognised(DialProblem.NOT_A_NUMBER)


def _is_decimal(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _e164(digits: str) -> str | None:
    if digits.startswith("440"):
        digits = "44" + digits[3:]  # "+44 (0)1632 960123"
    is_sound = E164_DIGITS_MIN <= len(digits) <= E164_DIGITS_MAX and _is_decimal(digits) and digits[0] != "0"
    return "+" + digits if is_sound else None
