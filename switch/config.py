"""The operator's files in conf/, read as a whole into frozen values.

`load_conf(folder)` returns a `Conf` or raises `ConfProblems` with every problem found: file, line, key,
found, expected. What is legal but unwise (emergency calls without a trunk) stands in `Conf.warnings`.
The structs are the schema: a key of a file is a field here, its range is the field's type, its default
the field's default. Trunk passwords are in trunk_secrets.toml (mode 0600), which is never kept as a
version. Nothing here opens a socket or reads a clock.
"""

import enum
from pathlib import Path
from typing import Annotated, Final, TypeVar

from msgspec import Meta, Struct

from rating.deck import Deck
from rating.tariff import Tariff, tariff_version
from rating.vat_rates import UK_VAT, VatRates
from switch.calls.number_plan import NumberFormat
from switch.calls.routing import BelowCost, Routing
from switch.calls.service_codes import UK_SERVICES, ServiceTable
from switch.calls.trunk_sources import TrunkSources
from switch.conf_addresses import NameServers
from switch.conf_cli import NO_CLI_RULES, CliRules, read_cli_rules
from switch.conf_dated import read_vat
from switch.conf_decks import deck_names, read_decks, read_exchange_rates
from switch.conf_edge import MAIN_FILE, Listen, Tls, WebSocket, read_edge_conf
from switch.conf_files import (
    ConfFile,
    ConfProblem,
    ConfProblems,
    Fingerprint,
    conf_fingerprint,
    open_conf_file,
    open_optional_file,
    open_secrets_file,
)
from switch.conf_media import Media, read_media
from switch.conf_reader import note_unknown_tables, read_struct
from switch.conf_routing import read_routing
from switch.conf_safety import DEFAULT_SAFETY, Safety, open_safety_file, read_safety
from switch.conf_security import Security
from switch.conf_services import open_services_file, read_services
from switch.conf_tariffs import read_below_cost, read_tariffs
from switch.conf_time_sets import TIME_SETS_FILE, read_time_sets
from switch.conf_trace import Trace, read_trace
from switch.conf_trunks import (
    IdentityHeader,
    Trunk,
    check_decks,
    read_passwords,
    read_trunk_sources,
    read_trunks,
)
from switch.conf_values import (
    Address,
    Dsn,
    Hosts,
    OptionalHost,
    Realm,
    Secret,
    Transport,
)
from switch.conf_voicemail import NO_VOICEMAIL, Voicemail, check_voicemail_address, read_voicemail_conf
from switch.journey.time_sets import TimeSets
from switch.price_files import NO_PRICE_FILES, PriceFiles
from switch.registrar.pings import FAILURES_UNTIL_DEAD

__all__ = [
    "Address",
    "CallLimits",
    "Conf",
    "ConfProblem",
    "ConfProblems",
    "ConfText",
    "Database",
    "DigestSettings",
    "Dns",
    "Exchange",
    "Fingerprint",
    "IdentityHeader",
    "Listen",
    "NumberFormat",
    "Prepaid",
    "RegistrarSettings",
    "Secret",
    "Security",
    "Transport",
    "Trunk",
    "Voicemail",
    "conf_fingerprint",
    "load_conf",
    "settings_needing_restart",
]

TRUNKS_FILE = "trunks.toml"
ROUTING_FILE = "routing.toml"
SECRETS_FILE = "trunk_secrets.toml"

MIN_SE_S = 90  # RFC 4028 5: no session may be shorter, and it is what a missing Min-SE means

NO_TIME_SETS: Final = TimeSets()

S = TypeVar("S", bound=Struct)
Limit = Annotated[int, Meta(ge=1, le=100_000)]


class Exchange(Struct, frozen=True):
    """[exchange]: who we are. An empty `advertised_host` means the local address of the flow in use."""

    domains: Hosts = ()
    advertised_host: OptionalHost = ""


class Database(Struct, frozen=True):
    """[database]: an empty `dsn` is the embedded PostgreSQL."""

    dsn: Dsn = Secret("")


class RegistrarSettings(Struct, frozen=True):
    """[registrar]: how long phones stay registered, how they are kept reachable behind NAT, and what of it is told.

    The last four: when a line counts as offline, how often it may drop off in an hour, the part of all lines that
    makes it an outage, and for how many days the history is kept.
    """

    min_expires_s: Annotated[int, Meta(ge=1, le=3600)] = 60
    max_expires_s: Annotated[int, Meta(ge=60, le=604_800)] = 3600
    expires_jitter_percent: Annotated[int, Meta(ge=0, le=50)] = 10
    bindings_per_aor_max: Annotated[int, Meta(ge=1, le=100)] = 10
    ping_interval_s: Annotated[int, Meta(ge=5, le=600)] = 30
    ping_rate_max: Annotated[int, Meta(ge=1, le=10_000)] = 500
    ping_failures_max: Annotated[int, Meta(ge=1, le=20)] = FAILURES_UNTIL_DEAD
    offline_after_s: Annotated[int, Meta(ge=10, le=86_400)] = 300
    drops_per_hour_max: Annotated[int, Meta(ge=1, le=100)] = 6
    outage_percent: Annotated[int, Meta(ge=1, le=100)] = 25
    history_days: Annotated[int, Meta(ge=1, le=3650)] = 90


