"""One call: its machine (announcement, deposit or menu), its SIP, its sound and its files, joined.

The machine says what is to happen, this makes it happen and tells the machine what became of it. Everything runs in the
event loop but the work on files, which goes to threads one piece after the other (`Jobs`), so that a message is begun,
written, made safe and announced in this order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from media.codecs import FRAMES_PER_SECOND
from voicemail.actions import (
    Action,
    Actions,
    Answer,
    CheckPin,
    Clip,
    Delete,
    Discard,
    HangUp,
    Hush,
    Keep,
    Mark,
    Open,
    OpenByNumber,
    Opened,
    PinResult,
    Progress,
    Record,
    Recording,
    RecordingEnd,
    Refuse,
    Say,
    SetNotify,
    SetPin,
    StopRecording,
    UseStandardGreeting,
    Wait,
)
from voicemail.announcement import Announcement
from voicemail.deposit import Deposit
from voicemail.jobs import Jobs
from voicemail.live_recording import LiveRecording
from voicemail.menu import Menu
from voicemail.player import Piece, Silence
from voicemail.rtp_port import RtpPort
from voicemail.sdp_answer import Agreed
from voicemail.sip_call import SipCall
from voicemail.stream import Stream

if TYPE_CHECKING:
    from voicemail.house import House
    from voicemail.mailbox import Message

# The longest retrieval: a phone that was not hung up.
CALL_MAX_S: Final = 3600.0

Machine = Announcement | Deposit | Menu

log = structlog.get_logger("voicemail")


class SessionOwner(Protocol):
    """The process."""

    def session_over(self, session: Session) -> None:
        """Nothing of it is left to be done."""

    def session_broken(self, session: Session) -> None:
        """A bug in it; called within the exception."""


class Session:
    """Implements CallOwner. `tick` comes every 20 ms."""

    __slots__ = (
        "_after_said",
        "_draft",
        "_held",
        "_house",
        "_is_gone",
        "_is_over",
        "_jobs",
        "_loading",
        "_machine",
        "_mailbox",
        "_owner",
        "_recording",
        "_rtp",
        "_say_number",
        "_started",
        "_stream",
        "_wait_until",
        "call",
        "kind",
    )

    def __init__(
        self,
        machine: Machine,
        *,
        kind: str,
        house: House,
        rtp: RtpPort,
        owner: SessionOwner,
        draft: Message | None,
        now: float,
    ) -> None:
        """`draft` is what is known of the message that a deposit leaves; `kind` is a metric's label."""
        self.call: SipCall
        self.kind = kind
        self._machine = machine
        self._house = house
        self._rtp = rtp
        self._owner = owner
        self._draft = draft
        self._started = now
        self._jobs = Jobs(house.loop, house.executor, on_idle=self._end_if_done, on_bug=self._break)
        self._mailbox: Opened | None = None
        self._stream: Stream | None = None
        self._recording: LiveRecording | None = None
        self._after_said: Record | None = None
        self._held: tuple[Clip, ...] = ()  # until the caller has said where he hears
        self._loading = False
        self._say_number = 0  # of the latest Say: what was loaded for an earlier one is not played
        self._wait_until: float | None = None
        self._is_gone = False
        self._is_over = False

    @property
    def is_recording(self) -> bool:
        return self._recording is not None and self._recording.is_running

    @property
    def user(self) -> str:
        return "" if self._mailbox is None else self._mailbox.user

    def start(self, now: float) -> None:
        self._perform(self._machine.start(), now)

    # The caller (CallOwner)

    def media_agreed(self, agreed: Agreed, now: float) -> None:
        """A change of codec in the middle of a recording goes on in the new one, if its samples are alike."""
        self._rtp.aim(agreed.host, agreed.port)
        stream = self._stream
        if stream is not None and stream.is_for(agreed):
            return
        house = self._house
        changed = Stream(
            agreed,
            random=house.random_bytes,
            on_digit=self._digit,
            counts=house.rtp_counts,
            now=now,
        )
        self._stream = changed
        if self._recording is not None and self._recording.is_running:
            self._recording.stop(RecordingEnd.LIMIT, now)
        held, self._held = self._held, ()
        if held:
            self._say(held, now)

    def _break(self) -> None:
        self._owner.session_broken(self)

    def digit_by_info(self, digit: str, now: float) -> None:
        self._digit(digit, now)

    def caller_gone(self, now: float) -> None:
        if self._is_gone:
            return
        self._is_gone = True
        self._after_said = None
        self._perform(self._machine.hung_up(), now)
        self._end_if_done()

    # The clock and the wire

    def receive(self, data: bytes) -> None:
        """One datagram."""
        if self._stream is None or self._is_gone:
            return
        try:
            self._stream.receive(data, self._house.now())
        except Exception:  # noqa: BLE001 - the border: the call is ended there
            self._break()

    def tick(self, now: float) -> None:
        """Every 20 ms: one packet out, and whatever has become due."""
        if self._is_gone:
            return
        stream = self._stream
        if stream is not None and self.call.may_send:
            was_playing = stream.player.is_playing
            self._rtp.send(stream.next_packet())
            if was_playing and not stream.player.is_playing:
                self._said(now)
        if self._recording is not None:
            self._recording.tick(now)
        if self._wait_until is not None and now >= self._wait_until:
            self._wait_until = None
            self._perform(self._machine.timed_out(), now)
        if now - self._started > CALL_MAX_S:
            self.end(now)

    def abandon(self, now: float) -> None:
        """A bug: the caller is not left hanging, and what was recorded is left to the recovery of the next start."""
        self._is_gone = self._is_over = True
        self._rtp.close()
        self.call.hang_up(now)

    def end(self, now: float) -> None:
        """The house closes: what was said so far is kept."""
        if not self._is_gone:
            self.call.hang_up(now)
            self.caller_gone(now)

    # Events for the machine

    def _digit(self, digit: str, now: float) -> None:
        self._wait_until = None
        self._perform(self._machine.digit(digit), now)

    def _said(self, now: float) -> None:
        record, self._after_said = self._after_said, None
        if record is not None:
            self._record(record, now)
        else:
            self._perform(self._machine.said(), now)

    def _recorded(self, seconds: float, why: RecordingEnd, now: float) -> None:
        self._house.counts.recorded(self.kind, why.value)
        self._perform(self._machine.recorded(seconds, why), now)

    # What the machine asks for

    def _perform(self, actions: Actions, now: float) -> None:
        for action in actions:
            if self._is_over:
                return
            self._act(action, now)

    def _act(self, action: Action, now: float) -> None:  # noqa: PLR0912 - one line for each action
        match action:
            case Progress():
                if not self._is_gone and not self.call.progress(now):
                    self._say_number = -1  # nobody can hear: what is said is over at once
            case Answer():
                if not self._is_gone:
                    self.call.answer(now)
            case Refuse(status=status, cause=cause):
                self.call.refuse(status, cause, now)
                self._leave()
            case HangUp():
                self.call.hang_up(now)
                self._leave()
            case Say(clips=clips):
                self._say(clips, now)
            case Hush():
                self._hush()
            case Wait(seconds=seconds):
                self._wait_until = now + seconds
            case Record():
                self._after_said = action
                if not self._is_saying:
                    self._said(now)
            case StopRecording(why=why):
                self._after_said = None
                if self._recording is not None:
                    self._recording.stop(why, now)
            case _:
                self._act_on_mailbox(action)

    def _act_on_mailbox(self, action: Action) -> None:
        machine, store, user = self._machine, self._house.store, self.user
        match action:
            case Open(user=whose):
                assert not isinstance(machine, Announcement)
                self._ask(lambda: store.open(whose, seconds_wanted=self._house.message_max_s), self._opened)
            case CheckPin(pin=pin):
                self._ask(lambda: (store.check_pin(user, pin), None), self._checked)
            case OpenByNumber(number=number, pin=pin):
                self._ask(lambda: self._house.door.enter(number, pin), self._checked)
            case Keep():
                self._keep()
            case Discard():
                if self._recording is not None:
                    self._recording.discard()
                    self._recording = None
            case Mark(message=message, state=state):
                self._change(lambda: store.mark(user, message, state))
            case Delete(messages=messages):
                self._house.counts.deleted += len(messages)
                self._change(lambda: store.delete(user, messages))
            case SetPin(pin=pin):
                self._ask_for_change(lambda: store.set_pin(user, pin))
            case SetNotify(is_on=is_on):
                self._ask_for_change(lambda: store.set_notify(user, is_on=is_on))
            case UseStandardGreeting():
                self._ask_for_change(lambda: store.use_standard_greeting(user))
            case _:
                raise AssertionError(f"an action without its deed: {action!r}")

    def _ask(self, work: Callable[[], object], then: Callable[[object, float], None]) -> None:
        self._jobs.submit(work, lambda result: then(result, self._house.now()))

    def _change(self, work: Callable[[], object]) -> None:
        user = self.user
        self._jobs.submit(work, lambda _: self._house.mailbox_changed(user))

    def _ask_for_change(self, work: Callable[[], None]) -> None:
        def done() -> bool:
            work()
            return True

        self._ask(done, lambda result, now: self._changed(result is True, now))

    def _opened(self, result: object, now: float) -> None:
        mailbox = result if isinstance(result, Opened) else None
        self._mailbox = mailbox
        assert not isinstance(self._machine, Announcement)
        self._perform(self._machine.opened(mailbox), now)

    def _checked(self, result: object, now: float) -> None:
        pin, mailbox = result if isinstance(result, tuple) else (PinResult.UNREADABLE, None)
        self._house.counts.pin_checked(pin.value)
        if pin is PinResult.LOCKED:
            log.warning("voicemail_locked", user=self.user or "elsewhere")
        if mailbox is not None:
            self._mailbox = mailbox
        assert isinstance(self._machine, Menu)
        self._perform(self._machine.checked(pin, mailbox), now)

    def _changed(self, is_done: bool, now: float) -> None:
        assert isinstance(self._machine, Menu)
        self._perform(self._machine.changed(is_done), now)

    # Saying

    @property
    def _is_saying(self) -> bool:
        return self._loading or (self._stream is not None and self._stream.player.is_playing)

    def _say(self, clips: tuple[Clip, ...], now: float) -> None:
        """Prompts play at once; messages are read from the disk first."""
        self._hush()
        stream = self._stream
        if self._is_gone:
            return
        if stream is None or self._say_number < 0:
            if self.call.awaits_description:
                self._held = clips
            else:  # early media for a caller who offered none
                self._house.loop.call_soon(self._said, now)
            return
        self._say_number += 1
        number, codec, user = self._say_number, stream.codec, self.user
        house, recording = self._house, self._recording
        pieces = house.clips.at_once(clips, codec)
        if pieces is not None:
            self._play(pieces, number, now)
            return
        draft = recording.samples if recording is not None else bytes
        self._loading = True
        self._jobs.submit(
            lambda: house.clips.load(clips, codec=codec, user=user, draft=draft),
            lambda loaded: self._play(loaded or (), number, house.now()),
        )

    def _play(self, pieces: Sequence[Piece], number: int, now: float) -> None:
        if self._is_gone or number != self._say_number or self._stream is None:
            return
        self._loading = False
        self._wait_until = None
        self._stream.play(pieces or (Silence(FRAMES_PER_SECOND),))

    def _hush(self) -> None:
        if self._say_number >= 0:
            self._say_number += 1
        self._loading = False
        self._wait_until = None
        if self._stream is not None:
            self._stream.player.stop()

    # Recording

    def _record(self, record: Record, now: float) -> None:
        stream = self._stream
        if stream is None or self._is_gone:
            return
        house, user = self._house, self.user
        rate = stream.sample_rate
        draft = self._draft
        if record.purpose is Recording.GREETING:
            draft = None
        elif draft is None:
            raise AssertionError("a deposit knows its message")

        def begin() -> object:
            if draft is None:
                return house.store.begin_greeting(user, sample_rate=rate)
            return house.store.begin(user, draft, sample_rate=rate)

        stream.record(now)
        assert stream.recorder is not None
        self._recording = LiveRecording(
            stream.recorder,
            begin,
            jobs=self._jobs,
            rule=record,
            ended=self._recorded,
            clock=house.now,
            now=now,
        )

    def _keep(self) -> None:
        recording = self._recording
        assert recording is not None, "something was recorded"
        user, house, kind = self.user, self._house, self.kind
        before = house.before_message(user)

        def kept(is_safe: bool) -> None:
            self._recording = None
            house.counts.kept(kind, is_safe=is_safe)
            if is_safe:
                house.mailbox_changed(user)
            assert not isinstance(self._machine, Announcement)
            self._perform(self._machine.kept(is_safe), house.now())

        recording.keep(before, kept)

    # The end

    def _leave(self) -> None:
        """We ended the call."""
        self._is_gone = True
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self._is_gone and not self._is_over and self._jobs.is_idle:
            self._is_over = True
            self._rtp.close()
            if self._recording is not None:
                self._recording.discard()
            self._owner.session_over(self)
