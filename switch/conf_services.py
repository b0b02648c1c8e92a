"""services.toml: which code does what, laid over the UK's table. The file may be missing."""

from pathlib import Path
from typing import Final

from switch.calls.service_codes import DIRECTED, EXPECTED, UK_SERVICES, CodeRule, ServiceTable, read_rule
from switch.calls.uk_ranges import EMERGENCY_NUMBERS
from switch.conf_files import ConfFile, open_conf_file
from switch.conf_reader import note_unknown_tables, read_entries
from switch.conf_values import Expected

SERVICES_FILE: Final = "services.toml"
_PREFIXES: Final = ("**", "##", "*#", "*", "#", "")
_DIGITS_MAX: Final = 6
# 141 and 1470 go before a number, as #31# and *31# do; 18001 and 18002 ask for the text relay.
_TAKEN: Final = frozenset({"141", "1470", "18001", "18002", "*31", "#31"}) | EMERGENCY_NUMBERS


def open_services_file(folder: Path) -> ConfFile:
    """Empty where there is none: the table is whole without it."""
    if not (folder / SERVICES_FILE).exists():
        return ConfFile(SERVICES_FILE, "", {})
    return open_conf_file(folder, SERVICES_FILE)


def read_services(file: ConfFile) -> ServiceTable:
    """Problems are noted in the file."""
    if not file.table:
        return UK_SERVICES
    note_unknown_tables(file, ("codes",))
    return ServiceTable(read_entries(file, file.table.get("codes", {}), ("codes",), _read_code, _read_rule))


def _read_code(key: str) -> str:
    if key == DIRECTED:
        return key
    name = key.rstrip("#*") if key[:1] in ("*", "#") else key  # "*21#" and "*21*" are written, too
    prefix = next(prefix for prefix in _PREFIXES if name.startswith(prefix))
    digits = name[len(prefix) :]
    is_code = digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS_MAX
    if not is_code or (not prefix and digits[0] == "0") or name in _TAKEN:
        raise Expected('a code in quotes, like "*21", "*#21", "##002" or "1471", that begins no other number')
    return name


def _read_rule(value: object) -> CodeRule | None:
    try:
        return read_rule(value if isinstance(value, str) else "?")
    except ValueError:
        raise Expected(EXPECTED) from None