class CallLimits(Struct, frozen=True):
    """[calls]: times and numbers of calls. The `_per_` limits hold where a line or account has none.

    `session_expires_s` 0 offers no session timer. A parked call rings after `park_return_s` where it was parked.
    """

    no_answer_timeout_s: Annotated[int, Meta(ge=5, le=600)] = 120
    answer_gate_ms: Annotated[int, Meta(ge=10, le=2000)] = 250
    call_duration_max_s: Annotated[int, Meta(ge=60, le=86_400)] = 14_400
    session_expires_s: Annotated[int, Meta(ge=0, le=86_400)] = 1800
    calls_max: Limit = 5000
    calls_per_account_max: Limit = 1000
    calls_per_line_max: Limit = 20
    reaction_timeout_s: Annotated[int, Meta(ge=1, le=60)] = 6
    park_return_s: Annotated[int, Meta(ge=10, le=3600)] = 180


class Dns(Struct, frozen=True):
    """[dns]: whom to ask for the addresses of trunks. None: those of /etc/resolv.conf."""

    servers: NameServers = ()


class IncomingWithoutCredit(enum.StrEnum):
    """What becomes of a call that the owner of the called number would pay for, and cannot."""

    REFUSE = "refuse"
    CONNECT = "connect"


class Prepaid(Struct, frozen=True):
    """[prepaid]: how far ahead a call is paid for, and how long before its end the caller is warned (0: never)."""

    reserve_ahead_s: Annotated[int, Meta(ge=10, le=3600)] = 60
    renew_before_s: Annotated[int, Meta(ge=2, le=600)] = 20
    warning_s: Annotated[int, Meta(ge=0, le=600)] = 10
    incoming_without_credit: IncomingWithoutCredit = IncomingWithoutCredit.REFUSE


class DigestSettings(Struct, frozen=True):
    """[digest]. Passwords are stored hashed with the realm: changing it locks every line out."""

    realm: Realm = "offhook"
    nonce_lifetime_s: Annotated[int, Meta(ge=30, le=86_400)] = 300


class ConfText(Struct, frozen=True):
    """One file as loaded, for the books. `kind` is trunks, routing, time_sets, tariff or deck; `version` 16 hex digits
    of SHA-256."""

    kind: str
    name: str
    version: str
    content: str


class Conf(Struct, frozen=True):
    """Everything in conf/, valid as a whole."""

    exchange: Exchange
    listen: Listen
    database: Database
    registrar: RegistrarSettings
    calls: CallLimits
    prepaid: Prepaid
    digest: DigestSettings
    security: Security
    trunks: dict[str, Trunk]
    routing: Routing
    tariffs: dict[str, Tariff]
    versions: list[ConfText]
    warnings: list[ConfProblem]
    trunk_sources: TrunkSources
    tls: Tls = Tls()
    websocket: WebSocket = WebSocket()
    media: Media = Media()
    dns: Dns = Dns()
    voicemail: Voicemail = NO_VOICEMAIL
    safety: Safety = DEFAULT_SAFETY
    services: ServiceTable = UK_SERVICES
    cli: CliRules = NO_CLI_RULES
    time_sets: TimeSets = NO_TIME_SETS
    decks: dict[str, Deck] = {}
    vat: VatRates = UK_VAT
    below_cost: dict[str, BelowCost] = {}
    trace: Trace = Trace()

    @property
    def metrics(self) -> Address | None:
        """Where Prometheus may fetch, or None."""
        return self.listen.metrics


def settings_needing_restart(running: Conf, loaded: Conf) -> list[str]:
    """The keys that differ and that a running exchange cannot take over."""
    pairs = {
        "listen": (running.listen, loaded.listen),
        "database.dsn": (running.database.dsn, loaded.database.dsn),
        "registrar.history_days": (running.registrar.history_days, loaded.registrar.history_days),
        "digest.realm": (running.digest.realm, loaded.digest.realm),
        "media": (_relay_of(running.media), _relay_of(loaded.media)),
        "voicemail": (running.voicemail, loaded.voicemail),
    }
    return [key for key, (before, after) in pairs.items() if before != after]


def _relay_of(media: Media) -> tuple[object, ...]:
    """What the relay is started with."""
    return media.relay, media.listen, media.ports, media.browsers, media.browser_ports, media.hold_music_file


