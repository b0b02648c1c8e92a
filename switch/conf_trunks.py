"""trunks.toml and trunk_secrets.toml: the carriers, how to speak to each, and our passwords there.

A trunk is known by its addresses (with their port), by the addresses of its names and by its source rules; two
trunks cannot share one that is written here. A user name needs a password and a password a trunk.
"""

import enum
from collections.abc import Collection, Mapping
from typing import Annotated

from msgspec import Meta, Struct

from switch.calls.number_plan import NumberFormat
from switch.calls.trunk_sources import Source, TrunkSources
from switch.conf_addresses import TrunkAddress, TrunkAddresses
from switch.conf_decks import DeckName
from switch.conf_files import ConfFile, nearest, shown
from switch.conf_reader import note_unknown_tables, read_named_tables, read_struct
from switch.conf_values import (
    Address,
    CodecNames,
    HeaderNames,
    HiddenText,
    Hosts,
    OptionalHost,
    PlainText,
    Secret,
    Sources,
    StatusCodes,
    Switch,
    Transport,
    own_source,
)
from switch.trunks.locate import SIP_PORT, TLS_PORT

_TABLES = ("trunk",)
NO_SECRET = Secret("")


class IdentityHeader(enum.Enum):
    """Which header carries the network number to a trunk. The From is always written."""

    PAI = "pai"
    RPID = "rpid"
    NONE = "none"


class Origin(enum.Enum):
    """Where its calls begin: a carrier that brings calls from abroad is "international" (Ofcom GC C6)."""

    UK = "uk"
    INTERNATIONAL = "international"


class ContactRule(enum.Enum):
    """Whether requests in a dialog go where the carrier's Record-Route or Contact says, or where the INVITE went."""

    FOLLOW = "follow"
    IGNORE = "ignore"


class DiversionHeader(enum.Enum):
    """Which header tells a trunk from where a call was diverted."""

    NONE = "none"
    DIVERSION = "diversion"
    HISTORY_INFO = "history-info"


class Trunk(Struct, frozen=True):
    """[trunk.NAME]: one carrier. `password` comes from trunk_secrets.toml; `pass_headers` are lower-case.

    `answer_timeout_s` is the time to a first sign of ringing; then the next trunk is tried, if there is one.
    `options_interval_s` 0 sends none, `calls_per_second_max` 0 is no limit. `messages`: texts (MESSAGE) go there and
    come from there. `deck` is what its calls cost us, "" if nothing says it.
    """

    name: str = ""
    password: Secret = NO_SECRET
    addresses: TrunkAddresses = ()
    transport: Transport = Transport.UDP
    contact: ContactRule = ContactRule.FOLLOW
    sources: Sources = ()
    source_names: Hosts = ()
    username: PlainText = ""
    realm: PlainText = ""
    from_domain: OptionalHost = ""
    number_format: NumberFormat = NumberFormat.E164_PLUS
    inbound_number_format: NumberFormat = NumberFormat.E164_PLUS
    origin: Origin = Origin.UK
    identity: IdentityHeader = IdentityHeader.PAI
    diversion: DiversionHeader = DiversionHeader.NONE
    pass_headers: HeaderNames = frozenset()
    codecs: CodecNames = frozenset()
    failover_codes: StatusCodes = frozenset((408, *range(500, 600)))
    answer_timeout_s: Annotated[int, Meta(ge=1, le=60)] = 6
    calls_max: Annotated[int, Meta(ge=1, le=100_000)] = 100
    calls_per_second_max: Annotated[int, Meta(ge=0, le=1000)] = 0
    register: Switch = False
    registrars: TrunkAddresses = ()
    register_domain: OptionalHost = ""
    register_expires_s: Annotated[int, Meta(ge=60, le=86_400)] = 600
    needs_registration: Switch = False
    options_interval_s: Annotated[int, Meta(ge=0, le=3600)] = 0
    breaker_failures: Annotated[int, Meta(ge=1, le=100)] = 3
    breaker_open_s: Annotated[int, Meta(ge=1, le=3600)] = 30
    messages: Switch = False
    deck: DeckName = ""

    @property
    def registrar_addresses(self) -> tuple[TrunkAddress, ...]:
        """Where it is registered: its own addresses unless others are named."""
        return self.registrars or self.addresses

    @property
    def registrar_domain(self) -> str:
        """The host of the address of record, and of the REGISTER's Request-URI."""
        host = self.register_domain or self.registrar_addresses[0].host
        return f"[{host}]" if ":" in host else host


