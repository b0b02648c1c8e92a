"""What passes between a softphone's process and the one that drives it: JSON lines, commands in, events out.

A phone is a process of its own because pjsua2 can exist only once in a process and wants its own loop. `call` numbers
a phone's calls from 1. Times are UTC seconds of the phone's clock, which is this machine's.
"""

import enum
from typing import TypeVar

import msgspec

Message = TypeVar("Message")


class Transport(enum.Enum):
    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


class CallState(enum.Enum):
    """pjsip's invite session states (PJSIP_INV_STATE_*)."""

    CALLING = "calling"
    INCOMING = "incoming"
    EARLY = "early"
    CONNECTING = "connecting"
    CONFIRMED = "confirmed"
    ENDED = "ended"


class MediaState(enum.Enum):
    """What the phone says of a call's audio. `HELD_HERE`: by this phone's user; `HELD_THERE`: by the other."""

    NONE = "none"
    ACTIVE = "active"
    HELD_HERE = "held_here"
    HELD_THERE = "held_there"
    FAILED = "failed"


class PhoneSettings(msgspec.Struct, frozen=True):
    """The first line that a phone reads. `password` empty: it neither registers nor knows an answer to a challenge.

    `claimed_host` is what it believes its address to be: a phone behind NAT is wrong about that. A phone that
    `insists_on_one_codec` sends an offer of its own after each answer that names several (RFC 3264 10.2). Two with
    the same `instance` (a UUID) and another `reg_id` are two connections of one phone (RFC 5626). One that
    `watches_mailbox` subscribes to it once registered, one that `publishes` tells the exchange whether it is there.
    Over TLS it believes in the CA of `ca_file` only. One that `requires_100rel` calls and rings only so (RFC 3262);
    `session_s` is the session timer it insists on (RFC 4028). It says `tone_hz` into every call, writes what it
    hears into `recording` (a WAV file), and names `claimed_media_host` as where it hears, which is wrong behind NAT.
    It hears from `sound_port` on, or where 0 from the one that pjsip begins with, which all phones here have in common.
    """

    name: str
    user: str
    server: str
    log: str
    password: str = ""
    transport: Transport = Transport.UDP
    port: int = 0
    claimed_host: str = ""
    register_for_s: int = 300
    insists_on_one_codec: bool = True
    instance: str = ""
    reg_id: int = 0
    watches_mailbox: bool = False
    publishes: bool = False
    ca_file: str = ""
    requires_100rel: bool = False
    session_s: int = 0
    tone_hz: int = 440
    recording: str = ""
    claimed_media_host: str = ""
    sound_port: int = 0


class Register(msgspec.Struct, frozen=True, tag="register"):
    pass


class Unregister(msgspec.Struct, frozen=True, tag="unregister"):
    pass


class Dial(msgspec.Struct, frozen=True, tag="dial"):
    """Call an address. `headers` go on the INVITE as they are."""

    call: int
    uri: str
    headers: list[tuple[str, str]] = []


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """Any response to a call that came in: 180, 183 (with SDP), 200, 486, 603 ..."""

    call: int
    status: int
    reason: str = ""


class HangUp(msgspec.Struct, frozen=True, tag="hang_up"):
    """BYE, CANCEL or a refusal, whichever is right in the call's state."""

    call: int


class Press(msgspec.Struct, frozen=True, tag="press"):
    """Keys, one after the other, as telephone events (RFC 4733)."""

    call: int
    digits: str


class Hold(msgspec.Struct, frozen=True, tag="hold"):
    call: int


class Resume(msgspec.Struct, frozen=True, tag="resume"):
    call: int


class SendUpdate(msgspec.Struct, frozen=True, tag="update"):
    """The session offered anew, by UPDATE; before the answer, too."""

    call: int


class SendInfo(msgspec.Struct, frozen=True, tag="info"):
    """One DTMF digit by INFO."""

    call: int
    digit: str


class Watch(msgspec.Struct, frozen=True, tag="watch"):
    """Subscribe to the presence of an address."""

    uri: str


