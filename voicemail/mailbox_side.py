"""What a call has to do with a mailbox: what its machine asks of the store, and what is recorded.

For deposits and owners' menus; work on files goes to threads one piece after the other (`Jobs`), so that a message is
begun, written, made safe and announced in this order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from voicemail.actions import (
    Action,
    Actions,
    CheckPin,
    Delete,
    Discard,
    Keep,
    Mark,
    Open,
    OpenByNumber,
    Opened,
    PinResult,
    Record,
    Recording,
    RecordingEnd,
    SetNotify,
    SetPin,
    UseStandardGreeting,
)
from voicemail.deposit import Deposit
from voicemail.jobs import Jobs
from voicemail.live_recording import LiveRecording
from voicemail.menu import Menu
from voicemail.stream import Stream

if TYPE_CHECKING:
    from voicemail.house import House
    from voicemail.mailbox import Message

MailboxMachine = Deposit | Menu

log = structlog.get_logger("voicemail")


class MailboxSide:
    """Of one call. `perform` takes what the machine asks for next."""

    __slots__ = ("_draft", "_house", "_jobs", "_kind", "_machine", "_mailbox", "_perform", "_recording")

    def __init__(
        self,
        machine: MailboxMachine,
        *,
        kind: str,
        house: House,
        jobs: Jobs,
        draft: Message | None,
        perform: Callable[[Actions, float], None],
    ) -> None:
        """`draft` is what is known of the message that a deposit leaves; `kind` is a metric's label."""
        self._machine = machine
        self._kind = kind
        self._house = house
        self._jobs = jobs
        self._draft = draft
        self._perform = perform
        self._mailbox: Opened | None = None
        self._recording: LiveRecording | None = None

    @property
    def is_recording(self) -> bool:
        return self._recording is not None and self._recording.is_running

    @property
    def user(self) -> str:
        return "" if self._mailbox is None else self._mailbox.user

    def samples(self) -> bytes:
        """What was recorded; in a thread, after it has ended."""
        return b"" if self._recording is None else self._recording.samples()

    def tick(self, now: float) -> None:
        if self._recording is not None:
            self._recording.tick(now)

    def act(self, action: Action) -> None:
        machine, store, user = self._machine, self._house.store, self.user
        match action:
            case Open(user=whose):
                self._ask(lambda: store.open(whose, seconds_wanted=self._house.message_max_s), self._opened)
            case CheckPin(pin=pin):
                self._ask(lambda: (store.check_pin(user, pin), None), self._checked)
            case OpenByNumber(number=number, pin=pin):
                self._ask(lambda: self._house.door.enter(number, pin), self._checked)
            case Keep():
                self._keep()
            case Discard():
                self.discard()
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
                raise AssertionError(f"an action without its deed: {action!r} of {machine!r}")

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

    # Recording

    def record(self, record: Record, stream: Stream, now: float) -> None:
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

        self._recording = LiveRecording(
            stream.record(now),
            begin,
            jobs=self._jobs,
            rule=record,
            ended=self._recorded,
            clock=house.now,
            now=now,
        )

    def stop_recording(self, why: RecordingEnd, now: float) -> None:
        if self._recording is not None:
            self._recording.stop(why, now)

    def discard(self) -> None:
        if self._recording is not None:
            self._recording.discard()
            self._recording = None

    def _recorded(self, seconds: float, why: RecordingEnd, now: float) -> None:
        self._house.counts.recorded(self._kind, why.value)
        self._perform(self._machine.recorded(seconds, why), now)

    def _keep(self) -> None:
        recording = self._recording
        assert recording is not None, "something was recorded"
        user, house, kind = self.user, self._house, self._kind
        before = house.before_message(user)

        def kept(is_safe: bool) -> None:
            self._recording = None
            house.counts.kept(kind, is_safe=is_safe)
            if is_safe:
                house.mailbox_changed(user)
            self._perform(self._machine.kept(is_safe), house.now())

        recording.keep(before, kept)
