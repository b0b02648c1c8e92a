"""The switch's end of the relay: the ports it was granted, the endpoints in use, and what is to be said.

Pure: messages of the relay come in by `hear`, messages to it wait in `outgoing` until the end of the turn. A port is
taken from those that the relay has open already, so a call never waits. While the relay is away there are no ports,
and descriptions cross as they are: two phones that reach each other still talk, which beats no call. When a new relay
comes, every endpoint is described to it again, with the address at which its peer had been found.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from media.relay.messages import (
    Aim,
    Ask,
    Attach,
    Bridge,
    Close,
    Figures,
    Format,
    FromRelay,
    FromSwitch,
    Granted,
    Heard,
    Hello,
    Latched,
    Open,
    Play,
    Played,
    Refused,
    RelayCounts,
    Release,
    Silent,
    Stop,
    Watch,
)
from switch.relay.browser_gates import BrowserGates
from switch.relay.sound_counts import LINES, Sounds
from switch.sdp.relayed import Hearing
from switch.sip.flow import Flow
from switch.sip.host import is_loopback, is_same_family

# Endpoints whose last figures have not come yet; a relay that died with them never sends any.
CLOSING_MAX: Final = 10_000
UNTIL_STOPPED: Final = 0
LISTENER_ANY: Final = ("0.0.0.0", "::")  # noqa: S104 - recognised, not bound, here


class EndpointUser(Protocol):
    """Whose endpoint it is: a leg's media."""

    def on_silent(self, for_s: float, now: float) -> None:
        """Neither end of the bridge has sent anything for so long."""

    def on_played(self, token: int) -> None:
        """A sound is over."""

    def on_heard(self) -> None:
        """Such a silence is over, or nobody can tell any more."""


class Endpoint:
    """One pair of ports of the relay, in use for one medium of one leg.

    `host` is where the relay listens, `port` is the even one. `bridged_to` is the endpoint of the other end, 0 for
    none. `music` is what its peer hears until it is stopped, "" for what the other end says.
    """

    __slots__ = (
        "aim", "bridged_to", "host", "is_rtp", "label", "music", "music_token", "number", "port", "relay", "trunk",
        "user", "version", "watch_s",
    )  # fmt: skip

    def __init__(
        self,
        relay: "Relay",
        number: int,
        host: str,
        port: int,
        label: str,
        user: EndpointUser,
        *,
        is_rtp: bool,
    ) -> None:
        self.relay = relay
        self.number = number
        self.host = host
        self.port = port
        self.label = label
        self.user = user
        self.trunk = LINES  # the peer's, for counts
        self.is_rtp = is_rtp
        self.aim: Aim | None = None
        self.version = 0
        self.bridged_to = 0
        self.watch_s = 0
        self.music = ""
        self.music_token = 0

    def point_at(self, hearing: Hearing, sources: tuple[str, ...]) -> None:
        """What the peer's newest description says. Another address: the peer is looked for anew."""
        before = self.aim
        place = (hearing.host, hearing.port, hearing.rtcp_port)
        if before is None or (before.host, before.port, before.rtcp_port) != place:
            self.version += 1
        aim = Aim(
            endpoint=self.number,
            version=self.version,
            host=hearing.host,
            port=hearing.port,
            rtcp_port=hearing.rtcp_port,
            sources=sources,
            formats=tuple(Format(*codec) for codec in hearing.codecs),
            may_be_silent=hearing.may_be_silent,
            latched=before.latched if before is not None and before.version == self.version else None,
        )
        if aim != before:
            self.aim = aim
            self.relay.tell(aim)

    def bridge(self, other: "Endpoint") -> None:
        """Whoever was bridged with one of the two is heard by nobody from now on."""
        if self.bridged_to != other.number or other.bridged_to != self.number:
            for end in (self, other):
                left = self.relay.endpoints.get(end.bridged_to)
                if left is not None and left.bridged_to == end.number:
                    left.bridged_to = 0
            self.bridged_to, other.bridged_to = other.number, self.number
            self.relay.tell(Bridge(self.number, other.number))

    def watch(self, silence_s: int) -> None:
        """Say when both ends of this bridge have been silent for so long."""
        self.watch_s = silence_s
        self.relay.tell(Watch(self.number, silence_s))

    def play(self, name: str, token: int = 0, *, repeats: int = 1) -> None:
        """A sound of the catalogue instead of what the other end says; `repeats` 0: until `stop_playing`."""
        self.relay.tell(Play(self.number, name, token, repeats))

    def play_music(self, name: str, token: int) -> None:
        """Until it is stopped, also by a relay that comes after this one."""
        self.music, self.music_token = name, token
        self.play(name, token, repeats=UNTIL_STOPPED)

    def stop_music(self) -> None:
        self.music = ""
        self.stop_playing()

    def stop_playing(self) -> None:
        """The other end is heard again, or the music that the sound took the place of."""
        if self.music:
            self.play(self.music, self.music_token, repeats=UNTIL_STOPPED)
        else:
            self.relay.tell(Stop(self.number))

    def close(self) -> None:
        self.relay.close(self)


