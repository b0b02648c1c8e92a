"""What is kept of messages in memory, and its bounds. Everything that needs room is counted in octets.

When there is none, what has ended without a fault goes first, oldest first; then strangers; then the middles of calls
that are up; then a message is not noted, and counted. A trace that is worth keeping and waits for its process is not
pushed out by anything: it has a share of its own, and what no longer fits into that is an ordinary call's.
"""

from typing import Final

from switch.sip.flow import Flow
from switch.tracing.call_log import (
    CALL_OCTETS_MAX,
    END_MESSAGES_MAX,
    FEW_MESSAGES,
    LEG_OVERHEAD,
    LEGS_MAX,
    LOG_OVERHEAD,
    MESSAGE_OCTETS_MAX,
    MESSAGE_OVERHEAD,
    SLACK_MESSAGES,
    STRIDE,
    CallLog,
    LoggedLeg,
)

# A challenged INVITE comes again within a second; what is refused for good stays as long as there is room.
STRANGERS_MAX: Final = 2000
# From one host: a scanner must not push the INVITEs of others out. A trunk's are no strangers for longer than a turn.
STRANGERS_PER_HOST_MAX: Final = 200
# An INVITE is answered statelessly, or is a call at once; its ACK and its second try come while a Timer B runs.
STRANGER_S: Final = 32.0
STRANGER_ENDS: Final = 6  # messages at each end: three challenged tries with their ACKs
# Of the octets of the whole ring: what strangers may have together, and what waits for its process.
STRANGERS_SHARE: Final = 16
WAITING_SHARE: Final = 4
# Calls whose middles are taken in one go, so that a full ring costs a message some microseconds at most.
SHORTENED_AT_ONCE: Final = 16
# Calls that one Call-ID may lead to at once: a call that comes back to us, twice over.
SAME_CALL_ID_MAX: Final = 3
# A message is code, flow and octets; the items of each end of a log that may be over.
_ITEMS_MAX: Final = (2 * END_MESSAGES_MAX + SLACK_MESSAGES) * STRIDE
_STRANGERS_ITEMS_MAX: Final = (2 * STRANGER_ENDS + 4) * STRIDE


