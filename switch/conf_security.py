"""[security] of offhook.toml: how much guessing is too much, whom that never concerns, and who gets no answer."""

from typing import Annotated

from msgspec import Meta, Struct

from switch.conf_values import Expected, Reads, list_reader
from switch.door.sources import Network, parse_network

AGENT_CHARS_MAX = 64


def read_network(value: object) -> Network:
    """ "203.0.113.7", "203.0.113.0/28" or "2001:db8::/32"."""
    network = parse_network(value) if isinstance(value, str) else None
    if network is None:
        raise Expected('an address or a network in quotes, without host bits, like "203.0.113.0/28"')
    if network.prefixlen == 0:
        raise Expected("a network that is not the whole world")
    return network


def read_agent(value: object) -> str:
    """The beginning of a User-Agent, lower-cased."""
    is_sound = isinstance(value, str) and value.isascii() and value.isprintable() and value == value.strip()
    if not is_sound or not 3 <= len(str(value)) <= AGENT_CHARS_MAX:
        raise Expected(f'3 to {AGENT_CHARS_MAX} plain characters, like "friendly-scanner"')
    return str(value).lower()


Networks = Annotated[tuple[Network, ...], Reads(list_reader(read_network))]
Agents = Annotated[tuple[str, ...], Reads(list_reader(read_agent))]

# What these programs call themselves while nobody has told them otherwise. No phone is called so.
SCANNERS = (
    "friendly-scanner",
    "friendly-request",
    "sipvicious",
    "sipcli",
    "sip-cli",
    "sip-scan",
    "sipscan",
    "sundayddr",
    "pplsip",
    "siparmyknife",
    "smap",
    "iwar",
)


class Security(Struct, frozen=True):
    """[security]. Times are in seconds."""

    login_failures_max: Annotated[int, Meta(ge=3, le=10_000)] = 20
    login_window_s: Annotated[int, Meta(ge=10, le=3600)] = 60
    login_failures_per_line_max: Annotated[int, Meta(ge=3, le=100_000)] = 200
    ban_s: Annotated[int, Meta(ge=10, le=86_400)] = 300
    ban_max_s: Annotated[int, Meta(ge=10, le=604_800)] = 86_400
    never_ban: Networks = ()
    scanner_user_agents: Agents = SCANNERS