class Unwatch(msgspec.Struct, frozen=True, tag="unwatch"):
    """The opposite."""

    uri: str


class BeThere(msgspec.Struct, frozen=True, tag="be_there"):
    """What to publish: online or not, and a few words."""

    is_online: bool
    note: str = ""


class SendText(msgspec.Struct, frozen=True, tag="text"):
    """A MESSAGE to an address, outside any call."""

    uri: str
    text: str


class Transfer(msgspec.Struct, frozen=True, tag="transfer"):
    """REFER the other side of a call to an address."""

    call: int
    uri: str


class TransferToCall(msgspec.Struct, frozen=True, tag="transfer_to_call"):
    """REFER the other side of a call to the other side of another call of this phone, with Replaces (RFC 3891)."""

    call: int
    other: int


class Mix(msgspec.Struct, frozen=True, tag="mix"):
    """The other sides of two calls hear each other through this phone."""

    call: int
    other: int


class CountAudio(msgspec.Struct, frozen=True, tag="count_audio"):
    """Asks for `AudioCounted`."""

    call: int


class Quit(msgspec.Struct, frozen=True, tag="quit"):
    """End calls, unregister, exit."""


Command = (
    Register
    | Unregister
    | Dial
    | Answer
    | HangUp
    | Press
    | Hold
    | Resume
    | SendUpdate
    | SendInfo
    | Watch
    | Unwatch
    | BeThere
    | SendText
    | Transfer
    | TransferToCall
    | Mix
    | CountAudio
    | Quit
)


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """It runs. `address` is where it listens, `host:port`."""

    address: str


class RegistrationChanged(msgspec.Struct, frozen=True, tag="registration"):
    status: int
    reason: str
    is_registered: bool


class CallArrived(msgspec.Struct, frozen=True, tag="arrived"):
    call: int
    caller: str
    sip_call_id: str


class CallChanged(msgspec.Struct, frozen=True, tag="call"):
    call: int
    state: CallState
    status: int
    reason: str
    sip_call_id: str
    at: float


class MediaChanged(msgspec.Struct, frozen=True, tag="media"):
    call: int
    state: MediaState


class AudioCounted(msgspec.Struct, frozen=True, tag="audio"):
    """RTP packets so far, and the codec."""

    call: int
    sent: int
    received: int
    codec: str


class KeyHeard(msgspec.Struct, frozen=True, tag="key"):
    """A telephone event (RFC 4733) of the other end."""

    call: int
    digit: str


class PresenceChanged(msgspec.Struct, frozen=True, tag="presence"):
    """What the phone shows of somebody that it watches. `subscription` is pjsip's name of its state."""

    uri: str
    is_online: bool
    note: str
    subscription: str
    reason: str


class MailboxChanged(msgspec.Struct, frozen=True, tag="mailbox"):
    """What the phone was told of its mailbox, as it came."""

    text: str


class TextArrived(msgspec.Struct, frozen=True, tag="text_arrived"):
    sender: str
    text: str


class TextSent(msgspec.Struct, frozen=True, tag="text_sent"):
    """The final answer to a MESSAGE."""

    status: int
    reason: str


class TransferReported(msgspec.Struct, frozen=True, tag="transferred"):
    """The answer to a REFER, or what a NOTIFY said of it."""

    call: int
    status: int
    is_final: bool


class SipSeen(msgspec.Struct, frozen=True, tag="sip"):
    """One message that the phone sent or received, whole."""

    at: float
    is_sent: bool
    transport: str
    peer: str
    text: str


class CommandFailed(msgspec.Struct, frozen=True, tag="failed"):
    """pjsua2 refused a command."""

    problem: str


Event = (
    Ready
    | RegistrationChanged
    | CallArrived
    | CallChanged
    | MediaChanged
    | AudioCounted
    | KeyHeard
    | PresenceChanged
    | MailboxChanged
    | TextArrived
    | TextSent
    | TransferReported
    | SipSeen
    | CommandFailed
)