class Ring:
    """All logs, and by which Call-ID each is found."""

    __slots__ = (
        "by_sip_call_id", "good", "live", "lost", "messages", "messages_dropped", "octets", "octets_max", "pushed_out",
        "refused", "strangers", "strangers_octets", "strangers_of_host", "waiting", "waiting_octets",
    )  # fmt: skip

    def __init__(self, octets_max: int) -> None:
        self.octets_max = octets_max
        self.octets = 0
        self.by_sip_call_id: dict[str, LoggedLeg] = {}
        self.live: dict[str, CallLog] = {}  # by call id; with those that have ended and are not judged yet
        self.good: dict[str, CallLog] = {}  # judged, the longest ended first
        self.waiting: dict[str, CallLog] = {}  # worth keeping, and not stored yet
        self.waiting_octets = 0
        self.strangers: dict[str, CallLog] = {}  # by SIP Call-ID: they may become calls
        self.refused: dict[str, CallLog] = {}  # strangers that did not
        self.strangers_octets = 0  # of both
        self.strangers_of_host: dict[str, int] = {}
        self.messages = 0  # since the start, noted
        self.messages_dropped = 0  # since the start, for want of room
        self.pushed_out = 0  # calls without a fault that made room
        self.lost = 0  # calls worth keeping that found no room to wait

    # Messages

    def note(self, leg: LoggedLeg, now: float, code: int, flow: Flow, data: bytes) -> None:
        size = len(data) + MESSAGE_OVERHEAD
        if size > MESSAGE_OCTETS_MAX:
            data = data[:MESSAGE_OCTETS_MAX]
            size = len(data) + MESSAGE_OVERHEAD
        log = leg.log
        if self.octets + size > self.octets_max:
            has_room = self.make_room(size)
            if not has_room or (not log.call_id and log.sip_call_ids[0] not in self.strangers):
                log.dropped += 1
                self.messages_dropped += 1
                return
        items = log.items
        items.append(now)
        items.append(code)
        items.append(flow)
        items.append(data)
        log.octets += size
        self.octets += size
        log.last_at = now
        self.messages += 1
        if not log.call_id:
            self._note_stranger(log, size)
        elif len(items) > _ITEMS_MAX or log.octets > CALL_OCTETS_MAX:
            self._bound(log)

    def _note_stranger(self, log: CallLog, size: int) -> None:
        self.strangers_octets += size
        if len(log.items) > _STRANGERS_ITEMS_MAX:
            dropped = log.dropped
            freed = log.shorten(STRANGER_ENDS)
            self.octets -= freed
            self.strangers_octets -= freed
            self.messages_dropped += log.dropped - dropped
        while self.strangers_octets > self.octets_max // STRANGERS_SHARE and self._drop_stranger():
            pass

    def _bound(self, log: CallLog) -> None:
        dropped = log.dropped
        ends = END_MESSAGES_MAX
        self.octets -= log.shorten(ends)
        while log.octets > CALL_OCTETS_MAX and ends > 1:
            ends //= 2
            self.octets -= log.shorten(ends)
        self.messages_dropped += log.dropped - dropped

    # Logs

    def stranger(self, sip_call_id: str, flow: Flow, now: float, offset_s: float) -> LoggedLeg | None:
        """A place for an INVITE that belongs to no call yet; None where its host has too many."""
        host = flow.remote_host
        from_host = self.strangers_of_host.get(host, 0)
        if from_host >= STRANGERS_PER_HOST_MAX or not self._has_room(LOG_OVERHEAD):
            self.messages_dropped += 1
            return None
        while len(self.strangers) + len(self.refused) >= STRANGERS_MAX and self._drop_stranger():
            pass
        self.strangers_of_host[host] = from_host + 1
        log = CallLog("", sip_call_id, now, offset_s)
        log.payer = host
        self.strangers[sip_call_id] = log
        self.octets += log.octets
        self.strangers_octets += log.octets
        leg = LoggedLeg(log, 0)
        self.by_sip_call_id[sip_call_id] = leg
        return leg

    def begin(self, call_id: str, sip_call_id: str, now: float, offset_s: float) -> CallLog | None:
        """The INVITE that has just been noted is a call's; with it what came before under its Call-ID."""
        leg = self.by_sip_call_id.get(sip_call_id)
        if leg is not None and not leg.log.call_id:
            log = leg.log
            del self.strangers[sip_call_id]
            self._forget_host(log)
            self.strangers_octets -= log.octets
            log.call_id = call_id
        else:
            if not self._has_room(LOG_OVERHEAD):
                self.messages_dropped += 1
                return None
            log = CallLog(call_id, sip_call_id, now, offset_s)
            self.octets += log.octets
            self._lead(sip_call_id, LoggedLeg(log, 0))
            if leg is not None:
                self._copy_last(leg.log, log)
        self.live[call_id] = log
        return log

    def _copy_last(self, source: CallLog, log: CallLog) -> None:
        """A call that came back to us under the Call-ID of another: its INVITE was noted there."""
        if not source.messages:
            return
        now, _, flow, data = source.items[-STRIDE:]
        assert isinstance(now, float) and isinstance(flow, Flow) and isinstance(data, bytes)
        size = len(data) + MESSAGE_OVERHEAD
        if self._has_room(size):
            log.items += [now, 0, flow, data]
            log.octets += size
            self.octets += size

    def add_leg(self, log: CallLog, sip_call_id: str, leg: int) -> None:
        if len(log.sip_call_ids) >= LEGS_MAX or not self._has_room(LEG_OVERHEAD):
            return
        log.sip_call_ids.append(sip_call_id)
        log.octets += LEG_OVERHEAD
        self.octets += LEG_OVERHEAD
        self._lead(sip_call_id, LoggedLeg(log, leg))

    def _lead(self, sip_call_id: str, leg: LoggedLeg) -> None:
        """From now on messages with this Call-ID are this leg's, and the other calls' that have it."""
        also = self.by_sip_call_id.get(sip_call_id)
        leg.also = also
        depth = 1
        while also is not None:
            depth += 1
            if depth >= SAME_CALL_ID_MAX:
                also.also = None
            also = also.also
        self.by_sip_call_id[sip_call_id] = leg

    def settle(self, log: CallLog, *, is_kept: bool) -> None:
        """The call is judged: no more messages, and it waits to be stored or to make room."""
        del self.live[log.call_id]
        for sip_call_id in log.sip_call_ids:
            self._forget_leg(sip_call_id, log)
        if is_kept:
            if self.waiting_octets + log.octets <= self.octets_max // WAITING_SHARE:
                self.waiting[log.call_id] = log
                self.waiting_octets += log.octets
                return
            self.lost += 1
        self.good[log.call_id] = log

    def keep(self, log: CallLog) -> bool:
        """One that has ended is to be stored after all; False where it cannot wait."""
        if (
            log.call_id not in self.good
            or self.waiting_octets + log.octets > self.octets_max // WAITING_SHARE
        ):
            return False
        del self.good[log.call_id]
        self.waiting[log.call_id] = log
        self.waiting_octets += log.octets
        log.is_sent = False
        return True

    def stored(self, call_id: str) -> bool:
        """It is on the disk; here it stays as long as nobody needs its room."""
        log = self.waiting.pop(call_id, None)
        if log is None:
            return False
        self.waiting_octets -= log.octets
        self.good[call_id] = log
        return True

    def find(self, call_id: str) -> CallLog | None:
        """By a call's id, or by the SIP Call-ID of an INVITE that is or was no call of ours."""
        log = self.live.get(call_id) or self.waiting.get(call_id) or self.good.get(call_id)
        return log or self.strangers.get(call_id) or self.refused.get(call_id)

    def age_strangers(self, now: float) -> None:
        """Those that nobody takes any more: a later INVITE with the same Call-ID is another one."""
        while self.strangers:
            sip_call_id = next(iter(self.strangers))
            log = self.strangers[sip_call_id]
            if now - log.started_at < STRANGER_S:
                return
            del self.strangers[sip_call_id]
            self._forget_host(log)
            self._forget_leg(sip_call_id, log)
            before = self.refused.pop(sip_call_id, None)
            if before is not None:
                self._free_stranger(before)
            self.refused[sip_call_id] = log

    # Room

    def _has_room(self, size: int) -> bool:
        return self.octets + size <= self.octets_max or self.make_room(size)

    def make_room(self, size: int) -> bool:
        """For so many octets more; False where what is left is worth more."""
        room = self.octets_max - size
        good = self.good
        while self.octets > room and good:
            log = good.pop(next(iter(good)))
            self.octets -= log.octets
            self.pushed_out += 1
        while self.octets > room and self._drop_stranger():
            pass
        live = self.live
        for _ in range(min(SHORTENED_AT_ONCE, len(live))):
            if self.octets <= room:
                break
            call_id = next(iter(live))
            log = live[call_id] = live.pop(call_id)  # to the end: each has its turn
            dropped = log.dropped
            self.octets -= log.shorten(FEW_MESSAGES)
            self.messages_dropped += log.dropped - dropped
        return self.octets <= room

    def _drop_stranger(self) -> bool:
        """The oldest of those that came to nothing, or of all. False where there is none."""
        if self.refused:
            self._free_stranger(self.refused.pop(next(iter(self.refused))))
            return True
        if len(self.strangers) > 1:  # the latest is the one that is being noted
            sip_call_id = next(iter(self.strangers))
            log = self.strangers.pop(sip_call_id)
            self._forget_host(log)
            self._forget_leg(sip_call_id, log)
            self._free_stranger(log)
            return True
        return False

    def _free_stranger(self, log: CallLog) -> None:
        self.octets -= log.octets
        self.strangers_octets -= log.octets

    def _forget_host(self, log: CallLog) -> None:
        left = self.strangers_of_host[log.payer] - 1
        if left:
            self.strangers_of_host[log.payer] = left
        else:
            del self.strangers_of_host[log.payer]

    def _forget_leg(self, sip_call_id: str, log: CallLog) -> None:
        leg = self.by_sip_call_id.get(sip_call_id)
        if leg is None:
            return
        if leg.log is log:
            if leg.also is None:
                del self.by_sip_call_id[sip_call_id]
            else:
                self.by_sip_call_id[sip_call_id] = leg.also
            return
        while leg.also is not None:
            if leg.also.log is log:
                leg.also = leg.also.also
                return
            leg = leg.also
