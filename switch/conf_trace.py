"""[trace] of offhook.toml: which traces of calls are kept, for how long, and where else they go."""

import enum
from typing import Annotated, Final

from msgspec import Meta, Struct

from switch.conf_files import ConfFile
from switch.conf_reader import read_struct
from switch.conf_values import WILDCARDS, Address, Expected, Reads, Secret, read_address

HOMER_SCHEME: Final = "udp:"
HOMER_PASSWORD_CHARS_MAX: Final = 200


class Keep(enum.StrEnum):
    """What is written to the disk of calls that have ended."""

    FAULTS = "faults"
    ALL = "all"
    NONE = "none"


def read_homer(value: object) -> Address | None:
    """ "" or "udp:ADDRESS:PORT". No name: nobody would wait for it."""
    if value == "":
        return None
    if isinstance(value, str) and value.startswith(HOMER_SCHEME):
        try:
            address = read_address(value[len(HOMER_SCHEME) :])
        except Expected:
            pass
        else:
            if address.port and address.host not in WILDCARDS:
                return address
    raise Expected('"" or an address and port, like "udp:192.0.2.9:9060"')


def read_homer_password(value: object) -> Secret:
    if isinstance(value, str) and value.isprintable() and len(value) <= HOMER_PASSWORD_CHARS_MAX:
        return Secret(value)
    raise Expected(f"text of at most {HOMER_PASSWORD_CHARS_MAX} printable characters")


class Trace(Struct, frozen=True):
    """[trace]. `ring_mb` 0 notes nothing at all."""

    keep: Keep = Keep.FAULTS
    sample_percent: Annotated[int, Meta(ge=0, le=100)] = 0
    short_call_s: Annotated[int, Meta(ge=0, le=600)] = 10
    ring_mb: Annotated[int, Meta(ge=0, le=4096)] = 64
    days: Annotated[int, Meta(ge=1, le=3650)] = 30
    disk_mb: Annotated[int, Meta(ge=1, le=10_000_000)] = 4096
    homer: Annotated[Address | None, Reads(read_homer)] = None
    homer_id: Annotated[int, Meta(ge=1, le=4_294_967_295)] = 2001
    homer_password: Annotated[Secret, Reads(read_homer_password)] = Secret("")


def read_trace(main: ConfFile) -> Trace:
    """The section with its problems noted in the file."""
    trace = read_struct(main, Trace, main.table.get("trace", {}), ("trace",))
    if trace.homer is not None and not trace.ring_mb:
        main.note(("trace", "ring_mb"), found="0", expected='at least 1, or homer = ""')
    return trace
