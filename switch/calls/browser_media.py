"""The sound of a leg whose peer is a browser: between its descriptions and the relay's stands a gate of the browsers'
process (media/browser). To the relay such a leg is an ordinary peer on the loopback address.

Nothing waits: a gate was opened before, so what the browser is told of it is written at once. The browser is looked
for when each side has the other's description.
"""

from typing import TYPE_CHECKING, Final

from media.browser.messages import Connect, Gate
from switch.calls.endings import BROWSER_LOST
from switch.relay.browser_gates import BrowserGates
from switch.relay.reach import may_hear_at
from switch.sdp.description import SessionDescription
from switch.sdp.relayed import Place
from switch.sdp.webrtc import Browser, Door, make_browsers, make_plain, plain_sound, read_browser
from switch.sip.flow import UDP, WEBSOCKETS, Flow

if TYPE_CHECKING:
    from switch.calls.leg import Leg

INNER_HOST: Final = "127.0.0.1"
# Where the relay finds every browser.
INNER_FLOW: Final = Flow(UDP, INNER_HOST, 0, INNER_HOST, 0)


class BrowserMedia:
    """One leg's. `is_used` from its first description that is converted.

    Whether we are the DTLS client, or whether it is open still, is what the first description of the browser leaves us.
    """

    __slots__ = (
        "_browser",
        "_gate",
        "_gates",
        "_is_connecting",
        "_is_controlling",
        "_is_dtls_client",
        "_is_lost",
        "_is_plain",
        "_is_told",
        "_leg",
    )

    def __init__(self, leg: "Leg", gates: BrowserGates) -> None:
        self._leg = leg
        self._gates = gates
        self._gate: Gate | None = None
        self._browser: Browser | None = None
        self._is_controlling = False
        self._is_dtls_client: bool | None = None
        self._is_told = False
        self._is_connecting = False
        self._is_plain = False  # what speaks here over WebSocket is no browser
        self._is_lost = False

    @property
    def inner_flow(self) -> Flow:
        """Where the relay finds the browser."""
        return INNER_FLOW

    @property
    def is_used(self) -> bool:
        return self._gate is not None

    def hears(self, session: SessionDescription) -> None:
        """The browser's description becomes a plain one; without a gate it stays what it is."""
        browser = read_browser(session)
        if browser is None:
            self._is_plain = self._gate is None
            return
        gate = self._taken()
        if gate is None:
            return
        if self._browser is None:
            self._is_controlling = self._is_told  # RFC 8445 6.1.1: who made the offer is
            self._is_dtls_client = browser.setup != "active"
        self._browser = browser
        make_plain(session, Place(gate.host, gate.port))
        self._connect()

    def prepare(self, session: SessionDescription) -> None:
        """Before the relay is asked for a port: whether this description will be converted decides for whom it is."""
        if not self._is_plain and plain_sound(session) is not None:
            self._taken()

    def says(self, session: SessionDescription, places: list[Place | None]) -> None:
        """The other end's description, with the relay's `places` in it, becomes one for the browser."""
        gate, number = self._gate, plain_sound(session)
        if gate is None or number is None:
            return
        place = places[number]
        if place is None:
            return
        make_browsers(session, number, self._door(gate))
        self._gates.aim(gate, place.host, place.port, place.port + 1)
        self._is_told = True
        self._connect()

    def close(self) -> None:
        if self._gate is not None:
            self._gates.close(self._gate)
            self._gate = None

    def on_gate_lost(self, reason: str, now: float) -> None:
        """Nothing is heard of the browser any more, nor will be: the call is over, and costs what it had cost."""
        self._is_lost = True
        self._gate = None
        leg, call = self._leg, self._leg.call
        is_of_call = leg.index == 0 or leg is call.answered_leg
        if is_of_call and not call.is_emergency:
            call.hang_up(now, words=f"{BROWSER_LOST}{reason}", ended_by="exchange")

    def _taken(self) -> Gate | None:
        if self._gate is None and not self._is_lost:
            self._gate = self._gates.take(self)
        return self._gate

    def _door(self, gate: Gate) -> Door:
        """RFC 8842 5: an offer leaves the roles open, until they are taken; then they stay."""
        browser = self._browser
        is_client = self._is_dtls_client
        setup = "actpass" if is_client is None else "active" if is_client else "passive"
        return Door(
            gate.username,
            gate.password,
            self._gates.fingerprint,
            setup,
            self._told(gate),
            browser.mids if browser is not None else (),
        )

    def _told(self, gate: Gate) -> tuple[tuple[str, int], ...]:
        """Behind NAT the address that is advertised is the one to try first."""
        media = self._leg.board.conf.media
        found: dict[tuple[str, int], None] = {}
        for host, port in gate.candidates:
            advertised = media.advertised_in(is_ipv6=":" in host)
            if advertised:
                found[advertised, port] = None
        found.update(dict.fromkeys(gate.candidates))
        return tuple(found)

    def _connect(self) -> None:
        gate, browser = self._gate, self._browser
        if gate is None or browser is None or not self._is_told or self._is_connecting:
            return
        self._is_connecting = True
        signalling = self._leg.flow.remote_host
        self._gates.connect(
            Connect(
                gate=gate.number,
                username=browser.username,
                password=browser.password,
                fingerprint=browser.fingerprint,
                is_dtls_client=bool(self._is_dtls_client),
                is_controlling=self._is_controlling,
                candidates=tuple(each for each in browser.candidates if may_hear_at(each[0], signalling)),
            )
        )


def browser_media_of(leg: "Leg", gates: BrowserGates) -> BrowserMedia | None:
    """For a leg over WebSocket while the browsers' process is there."""
    if not gates.is_here or leg.flow.transport not in WEBSOCKETS:
        return None
    return BrowserMedia(leg, gates)
