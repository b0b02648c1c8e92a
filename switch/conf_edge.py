"""[listen], [tls] and [websocket] of offhook.toml: what the edge process needs, and the switch needs to know.

Paths are as the operator wrote them; one that is relative counts from the folder of the files (`in_folder`). What
stands in the files of [tls] is not looked at here: the edge reads them, and `offhook check` does.
"""

import enum
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from switch.conf_files import ConfFile, ConfProblems, open_conf_file
from switch.conf_reader import read_struct
from switch.conf_values import Address, Addresses, Expected, OptionalAddress, Reads, list_reader
from switch.edge.limits import CONNECTIONS_MAX, CONNECTIONS_PER_SOURCE_MAX

MAIN_FILE = "offhook.toml"
# Longer than any path that a person writes; PATH_MAX of Linux.
PATH_CHARS_MAX = 4096
# A host has a name of 253 characters and a path in a WebSocket's address is short.
ORIGIN_CHARS_MAX = 300
WEBSOCKET_PATH_CHARS_MAX = 100
_PATH_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/")
_HOST_CHARS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-.[]:")


class CertificateFiles(Struct, frozen=True):
    """A certificate with its chain, and its key, both PEM."""

    certificate: str
    key: str


class ClientCertificates(enum.Enum):
    """Whether who connects over TLS is asked for a certificate."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


def read_certificate_files(value: object) -> CertificateFiles:
    """["tls/fullchain.pem", "tls/privkey.pem"]."""
    if isinstance(value, list) and len(value) == 2:
        return CertificateFiles(read_path(value[0]), read_path(value[1]))
    raise Expected(
        'pairs of files, the certificate with its chain and the key, like [["full.pem", "key.pem"]]'
    )


def read_path(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= PATH_CHARS_MAX or not value.isprintable():
        raise Expected('the path of a file, like "tls/fullchain.pem"')
    return value


def read_optional_path(value: object) -> str:
    return "" if value == "" else read_path(value)


def read_origin(value: object) -> str:
    """ "https://phone.example.co.uk", as a browser writes it (RFC 6454 6.2), or "" for who sends none."""
    if value == "":
        return ""
    expected = Expected(
        'an origin in small letters without a path, like "https://phone.example.co.uk", or "" for none'
    )
    if not isinstance(value, str) or len(value) > ORIGIN_CHARS_MAX:
        raise expected
    scheme, separator, host = value.partition("://")
    if scheme not in ("https", "http") or not separator or not host or not _HOST_CHARS.issuperset(host):
        raise expected
    return value


def read_websocket_path(value: object) -> str:
    is_sound = isinstance(value, str) and value.startswith("/") and _PATH_CHARS.issuperset(value)
    if not is_sound or len(str(value)) > WEBSOCKET_PATH_CHARS_MAX:
        raise Expected('a path of plain characters, like "/" or "/sip"')
    return str(value)


Certificates = Annotated[tuple[CertificateFiles, ...], Reads(list_reader(read_certificate_files))]
OptionalPath = Annotated[str, Reads(read_optional_path)]
Origins = Annotated[tuple[str, ...], Reads(list_reader(read_origin))]
WebSocketPath = Annotated[str, Reads(read_websocket_path)]


class Listen(Struct, frozen=True):
    """[listen]: sockets. `metrics` is None when switched off with ""."""

    udp: Addresses = (Address("0.0.0.0", 5060),)  # noqa: S104 - phones come from everywhere
    tcp: Addresses = (Address("0.0.0.0", 5060),)  # noqa: S104
    tls: Addresses = ()
    ws: Addresses = ()
    wss: Addresses = ()
    metrics: OptionalAddress = Address("127.0.0.1", 9464)
    connections_max: Annotated[int, Meta(ge=1, le=1_000_000)] = CONNECTIONS_MAX
    connections_per_source_max: Annotated[int, Meta(ge=1, le=1_000_000)] = CONNECTIONS_PER_SOURCE_MAX

    @property
    def has_websockets(self) -> bool:
        """Whether browsers can come at all."""
        return bool(self.ws or self.wss)


class Tls(Struct, frozen=True):
    """[tls]. An empty `peer_ca` is the system's; `client_ca` is needed to ask for certificates."""

    certificates: Certificates = ()
    client_certificates: ClientCertificates = ClientCertificates.NONE
    client_ca: OptionalPath = ""
    peer_ca: OptionalPath = ""


class WebSocket(Struct, frozen=True):
    """[websocket]. The default origins: programs that are no browser, and no web page at all."""

    origins: Origins = ("",)
    path: WebSocketPath = "/"


class EdgeConf(Struct, frozen=True):
    """What the edge reads. Only `listen` needs a restart."""

    listen: Listen
    tls: Tls
    websocket: WebSocket


def in_folder(folder: Path, path: str) -> Path:
    return folder / path


def load_edge_conf(folder: Path) -> EdgeConf:
    """The edge's three sections and nothing else. Raises ConfProblems."""
    main = open_conf_file(folder, MAIN_FILE)
    conf = read_edge_conf(main)
    if main.problems:
        raise ConfProblems(main.in_order())
    return conf


def read_edge_conf(main: ConfFile) -> EdgeConf:
    """The sections with their problems noted in the file."""
    listen = read_struct(main, Listen, main.table.get("listen", {}), ("listen",))
    tls = read_struct(main, Tls, main.table.get("tls", {}), ("tls",))
    websocket = read_struct(main, WebSocket, main.table.get("websocket", {}), ("websocket",))
    _check_listen(main, listen, tls)
    if tls.client_certificates is not ClientCertificates.NONE and not tls.client_ca:
        main.note(
            ("tls", "client_ca"), found="none", expected="the file of the CA that signs clients' certificates"
        )
    return EdgeConf(listen, tls, websocket)


def _check_listen(main: ConfFile, listen: Listen, tls: Tls) -> None:
    streams = {"tcp": listen.tcp, "tls": listen.tls, "ws": listen.ws, "wss": listen.wss}
    if not listen.udp and not any(streams.values()):
        main.note(("listen",), found="no listener", expected="an address in udp, tcp, tls, ws or wss")
    if listen.metrics is not None and listen.metrics in listen.tcp:
        main.note(("listen", "metrics"), found=str(listen.metrics), expected="another port than SIP over TCP")
    owners: dict[Address, str] = {}
    for name, addresses in streams.items():
        for address in addresses:
            owner = owners.setdefault(address, name)
            if owner != name:
                main.note(("listen", name), found=str(address), expected=f"another port than {owner}'s")
    if (listen.tls or listen.wss) and not tls.certificates:
        key = "tls" if listen.tls else "wss"
        main.note(("listen", key), found="no certificate", expected="a pair of files in tls.certificates")
