"""[voicemail] of offhook.toml, as far as the switch needs it: where voicemail is, and how it is dialled."""

from typing import Annotated

from msgspec import Meta, Struct

from provisioning.numbers import parse_number
from provisioning.problems import InvalidValue
from switch.calls.uk_ranges import EMERGENCY_NUMBERS
from switch.conf_values import Address, Expected, OptionalAddress, Reads, list_reader

# 141 and 1470 go before a number, 18001 and 18002 ask for the text relay.
_TAKEN = frozenset({"141", "1470", "18001", "18002"})
_DIGITS_MIN, _DIGITS_MAX = 2, 6


def read_code(value: object) -> str:
    """ "1571" or "*98"; "" for none."""
    if value == "":
        return ""
    digits = value.removeprefix("*") if isinstance(value, str) else ""
    is_sound = digits.isascii() and digits.isdigit() and _DIGITS_MIN <= len(digits) <= _DIGITS_MAX
    if not is_sound or value in EMERGENCY_NUMBERS or value in _TAKEN or str(value)[0] == "0":
        raise Expected(
            f"{_DIGITS_MIN} to {_DIGITS_MAX} digits in quotes that begin no other number, or a star and digits,"
            ' like "1571" or "*98"'
        )
    return str(value)


def read_number(value: object) -> str:
    """E.164, from any spelling."""
    try:
        return parse_number(value if isinstance(value, str) else "")
    except InvalidValue as problem:
        raise Expected(problem.expected) from None


Code = Annotated[str, Reads(read_code)]
Numbers = Annotated[tuple[str, ...], Reads(list_reader(read_number))]


class Voicemail(Struct, frozen=True):
    """[voicemail]. Without `sip` there is none. `announcements_max` 0 says every refusal by its code alone."""

    sip: OptionalAddress = Address("127.0.0.1", 5070)
    code: Code = "1571"
    access_numbers: Numbers = ()
    announcements_max: Annotated[int, Meta(ge=0, le=10_000)] = 50

    @property
    def service_numbers(self) -> frozenset[str]:
        """The code where it has no star: nothing else would tell it from a number."""
        return frozenset({self.code}) if self.code.isdigit() else frozenset()


NO_VOICEMAIL = Voicemail(sip=None)