def load_conf(folder: Path, prices: PriceFiles = NO_PRICE_FILES) -> Conf:
    """Read and check everything in the folder. Raises ConfProblems with all that is wrong.

    `prices` has large price lists packed (price_files.py).
    """
    main = open_conf_file(folder, MAIN_FILE)
    trunks_file = open_conf_file(folder, TRUNKS_FILE)
    routing_file = open_conf_file(folder, ROUTING_FILE)
    secrets_file = open_secrets_file(folder, SECRETS_FILE)
    services_file = open_services_file(folder)
    safety_file = open_safety_file(folder)
    time_sets_file = open_optional_file(folder, TIME_SETS_FILE)
    files = (main, trunks_file, routing_file, services_file, safety_file, time_sets_file, secrets_file)

    note_unknown_tables(main, _SECTIONS)
    trunks = read_trunks(trunks_file, read_passwords(secrets_file), secrets_file)
    tariffs, tariff_texts, tariff_problems = read_tariffs(folder, main, prices)
    exchange_rates, rates_file = read_exchange_rates(folder)
    decks = read_decks(folder, exchange_rates, prices)
    check_decks(trunks_file, trunks, deck_names(folder))
    edge = read_edge_conf(main)
    voicemail = read_voicemail_conf(main)
    services = read_services(services_file)
    check_voicemail_address(main, voicemail, edge.listen)
    cli_rules, list_problems = read_cli_rules(main, folder)
    conf = Conf(
        exchange=_section(main, "exchange", Exchange),
        listen=edge.listen,
        database=_section(main, "database", Database),
        registrar=_checked_registrar(main),
        calls=_checked_calls(main),
        prepaid=_checked_prepaid(main),
        digest=_section(main, "digest", DigestSettings),
        security=_checked_security(main),
        trunks=trunks,
        routing=read_routing(
            routing_file, trunks.keys(), service_numbers=voicemail.service_numbers | services.numbers
        ),
        tariffs=tariffs,
        versions=[
            ConfText("trunks", "trunks", tariff_version(trunks_file.text), trunks_file.text),
            ConfText("routing", "routing", tariff_version(routing_file.text), routing_file.text),
            *_version_of("time_sets", "time-sets", time_sets_file),
            *(ConfText("tariff", name, tariffs[name].version, text) for name, text in tariff_texts.items()),
            *(ConfText("deck", name, decks.decks[name].version, text) for name, text in decks.texts.items()),
        ],
        warnings=[],
        trunk_sources=read_trunk_sources(trunks_file, trunks),
        tls=edge.tls,
        websocket=edge.websocket,
        dns=_section(main, "dns", Dns),
        media=read_media(main),
        voicemail=voicemail,
        safety=read_safety(safety_file),
        services=services,
        cli=cli_rules,
        time_sets=read_time_sets(time_sets_file),
        decks=decks.decks,
        vat=read_vat(folder, main),
        below_cost=read_below_cost(main),
        trace=read_trace(main),
    )
    problems = [problem for file in (*files, rates_file) for problem in file.in_order()]
    problems += tariff_problems + decks.problems + list_problems
    if problems:
        raise ConfProblems(problems)
    conf.warnings.extend(warning for file in files for warning in file.warnings)
    return conf


def _version_of(kind: str, name: str, file: ConfFile) -> list[ConfText]:
    """None of a file that is missing."""
    return [ConfText(kind, name, tariff_version(file.text), file.text)] if file.text else []


_SECTIONS = (
    *("exchange", "listen", "tls", "websocket", "database"),
    *("registrar", "calls", "cli", "media", "prepaid", "digest", "security", "dns", "voicemail", "trace"),
    "tariffs",
)


def _section(main: ConfFile, name: str, struct: type[S]) -> S:
    return read_struct(main, struct, main.table.get(name, {}), (name,))


def _checked_registrar(main: ConfFile) -> RegistrarSettings:
    registrar = _section(main, "registrar", RegistrarSettings)
    if registrar.min_expires_s > registrar.max_expires_s:
        found, most = str(registrar.min_expires_s), registrar.max_expires_s
        main.note(
            ("registrar", "min_expires_s"), found=found, expected=f"at most max_expires_s, which is {most}"
        )
    return registrar


def _checked_calls(main: ConfFile) -> CallLimits:
    calls = _section(main, "calls", CallLimits)
    if 0 < calls.session_expires_s < MIN_SE_S:
        found = str(calls.session_expires_s)
        main.note(
            ("calls", "session_expires_s"), found=found, expected=f"0 for never, or at least {MIN_SE_S}"
        )
    return calls


def _checked_prepaid(main: ConfFile) -> Prepaid:
    prepaid = _section(main, "prepaid", Prepaid)
    if prepaid.renew_before_s >= prepaid.reserve_ahead_s:
        found, most = str(prepaid.renew_before_s), prepaid.reserve_ahead_s
        main.note(
            ("prepaid", "renew_before_s"), found=found, expected=f"less than reserve_ahead_s, which is {most}"
        )
    if prepaid.warning_s > prepaid.renew_before_s and "warning_s" in main.table.get("prepaid", {}):
        found, most = str(prepaid.warning_s), prepaid.renew_before_s
        main.note(("prepaid", "warning_s"), found=found, expected=f"at most renew_before_s, which is {most}")
    return prepaid


def _checked_security(main: ConfFile) -> Security:
    security = _section(main, "security", Security)
    if security.ban_s > security.ban_max_s:
        found, most = str(security.ban_s), security.ban_max_s
        main.note(("security", "ban_s"), found=found, expected=f"at most ban_max_s, which is {most}")
    return security
