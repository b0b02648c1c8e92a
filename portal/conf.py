"""portal.toml: where the portal listens, how it is reached, how long sessions last."""

import datetime
import ipaddress
import ssl
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, Struct

from portal.sessions import SessionTimes
from switch.conf_files import ConfFile, ConfProblems, open_conf_file
from switch.conf_reader import note_unknown_tables, read_struct
from switch.conf_values import Address, Expected, OptionalAddress, Reads, list_reader
from switch.sip.host import canonical_ip, is_loopback

PORTAL_FILE: Final = "portal.toml"
TABLES: Final = ("portal", "sessions")
NAME_CHARS_MAX: Final = 60
PATH_CHARS_MAX: Final = 1000


def read_name(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= NAME_CHARS_MAX:
        raise Expected(f"a text of one line in quotes, of 1 to {NAME_CHARS_MAX} characters")
    return value


def read_path(value: object) -> str:
    """A file, or "" for none."""
    if not isinstance(value, str) or not value.isprintable() or len(value) > PATH_CHARS_MAX:
        raise Expected('the path of a PEM file in quotes, or ""')
    return value


def read_proxy(value: object) -> str:
    """An address in its one spelling."""
    host = canonical_ip(value) if isinstance(value, str) else None
    if host is None:
        raise Expected('an address without a port, like "127.0.0.1"')
    return host


class PortalDoor(Struct, frozen=True):
    """[portal]."""

    listen: OptionalAddress = Address("127.0.0.1", 8440)
    name: Annotated[str, Reads(read_name)] = "Offhook"
    certificate: Annotated[str, Reads(read_path)] = ""
    key: Annotated[str, Reads(read_path)] = ""
    metrics: OptionalAddress = None
    proxies: Annotated[tuple[str, ...], Reads(list_reader(read_proxy))] = ()

    @property
    def is_https(self) -> bool:
        """As browsers see it."""
        return bool(self.certificate or self.proxies)


class SessionLimits(Struct, frozen=True):
    """[sessions]."""

    idle_minutes: Annotated[int, Meta(ge=5, le=1440)] = 60
    hours_max: Annotated[int, Meta(ge=1, le=168)] = 12

    @property
    def times(self) -> SessionTimes:
        return SessionTimes(
            datetime.timedelta(minutes=self.idle_minutes), datetime.timedelta(hours=self.hours_max)
        )


class PortalConf(Struct, frozen=True):
    """The file as a whole."""

    door: PortalDoor = PortalDoor()
    sessions: SessionLimits = SessionLimits()


def load_portal(folder: Path) -> PortalConf:
    """Raises ConfProblems with everything that is wrong in the file, and in the files that it names."""
    file = open_conf_file(folder, PORTAL_FILE)
    conf = read_portal(file)
    if not file.problems:
        _check_certificate(file, conf.door, folder)
    if file.problems:
        raise ConfProblems(file.in_order())
    return conf


def read_portal(file: ConfFile) -> PortalConf:
    """Problems are noted in the file."""
    note_unknown_tables(file, TABLES)
    conf = PortalConf(
        door=read_struct(file, PortalDoor, file.table.get("portal", {}), ("portal",)),
        sessions=read_struct(file, SessionLimits, file.table.get("sessions", {}), ("sessions",)),
    )
    if not file.problems:
        _check_door(file, conf.door)
    return conf


def _check_door(file: ConfFile, door: PortalDoor) -> None:
    if bool(door.certificate) is not bool(door.key):
        file.note(
            ("portal", "certificate"),
            found="a certificate without a key" if door.certificate else "a key without a certificate",
            expected="both, or neither",
        )
    elif door.listen is not None and not door.is_https and not is_loopback(door.listen.host):
        file.note(
            ("portal", "listen"),
            found=f"{door.listen}, where passwords would travel in clear",
            expected="a certificate and key, a proxy, or a loopback address like 127.0.0.1:8440",
        )


def _check_certificate(file: ConfFile, door: PortalDoor, folder: Path) -> None:
    if door.certificate:
        try:
            load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), door, folder)
        except OSError as problem:  # ssl.SSLError is one
            words = problem.strerror or type(problem).__name__
            file.note(
                ("portal", "certificate"),
                found=f"a pair that cannot be used ({words})",
                expected="PEM files of a certificate and of its key, without a pass phrase",
            )


def load_pair(context: ssl.SSLContext, door: PortalDoor, folder: Path) -> None:
    """New connections get this one. Raises OSError."""
    context.load_cert_chain(folder / door.certificate, folder / door.key, password=_no_pass_phrase)


def _no_pass_phrase() -> str:
    """OpenSSL would ask at the terminal."""
    return ""


def source_of(host: str) -> str:
    """What counts as one place: an IPv4 address, or the /64 that a subscriber has of IPv6."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((address, 64), strict=False))
    return str(address)
