"""The owner's menu: keys in, actions out, as tables; and a machine that is fed nonsense always ends."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from voicemail.actions import (
    Action,
    Answer,
    CheckPin,
    Clip,
    ClipKind,
    Delete,
    Discard,
    Fullness,
    HangUp,
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
)
from voicemail.choices import DRAFT_LINES, main_lines, message_lines, setting_lines
from voicemail.mailbox import Message, Settings, hash_pin
from voicemail.mailbox import State as MessageState
from voicemail.menu import KEYS, Menu, State
from voicemail.wording import Wording

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
HASHED = hash_pin("4711", b"salt")


def message(number: int, state: MessageState = MessageState.NEW, caller: str = "02079460123") -> Message:
    received = NOW_MS - 3_600_000 + number * 1000
    return Message(f"{received:013d}-0000000{number}", received, 5000, caller=caller, state=state)


def opened(*messages: Message, settings: Settings | None = None) -> Opened:
    return Opened("alice", settings or Settings(), messages, Fullness.ROOM)


class Call:
    """A menu, and everything it has asked for."""

    def __init__(self, user: str | None = "alice") -> None:
        self.menu = Menu(user, Wording(lambda: NOW), greeting_max_s=60)
        self.done: list[Action] = []
        self.take(self.menu.start())

    def take(self, actions: list[Action]) -> list[Action]:
        self.done += actions
        return actions

    def press(self, keys: str) -> list[Action]:
        last: list[Action] = []
        for key in keys:
            last = self.take(self.menu.digit(key))
        return last

    def said(self) -> list[str]:
        """The names of what was asked to be said last."""
        say = next(action for action in reversed(self.done) if isinstance(action, Say))
        return [clip.name or clip.kind.value for clip in say.clips]

    def asked(self, kind: type[Action]) -> list[Action]:
        return [action for action in self.done if isinstance(action, kind)]


def at_main(*messages: Message, settings: Settings | None = None) -> Call:
    call = Call()
    call.take(call.menu.opened(opened(*messages, settings=settings)))
    return call


def test_the_own_line_needs_no_pin_and_hears_what_waits() -> None:
    call = Call()
    assert call.done == [Open("alice")]
    call.take(call.menu.opened(opened(message(1), message(2), message(3, MessageState.SAVED))))
    assert call.asked(Answer)
    words = call.said()
    assert words[words.index("you-have") :][:5] == [
        "you-have",
        "number-2",
        "new-messages",
        "and",
        "one-saved-message",
    ]
    assert call.menu.state is State.MAIN


def test_the_own_line_is_asked_for_the_pin_if_its_owner_wants_that() -> None:
    call = Call()
    call.take(call.menu.opened(opened(settings=Settings(pin=HASHED, asks_pin_at_home=True))))
    assert "enter-pin" in call.said()
    assert call.press("4711#")[-1] == CheckPin("4711")
    call.take(call.menu.checked(PinResult.RIGHT, None))
    assert call.menu.state is State.MAIN


def test_from_elsewhere_number_and_pin_are_asked_for() -> None:
    call = Call(user=None)
    assert "enter-number" in call.said()
    call.press("01632960222#")
    assert call.said() == ["enter-pin"]
    assert call.press("4711#")[-1] == OpenByNumber("01632960222", "4711")
    call.take(call.menu.checked(PinResult.WRONG, None))
    assert call.said() == ["pin-wrong", "enter-number"]


def test_three_wrong_pins_end_the_call() -> None:
    call = Call(user=None)
    for _ in range(3):
        call.press("01632960222#")
        call.press("0000#")
        call.take(call.menu.checked(PinResult.WRONG, None))
    assert call.said() == ["pin-wrong", "goodbye"]
    assert call.menu.said() == [HangUp()]


def test_a_locked_mailbox_says_so_and_ends_the_call() -> None:
    call = Call(user=None)
    call.press("01632960222#4711#")
    call.take(call.menu.checked(PinResult.LOCKED, None))
    assert call.said() == ["locked", "goodbye"]


def test_digits_end_by_themselves_after_a_while_and_star_begins_anew() -> None:
    call = Call(user=None)
    call.press("999*01632960222")
    call.take(call.menu.timed_out())
    call.press("4711")
    assert call.menu.timed_out() == [OpenByNumber("01632960222", "4711")]


def test_new_messages_come_first_and_each_says_when_and_who() -> None:
    old, new = message(1, MessageState.HEARD), message(2)
    call = at_main(old, new)
    (_, say) = call.press("1")
    assert isinstance(say, Say)
    assert say.clips[-1] == Clip(ClipKind.MESSAGE, new.id, other="error")
    words = call.said()
    assert words[:3] == ["first-message", "received", "today"]
    assert words[words.index("from") + 1 :][:3] == ["digit-0", "digit-2", "digit-0"]


def test_a_withheld_number_is_said_to_be_one() -> None:
    call = at_main(message(1, caller=""))
    call.press("1")
    assert "withheld-number" in call.said()


def test_a_message_is_heard_when_it_was_played_to_its_end_or_acted_upon_and_not_when_the_owner_hung_up() -> (
    None
):
    heard = Mark(message(1).id, MessageState.HEARD)
    call = at_main(message(1))
    call.press("1")
    assert call.asked(Mark) == []
    call.take(call.menu.said())
    assert call.asked(Mark) == [heard]

    call = at_main(message(1))
    call.press("16")
    assert call.asked(Mark) == [heard]

    call = at_main(message(1))
    call.press("1")
    assert call.menu.hung_up() == []


# keys at two new messages -> what is asked of the store, in order; m1 and m2 are the messages
KEYS_AND_DEEDS = """
1                  -
11                 heard m1
12                 heard m1, saved m1
13                 heard m1
14                 heard m1
16                 heard m1
166                heard m1, heard m2
1667               heard m1, heard m2
13#                heard m1, delete m1
133#               heard m1
136#               heard m1, heard m2, delete m1
13*1#              heard m1, delete m1
132#               heard m1, saved m1, heard m2
13633#             heard m1, heard m2, delete m1
15                 heard m1
"""


def test_keys_lead_to_deeds() -> None:
    names = {message(1).id: "m1", message(2).id: "m2"}
    for row in KEYS_AND_DEEDS.strip().split("\n"):
        keys, expected = row.split(maxsplit=1)
        call = at_main(message(1), message(2))
        call.press(keys)
        deeds = []
        for action in call.done:
            if isinstance(action, Mark):
                deeds.append(f"{action.state.value} {names[action.message]}")
            elif isinstance(action, Delete):
                deeds.append("delete " + " ".join(names[each] for each in action.messages))
        assert (", ".join(deeds) or "-") == expected.strip(), keys


def test_what_was_deleted_is_gone_also_for_who_hangs_up() -> None:
    call = at_main(message(1))
    call.press("13")
    assert call.said()[0] == "message-deleted"
    assert call.menu.hung_up() == [Delete((message(1).id,))]


def test_calling_back_is_neither_offered_nor_taken() -> None:
    call = at_main(message(1))
    call.press("1")
    call.take(call.menu.said())
    assert "to-call-back" not in call.said()
    call.press("5")
    assert call.said()[0] == "invalid-choice"


def test_a_greeting_is_recorded_heard_and_kept() -> None:
    call = at_main()
    call.press("21")
    assert call.done[-1] == Record(Recording.GREETING, 60, 0)
    assert call.press("#") == [StopRecording(RecordingEnd.HASH)]
    call.take(call.menu.recorded(5.0, RecordingEnd.HASH))
    assert "draft" in call.said()
    assert call.press("1")[-1] == Keep()
    call.take(call.menu.kept(True))
    assert call.said()[0] == "greeting-saved"
    call.press("2")
    assert "greeting" in call.said()


def test_a_greeting_may_be_recorded_again_or_dropped() -> None:
    call = at_main()
    call.press("21#")
    call.take(call.menu.recorded(5.0, RecordingEnd.HASH))
    again = call.press("2")
    assert Discard() in again and again[-1] == Record(Recording.GREETING, 60, 0)
    call.press("#")
    call.take(call.menu.recorded(5.0, RecordingEnd.HASH))
    assert Discard() in call.press("*")
    assert call.said()[0] == "greeting-not-saved"
    assert not call.asked(Keep)


def test_a_greeting_that_the_disk_does_not_take_leaves_the_one_before() -> None:
    call = at_main()
    call.press("21#")
    call.take(call.menu.recorded(5.0, RecordingEnd.FAILED))
    assert call.said()[0] == "greeting-not-saved"


def test_the_standard_greeting_comes_back() -> None:
    call = at_main(settings=Settings(has_own_greeting=True))
    assert call.press("23")[-1] == UseStandardGreeting()
    call.take(call.menu.changed(True))
    assert call.said()[0] == "greeting-is-standard"


# what is keyed in twice -> what is said
NEW_PINS = """
4711  4711   pin-changed
4711  4712   pins-differ
471   -      pin-length-wrong
1111  -      pin-too-simple
1234  -      pin-too-simple
9876  -      pin-too-simple
0222  -      pin-too-simple
"""


def test_a_new_pin_is_asked_for_twice_and_not_too_simple() -> None:
    for row in NEW_PINS.strip().split("\n"):
        first, second, expected = row.split()
        call = at_main(settings=Settings(numbers=("01632960222",)))
        call.press(f"24{first}#")
        if second != "-":
            call.press(f"{second}#")
        if call.asked(SetPin):
            assert call.asked(SetPin) == [SetPin(first)]
            call.take(call.menu.changed(True))
        assert call.said()[0] == expected, row


def test_notification_needs_an_address() -> None:
    call = at_main()
    call.press("25")
    assert call.said()[0] == "notification-impossible"
    call = at_main(settings=Settings(email="ann@example.co.uk", is_notified=True))
    assert call.press("25")[-1] == SetNotify(False)
    call.take(call.menu.changed(True))
    assert call.said()[0] == "notification-off"
    assert "to-switch-notification-on" in call.said()


def test_what_the_store_could_not_do_is_not_said_to_be_done() -> None:
    call = at_main()
    call.press("244711#4711#")
    call.take(call.menu.changed(False))
    assert call.said()[0] == "error"


def test_keys_that_are_typed_ahead_are_pressed_when_their_time_comes() -> None:
    call = Call()
    call.press("1")
    call.take(call.menu.opened(opened(message(1))))
    assert call.said()[0] == "first-message"


def test_who_says_nothing_is_asked_twice_and_then_left() -> None:
    call = at_main(message(1))
    for _ in range(2):
        assert call.take(call.menu.said()) == [Wait(6.0)]
        call.take(call.menu.timed_out())
        assert call.said()[0] == "are-you-there"
    call.take(call.menu.timed_out())
    assert call.said() == ["goodbye"]
    assert call.menu.said() == [HangUp()]


def test_a_mailbox_that_cannot_be_read_is_an_error_and_not_empty() -> None:
    call = Call()
    call.take(call.menu.opened(None))
    assert call.said() == ["error"]
    assert call.menu.said() == [HangUp()]


def test_every_key_of_every_state_is_a_key() -> None:
    for keys in KEYS.values():
        assert set(keys) <= set("0123456789*#")


EVENTS = st.one_of(
    st.sampled_from(["said", "timed_out", "changed", "kept", "right", "wrong", "recorded"]),
    st.sampled_from("0123456789*#"),
)


@given(st.lists(EVENTS, max_size=200), st.booleans())
def test_a_menu_that_is_fed_anything_stays_in_its_table_and_ends(events: list[str], is_at_home: bool) -> None:
    call = Call("alice" if is_at_home else None)
    found = opened(message(1), message(2), settings=Settings(email="a@example.org", pin=HASHED))
    call.menu.opened(found)
    menu = call.menu
    for event in events:
        match event:
            case "said":
                menu.said()
            case "timed_out":
                menu.timed_out()
            case "changed" | "kept":
                menu.changed(True)
            case "right" | "wrong":
                result = PinResult.RIGHT if event == "right" else PinResult.WRONG
                menu.checked(result, None if is_at_home else found)
            case "recorded":
                menu.recorded(5.0, RecordingEnd.HASH)
            case key:
                menu.digit(key)
    has_ended = menu.state is State.ENDED
    for _ in range(10):
        menu.changed(False)
        menu.checked(PinResult.WRONG, None)
        menu.recorded(0.0, RecordingEnd.FAILED)
        menu.timed_out()
        has_ended = has_ended or HangUp() in menu.said()
    assert has_ended
    assert menu.state is State.ENDED


def test_every_key_that_is_spoken_is_taken_and_every_key_but_the_end_is_spoken() -> None:
    spoken = {
        State.MAIN: main_lines(has_messages=True),
        State.MESSAGE: message_lines(is_deleted=False, can_call_back=True),
        State.SETTINGS: setting_lines(is_notified=True),
        State.DRAFT: DRAFT_LINES,
    }
    for state, lines in spoken.items():
        unspoken = {"*"} if state is State.MAIN else {"#"}
        assert {key for _, key in lines} == set(KEYS[state]) - unspoken, state
