"""The media of one leg: its endpoints at the relay, where its peer hears, and the descriptions that it is given.

What the peer says (`hears`) tells the relay where to send and from where to take; what it is told (`says`) is the
other end's description with the relay's address in it. Each leg sees one o= line for its whole life, with a version
that grows when something changes, whichever end it is talking with by then (RFC 3264 8).
"""

from typing import TYPE_CHECKING, Final

from switch.relay.figures import label_of
from switch.relay.reach import may_hear_at
from switch.relay.relay import LISTENER_ANY, Endpoint, Relay
from switch.sdp.description import SessionDescription, format_sdp
from switch.sdp.relayed import Hearing, Place, hearings, point_at, set_origin

if TYPE_CHECKING:
    from switch.calls.browser_media import BrowserMedia
    from switch.calls.leg import Leg
    from switch.sip.flow import Flow


# Of the Played messages that are about the music; those of other sounds have another.
MUSIC_TOKEN: Final = 1


class LegMedia:
    """`is_direct`: its first description crossed without the relay, so the other end's must, too. `has_listened`:
    the peer has wanted to hear something at some time (switch/calls/hold_music.py).
    """

    __slots__ = (
        "_endpoints",
        "_hearings",
        "_leg",
        "_music_on",
        "_relay",
        "_said",
        "_session_id",
        "_version",
        "browser",
        "has_listened",
        "is_direct",
    )

    def __init__(self, leg: "Leg", relay: Relay, session_id: int) -> None:
        self._leg = leg
        self._relay = relay
        self._session_id = session_id
        self._version = 1
        self._said = b""
        self._hearings: list[Hearing | None] = []
        self._endpoints: list[Endpoint | None] = []
        self.browser: BrowserMedia | None = None
        self.is_direct = False
        self.has_listened = False
        self._music_on: Endpoint | None = None

    def hears(self, session: SessionDescription) -> list[Hearing | None]:
        """The peer's newest description; a browser's becomes a plain one. What `says` of the other end wants to know
        of it."""
        if self.browser is not None:
            self.browser.hears(session)
        self._hearings = hearings(session)
        self.aim()
        return self._hearings

    def aim(self) -> None:
        """Tell the relay where the peer is; again when its signalling comes from another address."""
        for endpoint, hearing in zip(self._endpoints, self._hearings, strict=False):
            if endpoint is not None and hearing is not None:
                endpoint.point_at(hearing, self._sources(hearing))

    def says(self, session: SessionDescription, theirs: list[Hearing | None]) -> bytes | None:
        """The other end's description, and where that hears, for this peer; None when the relay has no port to give.
        Changes `session`."""
        if self.browser is not None:
            self.browser.prepare(session)
        places: list[Place | None] = []
        for number, hearing in enumerate(theirs):
            places.append(None if hearing is None else self._place(number, hearing))
        first = next((place for place in places if place is not None), None)
        if first is None:
            return None
        # What is switched off has no endpoint, and nobody's address.
        off = Place(first.host, 0)
        point_at(session, [place or (hearing and off) for place, hearing in zip(places, theirs, strict=True)])
        if self.browser is not None:
            self.browser.says(session, places)
        set_origin(session, first.host, self._session_id, self._version)
        said = format_sdp(session)
        if self._said and said != self._said:
            self._version += 1
            set_origin(session, first.host, self._session_id, self._version)
            said = format_sdp(session)
        self._said = said
        self.aim()
        return said

    def bridge(self, other: "LegMedia") -> None:
        """What one end says, the other hears."""
        for ours, theirs in zip(self._endpoints, other._endpoints, strict=False):
            if ours is not None and theirs is not None:
                ours.bridge(theirs)

    def watch(self, silence_s: int) -> None:
        """Report when nothing has come from either end of the sound for so long."""
        endpoint = self._endpoints[0] if self._endpoints else None
        if endpoint is not None:
            endpoint.watch(silence_s)

    @property
    def is_relayed_now(self) -> bool:
        """Whether the peer was given an address of the relay, or could be."""
        return self._relay.is_here or any(endpoint is not None for endpoint in self._endpoints)

    @property
    def sound(self) -> Endpoint | None:
        """The endpoint that tones are played to."""
        return self._endpoints[0] if self._endpoints else None

    @property
    def has_music(self) -> bool:
        return self._music_on is not None

    def play_music(self, number: int, name: str) -> None:
        """To this peer, until it is stopped, on the medium of that number. From its beginning, if it plays already:
        a new description may have another codec."""
        endpoint = self._endpoints[number] if number < len(self._endpoints) else None
        if endpoint is not self._music_on:
            self.stop_music()
        if endpoint is not None:
            self._music_on = endpoint
            endpoint.play_music(name, MUSIC_TOKEN)

    def stop_music(self) -> None:
        if self._music_on is not None:
            self._music_on.stop_music()
            self._music_on = None

    def close(self) -> None:
        if self.browser is not None:
            self.browser.close()
        for endpoint in self._endpoints:
            if endpoint is not None:
                endpoint.close()
        self._endpoints = []
        self._music_on = None

    def on_silent(self, for_s: float, now: float) -> None:
        self._leg.call.on_silent(for_s, now)

    def on_heard(self) -> None:
        self._leg.call.silent_since = None

    def on_played(self, token: int) -> None:
        """A tone is over: the other end is heard again, or the music that the tone took the place of."""
        endpoint = self._music_on
        if endpoint is not None and token != MUSIC_TOKEN:
            endpoint.play_music(endpoint.music, MUSIC_TOKEN)

    def _place(self, number: int, hearing: Hearing) -> Place | None:
        while len(self._endpoints) <= number:
            self._endpoints.append(None)
        endpoint = self._endpoints[number]
        if endpoint is None:
            leg = self._leg
            label = label_of(leg.call.id, leg.index, number)
            endpoint = (
                self._relay.open(self, label, self._flow, is_rtp=hearing.is_rtp)
                if hearing.port
                else None
            )
            if endpoint is None:
                return None
            if leg.trunk is not None:
                endpoint.trunk = leg.trunk.name
            self._endpoints[number] = endpoint
        return Place(self._host_told(endpoint), endpoint.port)

    @property
    def _flow(self) -> "Flow":
        """Where the relay finds this end: what speaks for a browser is on this machine."""
        browser = self.browser
        return self._leg.flow if browser is None or not browser.is_used else browser.inner_flow

    def _host_told(self, endpoint: Endpoint) -> str:
        browser = self.browser
        if browser is None or not browser.is_used:
            return self._leg.board.media_host(endpoint.host, self._leg.flow)
        return browser.inner_flow.local_host if endpoint.host in LISTENER_ANY else endpoint.host

    def _sources(self, hearing: Hearing) -> tuple[str, ...]:
        """From where the peer may send, most trusted first."""
        signalling = self._flow.remote_host
        if hearing.host != signalling and may_hear_at(hearing.host, signalling):
            return hearing.host, signalling
        return (signalling,)
