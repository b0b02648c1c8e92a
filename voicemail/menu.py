"""The owner's menu: which key does what in which state, as one table. No clock, no sound, no files.

A key interrupts what is being said. Keys that come while the store is asked are kept and pressed afterwards, so that
who knows the menu by heart can type ahead. Deleted messages are only marked here, and gone at the end of the call; a
crash in between keeps them.

Calling back (key 5 at a message) is in the table but is spoken and taken only with `can_call_back`: connecting the
owner with a caller is the switch's business, with its admission and its prices, and nothing here dials.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final

import msgspec

from voicemail.actions import (
    NOTHING,
    Action,
    Actions,
    Answer,
    CheckPin,
    Clip,
    ClipKind,
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
    Record,
    Recording,
    RecordingEnd,
    Say,
    SetNotify,
    SetPin,
    StopRecording,
    UseStandardGreeting,
    Wait,
    pause,
    prompt,
)
from voicemail.choices import DRAFT_LINES, main_lines, message_lines, setting_lines, spoken
from voicemail.deposit import BEEP, STANDARD_GREETING
from voicemail.mailbox import Message, in_order, pin_problem
from voicemail.mailbox import State as MessageState
from voicemail.wording import Wording

# Who hesitates hears the choices again; who says nothing three times has put the phone down somewhere.
ANSWER_WAIT_S: Final = 6.0
ENTRY_WAIT_S: Final = 5.0  # between two digits of a number
IDLE_TIMES_MAX: Final = 3
PIN_ATTEMPTS_PER_CALL: Final = 3
ENTRY_DIGITS_MAX: Final = 20
TYPED_AHEAD_MAX: Final = 20
LEAD_MS: Final = 400
GREETING_SECONDS_MIN: Final = 1.0


class State(enum.Enum):
    OPENING = "opening"
    NUMBER = "number"  # of the mailbox, keyed in
    PIN = "pin"
    CHECKING = "checking"  # the store looks at the PIN
    MAIN = "main"
    PLAYING = "playing"  # a message, not yet heard to its end
    MESSAGE = "message"  # the choices after it
    SETTINGS = "settings"
    RECORDING = "recording"  # a greeting
    DRAFT = "draft"  # the greeting that was recorded
    NEW_PIN = "new_pin"
    NEW_PIN_AGAIN = "new_pin_again"
    WORKING = "working"  # the store changes something
    CLOSING = "closing"
    ENDED = "ended"


_ENTRIES: Final = frozenset({State.NUMBER, State.PIN, State.NEW_PIN, State.NEW_PIN_AGAIN})
_WAITING: Final = frozenset({State.OPENING, State.CHECKING, State.WORKING})


class Menu:
    """One call of an owner. Each method is an event and returns what to do."""

    __slots__ = (
        "_ahead",
        "_at",
        "_attempts",
        "_can_call_back",
        "_deleted",
        "_entry",
        "_greeting_max_s",
        "_idle",
        "_mailbox",
        "_messages",
        "_new_pin",
        "_number",
        "_pending",
        "_wording",
        "state",
        "user",
    )

    def __init__(
        self, user: str | None, wording: Wording, *, greeting_max_s: int, can_call_back: bool = False
    ) -> None:
        """`user` is whose line calls, None for a call from elsewhere."""
        self.user = user
        self.state = State.OPENING
        self._wording = wording
        self._greeting_max_s = greeting_max_s
        self._can_call_back = can_call_back
        self._mailbox: Opened | None = None
        self._messages: list[Message] = []
        self._at = 0
        self._deleted: dict[str, None] = {}
        self._entry = ""
        self._number = ""
        self._new_pin = ""
        self._attempts = 0
        self._idle = 0
        self._ahead = ""
        # What `changed` leads to: one thing is changed at a time.
        self._pending: Callable[[], Actions] | None = None

    # Events

    def start(self) -> Actions:
        if self.user is None:
            self.state = State.NUMBER
            return [Answer(), Say((pause(LEAD_MS), prompt("welcome"), prompt("enter-number")))]
        return [Open(self.user)]

    def opened(self, mailbox: Opened | None) -> Actions:
        if self.state is not State.OPENING:
            return NOTHING
        if mailbox is None:
            return [Answer(), *self._close("error")]
        self._take(mailbox)
        settings = mailbox.settings
        if settings.asks_pin_at_home and settings.pin is not None:
            self.state = State.PIN
            lead = (pause(LEAD_MS), prompt("welcome"), prompt("enter-pin"))
            return self._typed_ahead([Answer(), Say(lead)])
        return self._typed_ahead([Answer(), *self._welcome(pause(LEAD_MS), prompt("welcome"))])

    def checked(self, result: PinResult, mailbox: Opened | None) -> Actions:
        if self.state is not State.CHECKING:
            return NOTHING
        match result:
            case PinResult.RIGHT:
                if mailbox is not None:
                    self._take(mailbox)
                return self._typed_ahead(self._welcome())
            case PinResult.WRONG:
                self._attempts += 1
                self._ahead = ""
                if self._attempts >= PIN_ATTEMPTS_PER_CALL:
                    return self._close("pin-wrong", "goodbye")
                is_at_home = self.user is not None
                self.state = State.PIN if is_at_home else State.NUMBER
                return [Say((prompt("pin-wrong"), prompt("enter-pin" if is_at_home else "enter-number")))]
            case PinResult.LOCKED:
                return self._close("locked", "goodbye")
            case PinResult.UNREADABLE:
                return self._close("error")

    def changed(self, is_done: bool) -> Actions:
        """The store did what was asked, or could not."""
        if self.state is not State.WORKING:
            return NOTHING
        done, self._pending = self._pending, None
        if not is_done or done is None:
            return self._typed_ahead(self._settings(prompt("error")))
        return self._typed_ahead(done())

    def kept(self, is_safe: bool) -> Actions:
        """The greeting."""
        return self.changed(is_safe)

    def recorded(self, seconds: float, why: RecordingEnd) -> Actions:
        if self.state is not State.RECORDING:
            return [Discard()]
        if why in (RecordingEnd.FAILED, RecordingEnd.HANG_UP) or seconds < GREETING_SECONDS_MIN:
            return [Discard(), *self._settings(prompt("greeting-not-saved"))]
        return self._draft()

    def digit(self, digit: str) -> Actions:
        self._idle = 0
        state = self.state
        if state in _WAITING:
            self._ahead = (self._ahead + digit)[:TYPED_AHEAD_MAX]
            return NOTHING
        if state in _ENTRIES:
            return self._enter(digit)
        if state is State.RECORDING:
            return [StopRecording(RecordingEnd.HASH)]
        keys = KEYS.get(state)
        if keys is None:
            return NOTHING
        heard: list[Action] = self._heard() if state is State.PLAYING else []
        key = keys.get(digit)
        actions = None if key is None else key(self)
        if actions is None:
            actions = [Say((prompt("invalid-choice"), *self._choices()))]
        return [Hush(), *heard, *actions]

    def said(self) -> Actions:
        match self.state:
            case State.PLAYING:
                self.state = State.MESSAGE
                return [*self._heard(), Say(self._message_choices())]
            case State.CLOSING:
                self.state = State.ENDED
                return [HangUp()]
            case state if state in _ENTRIES:
                return [Wait(ENTRY_WAIT_S)]
            case state if state in KEYS:
                return [Wait(ANSWER_WAIT_S)]
            case _:
                return NOTHING

    def timed_out(self) -> Actions:
        state = self.state
        if state in _ENTRIES and self._entry:
            return self._entered()
        if state not in _ENTRIES and state not in KEYS:
            return NOTHING
        self._idle += 1
        if self._idle >= IDLE_TIMES_MAX:
            return self._close("goodbye")
        again = (prompt(_ASKS[state]),) if state in _ENTRIES else self._choices()
        return [Say((prompt("are-you-there"), *again))]

    def hung_up(self) -> Actions:
        is_recording = self.state is State.RECORDING
        self.state = State.ENDED
        ending: Actions = [StopRecording(RecordingEnd.HANG_UP)] if is_recording else []
        return [*ending, *self._deletions()]

    # Who is it?

    def _enter(self, digit: str) -> Actions:
        if digit == "#":
            return [Hush(), *self._entered()]
        if digit == "*":
            self._entry = ""
        elif len(self._entry) < ENTRY_DIGITS_MAX:
            self._entry += digit
        return [Hush(), Wait(ENTRY_WAIT_S)]

    def _entered(self) -> Actions:
        entry, self._entry = self._entry, ""
        match self.state:
            case State.NUMBER:
                if not entry:
                    return [Say((prompt("enter-number"),))]
                self._number = entry
                self.state = State.PIN
                return [Say((prompt("enter-pin"),))]
            case State.PIN:
                self.state = State.CHECKING
                return [CheckPin(entry) if self.user is not None else OpenByNumber(self._number, entry)]
            case State.NEW_PIN:
                return self._new_pin_entered(entry)
            case _:
                return self._new_pin_repeated(entry)

    def _take(self, mailbox: Opened) -> None:
        self._mailbox = mailbox
        self._messages = list(in_order(mailbox.messages))

    def _welcome(self, *lead: Clip) -> Actions:
        return self._main(*lead, *map(prompt, self._wording.counts(self._messages)))

    # The main menu

    def _main(self, *lead: Clip) -> Actions:
        self.state = State.MAIN
        return [Say((*lead, *self._choices()))]

    def _first(self) -> Actions:
        return (
            self._play(0, "first-message")
            if self._messages
            else self._main(prompt("you-have"), prompt("no-messages"))
        )

    def _end(self) -> Actions:
        return self._close("goodbye")

    def _repeat(self) -> Actions:
        return [Say(self._choices())]

    def _choices(self) -> tuple[Clip, ...]:
        match self.state:
            case State.MAIN:
                return spoken(main_lines(has_messages=bool(self._messages)))
            case State.PLAYING | State.MESSAGE:
                return self._message_choices()
            case State.DRAFT:
                return spoken(DRAFT_LINES)
            case _:
                return self._setting_choices()

    def _back_to_main(self) -> Actions:
        return self._main()

    # Messages

    @property
    def _message(self) -> Message:
        return self._messages[self._at]

    def _play(self, at: int, word: str) -> Actions:
        """A message with what is to be known of it."""
        self._at = at
        self.state = State.PLAYING
        lead = (word, *self._wording.details(self._message))
        return [Say((*map(prompt, lead), pause(LEAD_MS), self._sound()))]

    def _sound(self) -> Clip:
        return Clip(ClipKind.MESSAGE, self._message.id, other="error")

    def _heard(self) -> list[Action]:
        message = self._message
        if message.state is not MessageState.NEW:
            return []
        self._messages[self._at] = msgspec.structs.replace(message, state=MessageState.HEARD)
        return [Mark(message.id, MessageState.HEARD)]

    def _message_choices(self) -> tuple[Clip, ...]:
        is_deleted = self._message.id in self._deleted
        return spoken(message_lines(is_deleted=is_deleted, can_call_back=self._can_call_back))

    def _play_again(self) -> Actions:
        self.state = State.PLAYING
        return [Say((self._sound(),))]

    def _save(self) -> Actions:
        message = self._message
        self._deleted.pop(message.id, None)
        self._messages[self._at] = msgspec.structs.replace(message, state=MessageState.SAVED)
        return [Mark(message.id, MessageState.SAVED), *self._go_on("message-saved")]

    def _delete_or_restore(self) -> Actions:
        identity = self._message.id
        if identity in self._deleted:
            del self._deleted[identity]
            word = "message-restored"
        else:
            self._deleted[identity] = None
            word = "message-deleted"
        self.state = State.MESSAGE
        return [Say((prompt(word), *self._message_choices()))]

    def _details(self) -> Actions:
        self.state = State.PLAYING
        details = self._wording.details(self._message)
        return [Say((*map(prompt, details), pause(LEAD_MS), self._sound()))]

    def _call_back(self) -> Actions | None:
        if not self._can_call_back:
            return None
        return [Say((prompt("call-back-impossible"), *self._message_choices()))]

    def _skip(self) -> Actions:
        return self._go_on()

    def _go_on(self, *words: str) -> Actions:
        lead = tuple(map(prompt, words))
        if self._at + 1 >= len(self._messages):
            return self._main(*lead, prompt("no-more-messages"))
        (say,) = self._play(self._at + 1, "next-message")
        assert isinstance(say, Say)
        return [Say((*lead, *say.clips))]

    def _go_back(self) -> Actions:
        if self._at == 0:
            return self._play(0, "first-message")
        return self._play(self._at - 1, "previous-message")

    def _deletions(self) -> Actions:
        deleted, self._deleted = tuple(self._deleted), {}
        return [Delete(deleted)] if deleted else []

    # Settings

    def _settings(self, *lead: Clip) -> Actions:
        self.state = State.SETTINGS
        return [Say((*lead, *self._setting_choices()))]

    def _setting_choices(self) -> tuple[Clip, ...]:
        return spoken(setting_lines(is_notified=self._opened.settings.is_notified))

    @property
    def _opened(self) -> Opened:
        assert self._mailbox is not None, "settings are reached only with an open mailbox"
        return self._mailbox

    def _open_settings(self) -> Actions:
        return self._settings()

    def _ask_store(self, action: Action, done: Callable[[], Actions]) -> Actions:
        self.state = State.WORKING
        self._pending = done
        return [action]

    def _change(self, **fields: object) -> None:
        mailbox = self._opened
        self._mailbox = mailbox._replace(settings=msgspec.structs.replace(mailbox.settings, **fields))

    def _hear_greeting(self) -> Actions:
        mailbox = self._opened
        if not mailbox.settings.has_own_greeting:
            return self._settings(prompt("greeting-is-standard"), prompt(STANDARD_GREETING))
        return self._settings(
            prompt("your-greeting-is"), Clip(ClipKind.GREETING, other=STANDARD_GREETING), pause(LEAD_MS)
        )

    def _use_standard_greeting(self) -> Actions:
        def done() -> Actions:
            self._change(has_own_greeting=False)
            return self._settings(prompt("greeting-is-standard"))

        return self._ask_store(UseStandardGreeting(), done)

    def _record_greeting(self) -> Actions:
        self.state = State.RECORDING
        lead = Say((prompt("record-greeting"), prompt(BEEP)))
        return [lead, Record(Recording.GREETING, self._greeting_max_s, 0)]

    def _draft(self) -> Actions:
        self.state = State.DRAFT
        return [Say((prompt("your-greeting-is"), Clip(ClipKind.DRAFT), pause(LEAD_MS), *self._choices()))]

    def _keep_greeting(self) -> Actions:
        def done() -> Actions:
            self._change(has_own_greeting=True)
            return self._settings(prompt("greeting-saved"))

        return self._ask_store(Keep(), done)

    def _record_again(self) -> Actions:
        return [Discard(), *self._record_greeting()]

    def _drop_greeting(self) -> Actions:
        return [Discard(), *self._settings(prompt("greeting-not-saved"))]

    def _change_pin(self) -> Actions:
        self.state = State.NEW_PIN
        return [Say((prompt("enter-new-pin"),))]

    def _new_pin_entered(self, entry: str) -> Actions:
        mailbox = self._opened
        problem = pin_problem(entry, mailbox.settings.numbers)
        if problem:
            return self._settings(prompt("pin-length-wrong" if problem == "length" else "pin-too-simple"))
        self._new_pin = entry
        self.state = State.NEW_PIN_AGAIN
        return [Say((prompt("enter-new-pin-again"),))]

    def _new_pin_repeated(self, entry: str) -> Actions:
        new_pin, self._new_pin = self._new_pin, ""
        if entry != new_pin:
            return self._settings(prompt("pins-differ"))
        return self._ask_store(SetPin(new_pin), lambda: self._settings(prompt("pin-changed")))

    def _switch_notification(self) -> Actions:
        mailbox = self._opened
        if not mailbox.settings.email:
            return self._settings(prompt("notification-impossible"))
        is_on = not mailbox.settings.is_notified

        def done() -> Actions:
            self._change(is_notified=is_on)
            return self._settings(prompt("notification-on" if is_on else "notification-off"))

        return self._ask_store(SetNotify(is_on), done)

    # The end

    def _close(self, *words: str) -> Actions:
        self.state = State.CLOSING
        return [*self._deletions(), Say(tuple(map(prompt, words)))]

    def _typed_ahead(self, actions: Actions) -> Actions:
        """The keys that were pressed meanwhile, now."""
        ahead, self._ahead = self._ahead, ""
        for place, digit in enumerate(ahead):
            if self.state in _WAITING:
                self._ahead = ahead[place:]
                break
            actions = [*actions, *self.digit(digit)]
        return actions


_ASKS: Final = {
    State.NUMBER: "enter-number",
    State.PIN: "enter-pin",
    State.NEW_PIN: "enter-new-pin",
    State.NEW_PIN_AGAIN: "enter-new-pin-again",
}

_Key = Callable[[Menu], "Actions | None"]
_MESSAGE_KEYS: Final[dict[str, _Key]] = {
    "1": Menu._play_again,
    "2": Menu._save,
    "3": Menu._delete_or_restore,
    "4": Menu._details,
    "5": Menu._call_back,
    "6": Menu._skip,
    "7": Menu._go_back,
    "*": Menu._back_to_main,
    "#": Menu._end,
}

# What is not here is no choice, and is said to be none. None from a method is the same.
KEYS: Final[dict[State, dict[str, _Key]]] = {
    State.MAIN: {"1": Menu._first, "2": Menu._open_settings, "*": Menu._repeat, "#": Menu._end},
    State.PLAYING: _MESSAGE_KEYS,
    State.MESSAGE: _MESSAGE_KEYS,
    State.SETTINGS: {
        "1": Menu._record_greeting,
        "2": Menu._hear_greeting,
        "3": Menu._use_standard_greeting,
        "4": Menu._change_pin,
        "5": Menu._switch_notification,
        "*": Menu._back_to_main,
        "#": Menu._end,
    },
    State.DRAFT: {"1": Menu._keep_greeting, "2": Menu._record_again, "*": Menu._drop_greeting},
}
