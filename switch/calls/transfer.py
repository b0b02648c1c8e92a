"""REFER: an end of a call sends the other to somebody else (RFC 5589), and the switch does the work for both.

The far side need not know REFER, nor hear of it: it gets a new session description, and that is all. The conversation
there is stays until somebody new has answered; when nobody does, it goes on, or the call returns to the line of who has
left (recall.py). Who transfers pays for where he sends the call, by his own tariff and limits, and for what he paid for
before as long as anybody talks because of it.

- With Replaces (attended): the two ends that talk with the transferring phone in its two calls are joined. Where the
  second call is still ringing it is given up, and its number rung for the first (the phone could not wait).
- A voice of the exchange refers, too: what somebody has pressed (`pressed.py`).
- A carrier's REFER is refused: nobody here would pay for where it leads. So are emergency calls in both directions.
"""

from typing import TYPE_CHECKING, Final

from switch.calls.attempt import Attempt, attempt_of
from switch.calls.callee_leg import CalleeLeg
from switch.calls.conversation import (
    caller_id_of,
    is_service,
    join,
    leave,
    line_of,
    separate,
)
from switch.calls.endings import NO_COMMON_SOUND
from switch.calls.hunt import status_for_caller
from switch.calls.identity import LineCaller
from switch.calls.in_call_services import argument_of, conference_target, slot_of
from switch.calls.journey import Journey
from switch.calls.leg import Leg, LegState
from switch.calls.number_plan import Emergency, ServiceCode
from switch.calls.parking import Parking
from switch.calls.plan_course import follow
from switch.calls.pressed import take_pressed
from switch.calls.recall import Recall
from switch.calls.referral import Referral
from switch.calls.refusal import Refusal
from switch.calls.renegotiation import Renegotiation
from switch.calls.replaces import WITHOUT_TAG
from switch.calls.retarget import Retarget
from switch.calls.search import Search
from switch.calls.service_codes import Feature
from switch.calls.terms import Sender
from switch.sip.uri import SipUri

if TYPE_CHECKING:
    from provisioning.model import Line
    from switch.calls.call import Call
    from switch.calls.callee_leg import LegOutcome
    from switch.sip.refer_fields import Replaces

TRANSFERRED: Final = "transferred the call"


def take_transfer(call: "Call", leg: Leg, referral: Referral, now: float) -> None:
    """An end asks for it, and no other is under way."""
    line, staying = _asking_line(leg), leg.other
    if staying is None or call.is_emergency or staying.call.is_emergency:
        referral.refuse(403, "This Call Stays Where It Is", now)
    elif is_service(leg):
        take_pressed(call, leg, staying, referral, now)
    elif line is None:
        referral.refuse(603, "A Carrier Transfers Nothing Here", now)
    elif call.retarget is not None or staying.call.retarget is not None:
        referral.refuse(491, "A Transfer Is Under Way", now)
    elif referral.refer.replaces is not None:
        _take_attended(leg, line, staying, referral.refer.replaces, referral, now)
    else:
        _take_blind(leg, line, staying, _dialled(referral), referral, now)


def _asking_line(leg: Leg) -> "Line | None":
    """The line at this end as it is set now: since the call began it may have been barred, or its settings changed."""
    line = line_of(leg)
    if line is None:
        return None
    as_now = leg.board.books.lines.get(line.user)
    return as_now if as_now is not None and as_now.account_id == line.account_id else None


def _is_of(leg: Leg, line: "Line") -> bool:
    """Whether a phone of that line is at this end."""
    found = line_of(leg)
    return found is not None and (found.user, found.account_id) == (line.user, line.account_id)


def _take_blind(
    leg: Leg, line: "Line", staying: Leg, dialled: str | None, referral: Referral, now: float
) -> None:
    board = leg.board
    if dialled is None:
        referral.refuse(404, "The Target Is Not Here", now)
        return
    caller = LineCaller(line, board.books.account_of(line))
    attempt = attempt_of(dialled, caller, caller_id_of(staying), board)
    if isinstance(attempt.plan_result.destination, Emergency):
        referral.refuse(403, "Emergency Services Are Called, Not Transferred To", now)
    elif isinstance(attempt.plan_result.destination, ServiceCode):
        _take_code(leg, line, staying, attempt, attempt.plan_result.destination, referral, now)
    else:
        referral.accept(now)
        Transfer(leg, line, staying, attempt, referral).begin(now)


def _take_code(
    leg: Leg, line: "Line", staying: Leg, attempt: Attempt, code: ServiceCode, referral: Referral, now: float
) -> None:
    """The other end is parked, or sent to a conference; no other code is anything for somebody else."""
    board = leg.board
    rule = board.conf.services.find(code)
    if rule is not None and rule.feature is Feature.PARK:
        _park(leg, line, staying, slot_of(argument_of(code, rule)), referral, now)
        return
    target = None
    if rule is not None and rule.feature is Feature.CONFERENCE:
        target = conference_target(line, argument_of(code, rule), board)
    if target is None:
        referral.refuse(480, "There Is Nothing To Transfer To", now)
        return
    referral.accept(now)
    Transfer(leg, line, staying, attempt, referral).begin(now, Search([[target]]))


