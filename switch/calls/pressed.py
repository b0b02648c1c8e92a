"""A REFER by a voice of the exchange: somebody has pressed keys while it spoke (`Refer-To: <sip:pressed.3@HOST>`).

No line asks for this transfer, and none leaves: it is the caller who chooses what comes next, as if he had dialled it.
What the keys mean is known to who sent the call to the voice, and kept with the call (`Call.on_pressed`); without that
nothing is pressed here. Stars and hashes are written s and h, and nothing pressed at all is "".
"""

from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from switch.calls.attempt import attempt_of
from switch.calls.callee_leg import CalleeLeg
from switch.calls.conversation import caller_id_of, line_of
from switch.calls.hunt import status_for_caller
from switch.calls.identity import LineCaller
from switch.calls.journey import Journey
from switch.calls.number_plan import Emergency, PrivacyChoice
from switch.calls.plan_course import follow
from switch.calls.refusal import Refusal
from switch.calls.retarget import Retarget
from switch.calls.terms import Sender
from switch.sip.uri import SipUri

if TYPE_CHECKING:
    from switch.calls.call import Call
    from switch.calls.callee_leg import LegOutcome
    from switch.calls.leg import Leg
    from switch.calls.referral import Referral

PRESSED: Final = "pressed"
KEYS_MAX: Final = 32
KEYS: Final = frozenset("0123456789sh")
CHOSEN: Final = "the caller chose to go on"


class Pressed:
    """The keys, who was spoken to, and the voice, which wants to hear whether it is heeded."""

    __slots__ = ("call", "keys", "referral", "staying", "voice")

    def __init__(self, call: "Call", voice: "Leg", staying: "Leg", keys: str, referral: "Referral") -> None:
        self.call = call
        self.voice = voice
        self.staying = staying
        self.keys = keys
        self.referral = referral

    def refuse(self, now: float) -> None:
        """The keys mean nothing: the voice goes on, or hangs up."""
        self.referral.refuse(403, "Nothing Is Chosen By That", now)

    def dial(self, dialled: str, now: float, *, is_withheld: bool = False) -> None:
        """The caller is connected to what he might have dialled, by his own account's tariff and limits. His number is
        shown as 141 or 1470 before it say, and else as the line's setting does, unless `is_withheld`."""
        board, line = self.call.board, line_of(self.staying)
        if line is None:
            self.referral.refuse(403, "Nobody Here Would Pay", now)
            return
        caller = LineCaller(line, board.books.account_of(line))
        attempt = attempt_of(dialled, caller, caller_id_of(self.staying), board)
        own, choice = attempt.caller_id, attempt.plan_result.privacy
        is_withheld = own.is_withheld or is_withheld if choice is None else choice is PrivacyChoice.WITHHOLD
        attempt.caller_id = msgspec.structs.replace(own, is_withheld=is_withheld)
        if isinstance(attempt.plan_result.destination, Emergency):
            self.referral.refuse(403, "Emergency Services Are Dialled", now)
            return
        self.referral.accept(now)
        journey = Journey(board, attempt)
        search = journey.send_on(Sender(line, f"chosen by line {line.user}"), now)
        continuation = Continuation(self, journey)
        if search is None:
            continuation.nobody(journey.refused, now)
        else:
            continuation.search(search, journey, now)


class OnPressed(Protocol):
    """What a call is for while a voice speaks. It says `refuse`, `dial`, or begins a Retarget of its own."""

    def on_pressed(self, pressed: Pressed, now: float) -> None: ...


def take_pressed(call: "Call", voice: "Leg", staying: "Leg", referral: "Referral", now: float) -> None:
    """A REFER by a voice of the exchange."""
    keys = _keys(referral)
    if keys is None or call.on_pressed is None:
        referral.refuse(403, "Nothing Is Chosen Here", now)
    elif call.retarget is not None or staying.call.retarget is not None:
        referral.refuse(491, "A Transfer Is Under Way", now)
    else:
        call.board.counts.transfers["pressed"] += 1
        call.on_pressed.on_pressed(Pressed(call, voice, staying, keys, referral), now)


def _keys(referral: "Referral") -> str | None:
    """As they were pressed; None for any other target."""
    uri = referral.refer.target.parsed_uri
    if not isinstance(uri, SipUri):
        return None
    name, _, keys = uri.unescaped_user.partition(".")
    if name != PRESSED or len(keys) > KEYS_MAX or not KEYS.issuperset(keys):
        return None
    return keys.replace("s", "*").replace("h", "#")


class Continuation(Retarget):
    """The search for whom the caller has chosen; the voice is there until somebody answers."""

    __slots__ = ("_journey", "_referral")

    def __init__(self, pressed: Pressed, journey: Journey) -> None:
        super().__init__(pressed.call, pressed.voice, pressed.staying)
        self._journey = journey
        self._referral = pressed.referral

    def rings(self, now: float) -> None:
        self._referral.report(180, "", now)

    def found(self, leg: CalleeLeg, now: float) -> None:
        self._referral.report(200, "", now)
        follow(self.call, self._journey, leg, now)

    def failed(self, outcome: "LegOutcome | Refusal", now: float) -> None:
        status = outcome.status if isinstance(outcome, Refusal) else status_for_caller(outcome)
        self._referral.report(status, "", now)

    @property
    def words(self) -> str:
        return CHOSEN
