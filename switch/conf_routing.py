"""routing.toml: the number plan's local part, prefix -> ordered trunks, and who carries emergency calls.

Emergency numbers can be added here, never taken away. A route or an emergency list that names an unknown
trunk is refused; an exchange whose emergency calls have no trunk is warned about, since a fresh one has
none.
"""

from collections.abc import Callable, Collection

from msgspec import Struct

from rating.prefix import PREFIX_CHARS_MAX, PrefixTable
from rating.tariff import tariff_version
from switch.calls.number_plan import NumberClass, NumberPlan
from switch.calls.routing import Routing
from switch.calls.uk_ranges import EMERGENCY_NUMBERS, uk_ranges
from switch.conf_files import ConfFile, nearest
from switch.conf_reader import note_unknown_tables, read_entries, read_struct
from switch.conf_routes import read_routes
from switch.conf_values import Expected, OptionalAreaCode, ShortCodes, list_reader

# What users dial by habit (911, 9999) is short; a longer one would be an ordinary number.
EMERGENCY_DIGITS_MIN, EMERGENCY_DIGITS_MAX = 3, 6

_TABLES = ("plan", "ranges", "emergency", "extra_emergency_numbers", "routes")
_CLASSES = {number_class.value: number_class for number_class in NumberClass}


class _Plan(Struct, frozen=True):
    """[plan]."""

    area_code: OptionalAreaCode = ""
    extra_short_codes: ShortCodes = frozenset()


def read_routing(
    file: ConfFile, trunk_names: Collection[str], *, service_numbers: frozenset[str] = frozenset()
) -> Routing:
    """The whole file. Problems and warnings are noted in it. `service_numbers` are those of other files."""
    tables = file.table
    note_unknown_tables(file, _TABLES)
    read_trunks = list_reader(_trunk_reader(trunk_names))
    plan = read_struct(file, _Plan, tables.get("plan", {}), ("plan",))
    extra_table = tables.get("extra_emergency_numbers", {})
    extra = read_entries(
        file, extra_table, ("extra_emergency_numbers",), _read_extra_emergency, _read_service
    )
    changes = read_entries(file, tables.get("ranges", {}), ("ranges",), _read_range, _read_class)
    routes = read_routes(file, _read_prefix, read_trunks)
    return Routing(
        plan=NumberPlan(
            plan.area_code, extra, plan.extra_short_codes, uk_ranges(changes), service_numbers=service_numbers
        ),
        routes=PrefixTable(routes),
        emergency_trunks=_read_emergency_trunks(file, read_trunks),
        version=tariff_version(file.text),
    )


def _read_emergency_trunks(
    file: ConfFile, read_trunks: Callable[[object], tuple[str, ...]]
) -> tuple[str, ...]:
    entries = read_entries(
        file, file.table.get("emergency", {}), ("emergency",), _read_emergency_key, read_trunks
    )
    trunks = entries.get("trunks", ())
    if not trunks:
        expected = "at least one: 999, 112 and 18000 cannot be connected without it"
        file.warn(("emergency", "trunks"), found="no trunk for emergency calls", expected=expected)
    return trunks


def _read_emergency_key(key: str) -> str:
    if key != "trunks":
        raise Expected("the only key here, trunks")
    return key


def _trunk_reader(trunk_names: Collection[str]) -> Callable[[object], str]:
    def read_trunk_name(value: object) -> str:
        if isinstance(value, str) and value in trunk_names:
            return value
        close = nearest(value, list(trunk_names)) if isinstance(value, str) else ""
        raise Expected(
            f"perhaps {close}, a trunk in trunks.toml" if close else "the name of a trunk in trunks.toml"
        )

    return read_trunk_name


def _read_prefix(key: str) -> str:
    """ "+44" or "118": written as the normalised number begins. "+" is every E.164 number."""
    digits = key.removeprefix("+")
    is_decimal = digits.isascii() and digits.isdigit()
    if len(key) > PREFIX_CHARS_MAX or not (
        key == "+" or (is_decimal and (digits[0] == "1" or key[0] == "+"))
    ):
        raise Expected('the beginning of a number, "+", "+44" or "+441632", or of a short code, like "118"')
    if key.startswith("+0"):
        raise Expected("a prefix of E.164 numbers: no country code begins with 0")
    return key


def _read_extra_emergency(key: str) -> str:
    if (
        not _is_decimal(key, EMERGENCY_DIGITS_MIN, EMERGENCY_DIGITS_MAX)
        or key[0] == "0"
        or key in ("141", "1470")
    ):
        raise Expected(
            f'{EMERGENCY_DIGITS_MIN} to {EMERGENCY_DIGITS_MAX} digits in quotes, like "911", not 0 first'
        )
    if key in EMERGENCY_NUMBERS:
        raise Expected("another number: this one is always an emergency number")
    return key


def _read_service(value: object) -> str:
    if not isinstance(value, str) or value not in EMERGENCY_NUMBERS:
        raise Expected('the emergency number to call: "999", "112" or "18000"')
    return value


def _read_range(key: str) -> str:
    """ "0842" -> "842": without the 0, as uk_ranges.py has it."""
    if not _is_decimal(key, 2, 11) or key[0] != "0" or key[1] == "0":
        raise Expected('the beginning of a UK number with its 0, like "0842"')
    return key[1:]


def _read_class(value: object) -> NumberClass:
    number_class = _CLASSES.get(value) if isinstance(value, str) else None
    if number_class is None:
        close = nearest(value, list(_CLASSES)) if isinstance(value, str) else ""
        raise Expected(f"perhaps {close}" if close else f"one of {', '.join(_CLASSES)}")
    return number_class


def _is_decimal(text: str, shortest: int, longest: int) -> bool:
    return shortest <= len(text) <= longest and text.isascii() and text.isdigit()