class _Login(Struct, frozen=True):
    """[trunk.NAME] in trunk_secrets.toml."""

    password: HiddenText = NO_SECRET


def read_passwords(secrets_file: ConfFile) -> dict[str, Secret]:
    """Trunk name -> password."""
    note_unknown_tables(secrets_file, _TABLES)
    tables = read_named_tables(secrets_file, secrets_file.table.get("trunk", {}), ("trunk",))
    logins = {
        name: read_struct(secrets_file, _Login, table, ("trunk", name)) for name, table in tables.items()
    }
    return {name: login.password for name, login in logins.items() if login.password}


def read_trunks(file: ConfFile, passwords: Mapping[str, Secret], secrets_file: ConfFile) -> dict[str, Trunk]:
    """Every [trunk.NAME], in the order of the file."""
    note_unknown_tables(file, _TABLES)
    tables = read_named_tables(file, file.table.get("trunk", {}), ("trunk",))
    trunks = {name: _read_trunk(file, name, table, passwords) for name, table in tables.items()}
    for name in passwords.keys() - trunks.keys():
        close = nearest(name, list(trunks))
        expected = f"perhaps {close}" if close else f"the name of a trunk in {file.name}"
        secrets_file.warn(
            ("trunk", name), found=f"a password for the unknown trunk {shown(name)}", expected=expected
        )
    return trunks


def _read_trunk(
    file: ConfFile, name: str, table: Mapping[str, object], passwords: Mapping[str, Secret]
) -> Trunk:
    path = ("trunk", name)
    if "password" in table:
        # Before the general word about unknown keys: this one is likely, and the value must not be shown.
        file.note(
            (*path, "password"), found="a password", expected="it in trunk_secrets.toml, which has mode 0600"
        )
        table = {key: value for key, value in table.items() if key != "password"}
    password = passwords.get(name, NO_SECRET)
    trunk = read_struct(file, Trunk, table, path, name=name, password=password)
    if "addresses" not in table or table["addresses"] == []:
        file.note((*path, "addresses"), found="no address", expected='at least one, like "203.0.113.7:5060"')
    _check_registration(file, trunk, path)
    if trunk.username and not password:
        expected = f"a password in trunk_secrets.toml under [trunk.{name}]"
        file.note((*path, "username"), found="a user name without a password", expected=expected)
    if password and not trunk.username:
        file.note(
            (*path, "username"),
            found="a password without a user name",
            expected="the user name it belongs to",
        )
    return trunk


def _check_registration(file: ConfFile, trunk: Trunk, path: tuple[str, str]) -> None:
    """Only a trunk with a login can be registered, and only one that is registered can be needed to be."""
    if trunk.register and not trunk.username:
        file.note(
            (*path, "register"), found="register without a user name", expected="a username and its password"
        )
    if trunk.needs_registration and not trunk.register:
        file.note(
            (*path, "needs_registration"),
            found="needs_registration without register",
            expected="register = true",
        )
    if trunk.registrars and not trunk.register:
        file.note((*path, "registrars"), found="registrars without register", expected="register = true")


def check_decks(file: ConfFile, trunks: Mapping[str, Trunk], decks: Collection[str]) -> None:
    """A trunk's deck is one in decks/."""
    for name, trunk in trunks.items():
        if trunk.deck and trunk.deck not in decks:
            close = nearest(trunk.deck, list(decks))
            expected = f"perhaps {close}, in decks/" if close else "the name of a deck in decks/"
            file.note(("trunk", name, "deck"), found=shown(trunk.deck), expected=expected)


def read_trunk_sources(file: ConfFile, trunks: Mapping[str, Trunk]) -> TrunkSources:
    """Where each trunk's calls come from. One source cannot belong to two trunks."""
    owners: dict[Source, str] = {}
    for name, trunk in trunks.items():
        for source in _sources_of(trunk):
            owner = owners.setdefault(source, name)
            if owner != name:
                expected = f"a source that is not also trunk {owner}'s"
                file.note(("trunk", name), found=str(source), expected=expected)
    return TrunkSources(owners.items())


def _sources_of(trunk: Trunk) -> tuple[Source, ...]:
    """Its addresses as written; those of its names are matched as they are (switch/trunks)."""
    default_port = TLS_PORT if trunk.transport is Transport.TLS else SIP_PORT
    own = (
        own_source(Address(address.host, address.port or default_port))
        for address in trunk.addresses
        if not address.is_name
    )
    return (*own, *trunk.sources)