class Relay:
    """One per switch. `on_figures(label, figures, now)` hears what the last packets of an endpoint came to."""

    __slots__ = (
        "_closing", "_epoch", "_in_use", "_is_released", "_next_number", "_on_figures", "_ports", "_relay_epoch",
        "counts", "endpoints", "figures", "figures_heard", "gates", "outgoing", "refused", "sounds", "unrelayed",
    )  # fmt: skip

    def __init__(self, epoch: str, on_figures: Callable[[str, Figures, float], None]) -> None:
        """`epoch` names this life of the switch."""
        self._epoch = epoch
        self._on_figures = on_figures
        self._relay_epoch = ""
        self._next_number = 1
        self._is_released = False
        self._ports: dict[str, deque[int]] = {}  # by the address that the relay listens on
        self._in_use: set[tuple[str, int]] = set()  # of the endpoints
        self._closing: dict[int, tuple[str, str]] = {}  # label and trunk
        self.endpoints: dict[int, Endpoint] = {}
        self.figures: dict[int, Figures] = {}  # as they were last asked for
        self.figures_heard = 0
        self.outgoing: list[FromSwitch] = []
        self.counts = RelayCounts()
        self.gates: BrowserGates | None = None  # between it and browsers
        self.refused = 0
        self.sounds = Sounds()
        self.unrelayed = 0

    @property
    def is_here(self) -> bool:
        """Whether a relay is connected that has said who it is."""
        return bool(self._relay_epoch)

    @property
    def is_closing(self) -> bool:
        """Whether last figures are still to come."""
        return bool(self._closing)

    @property
    def ports_granted(self) -> int:
        return sum(len(ports) for ports in self._ports.values())

    def open(self, user: EndpointUser, label: str, flow: Flow, *, is_rtp: bool) -> Endpoint | None:
        """An endpoint for the peer at this flow, at once; None while the relay has no port to give."""
        host = self._host_for(flow)
        if host is None:
            self.unrelayed += 1
            return None
        port = self._ports[host].popleft()
        endpoint = Endpoint(self, self._next_number, host, port, label, user, is_rtp=is_rtp)
        self._next_number += 1
        self.endpoints[endpoint.number] = endpoint
        self._in_use.add((host, port))
        self.tell(Open(endpoint.number, host, port, label, is_rtp))
        return endpoint

    def close(self, endpoint: Endpoint) -> None:
        if self.endpoints.pop(endpoint.number, None) is None:
            return
        self._in_use.discard((endpoint.host, endpoint.port))
        self.figures.pop(endpoint.number, None)
        if self.is_here:
            self._closing[endpoint.number] = (endpoint.label, endpoint.trunk)
            if len(self._closing) > CLOSING_MAX:
                del self._closing[next(iter(self._closing))]
        self.tell(Close(endpoint.number))

    def ask(self) -> None:
        """For the figures of every endpoint; they come into `figures`."""
        self.tell(Ask())

    def release(self) -> None:
        """The calls of the switch before this one have been ended: their endpoints may go."""
        self._is_released = True
        self.tell(Release())

    def tell(self, message: FromSwitch) -> None:
        if self.is_here:
            self.outgoing.append(message)

    def lost(self) -> None:
        """The relay is away: what was granted is not ours any more."""
        self._relay_epoch = ""
        self.outgoing.clear()
        for ports in self._ports.values():
            ports.clear()
        for endpoint in self.endpoints.values():
            endpoint.user.on_heard()

    def hear(self, message: FromRelay, now: float) -> None:
        match message:
            case Hello(epoch=epoch):
                self._greet(epoch)
            case Granted(host=host, ports=ports):
                free = (port for port in ports if (host, port) not in self._in_use)
                self._ports.setdefault(host, deque()).extend(free)
            case Refused(endpoint=number):
                self.refused += 1
            case Latched(endpoint=number, host=host, port=port, rtcp_port=rtcp_port):
                endpoint = self.endpoints.get(number)
                if endpoint is not None and endpoint.aim is not None:
                    endpoint.aim.latched = (host, port, rtcp_port)
            case Silent() | Heard() | Played():
                endpoint = self.endpoints.get(message.endpoint)
                if endpoint is not None:
                    _tell(endpoint.user, message, now)
            case Figures(endpoint=number):
                self._take_figures(number, message, now)
            case RelayCounts():
                self.counts = message

    def _host_for(self, flow: Flow) -> str | None:
        """Of the addresses with a free port the best to tell this peer: the one that it speaks SIP with, one that
        stands for all, one that is on its side of the machine (voicemail is within)."""
        hosts = [host for host, ports in self._ports.items() if ports and is_same_family(host, flow.remote_host)]
        if len(hosts) < 2:
            return hosts[0] if hosts else None
        is_within = is_loopback(flow.remote_host)

        def rank(host: str) -> tuple[bool, bool, bool]:
            return host != flow.local_host, host not in LISTENER_ANY, is_loopback(host) is not is_within

        return min(hosts, key=rank)

    def _take_figures(self, number: int, figures: Figures, now: float) -> None:
        if not figures.is_closed:
            self.figures_heard += 1
            if number in self.endpoints:
                self.figures[number] = figures
            return
        closed = self._closing.pop(number, None)
        if closed is not None:
            label, trunk = closed
            self.sounds.count(trunk, figures)
            self._on_figures(label, figures, now)

    def _greet(self, epoch: str) -> None:
        """A relay is there. A new one knows nothing; one that has lived on lacks what was not said meanwhile."""
        self._relay_epoch = epoch
        self._closing.clear()
        self.outgoing.append(Attach(self._epoch))
        if self._is_released:
            self.outgoing.append(Release())
        for endpoint in self.endpoints.values():
            self._describe(endpoint)
        for endpoint in self.endpoints.values():
            if endpoint.bridged_to > endpoint.number or endpoint.bridged_to not in self.endpoints:
                self.outgoing.append(Bridge(endpoint.number, endpoint.bridged_to))

    def _describe(self, endpoint: Endpoint) -> None:
        self.outgoing.append(
            Open(endpoint.number, endpoint.host, endpoint.port, endpoint.label, endpoint.is_rtp)
        )
        if endpoint.aim is not None:
            self.outgoing.append(endpoint.aim)
        if endpoint.watch_s:
            self.outgoing.append(Watch(endpoint.number, endpoint.watch_s))
        if endpoint.music:
            self.outgoing.append(Play(endpoint.number, endpoint.music, endpoint.music_token, UNTIL_STOPPED))


def _tell(user: EndpointUser, message: Silent | Heard | Played, now: float) -> None:
    match message:
        case Silent(for_s=for_s):
            user.on_silent(for_s, now)
        case Heard():
            user.on_heard()
        case Played(token=token):
            user.on_played(token)
