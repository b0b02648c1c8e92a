"""[media] of offhook.toml: the relay's addresses and ports, and how the switch uses it.

The relay itself is told by its command line (offhook/supervisor/plans.py); it does not read files of the switch.
"""

from typing import Annotated

from msgspec import Meta, Struct

from media.relay.port_pool import ports_of
from switch.conf_files import ConfFile
from switch.conf_reader import read_struct
from switch.conf_values import Expected, Reads, Switch, list_reader
from switch.sip.host import canonical_ip, is_link_local

# What `hold_music` says for the shipped piece.
SHIPPED_MUSIC = "music"
# As elsewhere (conf_edge.py): Linux has paths of 4096.
PATH_CHARS_MAX = 1024
# A machine has a few addresses; each has a pool of its own.
LISTEN_MAX = 16


class PortRange(Struct, frozen=True):
    """Both ends included. RTP takes the even ports, RTCP the odd ones."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


def read_port_range(value: object) -> PortRange:
    """ "20000-29999"."""
    try:
        first, last = ports_of(value if isinstance(value, str) else "")
    except ValueError:
        raise Expected('a range of ports from 1024 to 65535 with a pair in it, like "20000-29999"') from None
    return PortRange(first, last)


def read_ip(value: object) -> str:
    """An address without a port, bare and in its one spelling."""
    host = canonical_ip(value) if isinstance(value, str) else None
    if host is None or is_link_local(host):
        raise Expected('an IPv4 or IPv6 address without a port, like "203.0.113.7" or "2001:db8::7"')
    return host


def read_hold_music(value: object) -> str:
    """ "" for none, "music" for the shipped piece, else the path of a file."""
    is_path = isinstance(value, str) and value.lower().endswith(".wav") and len(value) <= PATH_CHARS_MAX
    if value in ("", SHIPPED_MUSIC) or (is_path and str(value).isprintable()):
        return str(value)
    raise Expected('"music", "" for none, or the path of a WAV file, like "prompts/hold.wav"')


Ips = Annotated[tuple[str, ...], Reads(list_reader(read_ip))]
Ports = Annotated[PortRange, Reads(read_port_range)]


class Media(Struct, frozen=True):
    """[media]. `advertised`: at most one address of each family; without one it is the local address.

    `silence_timeout_s` 0: silence means nothing. `browsers` needs the relay, and a listener that they can come by.
    """

    relay: Switch = True
    listen: Ips = ("0.0.0.0",)  # noqa: S104 - phones come from everywhere
    advertised: Ips = ()
    ports: Ports = PortRange(20_000, 29_999)
    silence_timeout_s: Annotated[int, Meta(ge=0, le=3600)] = 30
    bypass: Switch = False
    hold_music: Annotated[str, Reads(read_hold_music)] = SHIPPED_MUSIC
    browsers: Switch = True
    browser_ports: Ports = PortRange(30_000, 30_999)

    @property
    def hold_music_file(self) -> str:
        """The operator's own, as he wrote it; "" without one."""
        return "" if self.hold_music == SHIPPED_MUSIC else self.hold_music

    def advertised_in(self, *, is_ipv6: bool) -> str:
        """What SDP says in this family; "": the local address."""
        return next((host for host in self.advertised if (":" in host) is is_ipv6), "")


def _overlap(one: PortRange, other: PortRange) -> bool:
    return one.first <= other.last and other.first <= one.last


def read_media(main: ConfFile) -> Media:
    """The section with its problems noted in the file."""
    media = read_struct(main, Media, main.table.get("media", {}), ("media",))
    if media.relay and not media.listen:
        main.note(("media", "listen"), found="no address", expected="an address, or relay = false")
    listen = main.table.get("listen")
    has_browsers = isinstance(listen, dict) and bool(listen.get("ws") or listen.get("wss"))
    if has_browsers and media.relay and media.browsers and _overlap(media.ports, media.browser_ports):
        main.note(("media", "browser_ports"), found=str(media.browser_ports), expected="none of the ports of `ports`")
    if len(media.listen) > LISTEN_MAX:
        main.note(("media", "listen"), found=f"{len(media.listen)} items", expected=f"at most {LISTEN_MAX}")
    for is_ipv6 in (False, True):
        of_family = [host for host in media.advertised if (":" in host) is is_ipv6]
        if len(of_family) > 1:
            family = "IPv6" if is_ipv6 else "IPv4"
            main.note(("media", "advertised"), found=", ".join(of_family), expected=f"one {family} address")
    return media