def _park(
    leg: Leg, line: "Line", staying: Leg, wanted: int | None, referral: Referral, now: float
) -> None:
    parked = leg.board.parked
    slot = 0 if wanted is None else parked.free_slot(line.account_id, wanted)
    if not slot:
        parked.counts["full"] += 1
        referral.refuse(486, "No Room To Park A Call There", now)
        return
    referral.accept(now)
    Parking(leg, staying, line, slot, referral).begin(now)


def _take_attended(
    leg: Leg, line: "Line", staying: Leg, replaces: "Replaces", referral: Referral, now: float
) -> None:
    board = leg.board
    consulted = board.legs.get((replaces.call_id, replaces.to_tag))
    dialog = None if consulted is None else consulted.dialog
    if consulted is None or dialog is None or (dialog.remote_tag or WITHOUT_TAG) != replaces.from_tag:
        referral.refuse(481, "No Such Call To Transfer To", now)
    elif consulted.call is leg.call or not _is_of(consulted, line):
        # Whoever has heard a Call-ID and two tags must not take over what is somebody else's.
        referral.refuse(403, "Not A Call Of Yours", now)
    elif consulted.call.is_emergency:
        referral.refuse(403, "This Call Stays Where It Is", now)
    elif consulted.state is LegState.SETTING_UP:
        dialled = consulted.call.attempt.dialled
        consulted.call.hang_up(
            now, words="the call was transferred before it was answered", ended_by="caller"
        )
        _take_blind(leg, line, staying, dialled, referral, now)
    elif consulted.call.admission is not None and consulted.call.admission.route.slot:
        slot = consulted.call.admission.route.slot
        consulted.call.hang_up(now, words="a call was parked by it", ended_by="caller")
        parked = leg.board.parked
        is_free = parked.free_slot(line.account_id, slot)
        _park(leg, line, staying, slot if is_free else 0, referral, now)
    elif consulted.other is None or not consulted.other.is_up:
        referral.refuse(481, "No Such Call To Transfer To", now)
    else:
        referral.accept(now)
        _join_calls(leg, staying, consulted, consulted.other, referral, now)


def _join_calls(leg: Leg, staying: Leg, consulted: Leg, target: Leg, referral: Referral, now: float) -> None:
    """The transferring phone leaves both of its calls."""
    board = leg.board
    board.counts.transfers["attended"] += 1
    referral.report(200, "", now)
    for leaving in (leg, consulted):
        call = leaving.call
        separate(call)
        leave(leaving, TRANSFERRED, now)
    join(staying, target)

    def done(is_joined: bool, later: float) -> None:
        if not is_joined:
            board.counts.transfers["no_common_media"] += 1
            target.call.hang_up(later, words=NO_COMMON_SOUND, ended_by="exchange")

    Renegotiation(staying, target, done).start(now)


def _dialled(referral: Referral) -> str | None:
    """What the Refer-To names; None for another domain's address."""
    uri = referral.refer.target.parsed_uri
    if not isinstance(uri, SipUri):
        return referral.refer.target.uri
    return uri.unescaped_user if referral.leg.board.is_here(uri.host) else None


class Transfer(Retarget):
    """A blind transfer: `leaving` stays until somebody new has answered."""

    __slots__ = ("_attempt", "_journey", "_line", "_referral")

    def __init__(
        self, leaving: Leg, line: "Line", staying: Leg, attempt: Attempt, referral: Referral
    ) -> None:
        super().__init__(leaving.call, leaving, staying)
        self._line = line
        self._attempt = attempt
        self._journey: Journey | None = None
        self._referral = referral

    def begin(self, now: float, search: Search | None = None) -> None:
        """To that, or to what the attempt says."""
        line = self._line
        journey = Journey(self.call.board, self._attempt)
        if search is None:
            search = journey.send_on(Sender(line, f"transfer by line {line.user}"), now)
        self.call.board.counts.transfers["blind"] += 1
        if search is None:
            self.nobody(journey.refused, now)
        else:
            self._journey = journey
            self.search(search, journey, now)

    def nobody(self, outcome: "LegOutcome | Refusal", now: float) -> None:
        """It comes to nothing: the two talk on, or the call returns to the line of who has hung up meanwhile."""
        recall = None if self.leaving in self.call.talkers else Recall(self.call, self.staying, self._line)
        if recall is None:
            super().nobody(outcome, now)
            return
        self._stop_ringing()
        self._hear_again()
        self.failed(outcome, now)
        if not recall.begin(now):
            recall.nobody(outcome, now)

    def rings(self, now: float) -> None:
        self._referral.report(180, "", now)

    def found(self, leg: CalleeLeg, now: float) -> None:
        self._referral.report(200, "", now)
        follow(self.call, self._journey, leg, now)

    def failed(self, outcome: "LegOutcome | Refusal", now: float) -> None:
        status = outcome.status if isinstance(outcome, Refusal) else status_for_caller(outcome)
        self.call.board.counts.transfers["failed"] += 1
        self._referral.report(status, "", now)

    @property
    def words(self) -> str:
        return TRANSFERRED
