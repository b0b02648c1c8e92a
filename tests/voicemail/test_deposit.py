"""A caller leaves a message: what each event leads to, one call a test."""

import pytest

from voicemail.actions import (
    Answer,
    Clip,
    ClipKind,
    Discard,
    Fullness,
    HangUp,
    Hush,
    Keep,
    Open,
    Opened,
    Progress,
    Record,
    Recording,
    RecordingEnd,
    Refuse,
    Say,
    StopRecording,
    prompt,
)
from voicemail.deposit import Deposit, DepositRule, State
from voicemail.mailbox import Settings

RULE = DepositRule(message_max_s=120, message_min_s=2, silence_end_s=8)


def mailbox(
    *, settings: Settings | None = None, fullness: Fullness = Fullness.ROOM, left_s: int = 3600
) -> Opened:
    return Opened("alice", settings or Settings(), (), fullness, left_s)


def recording(left_s: int = 3600) -> Deposit:
    deposit = Deposit("alice", RULE)
    assert deposit.start() == [Open("alice")]
    deposit.opened(mailbox(left_s=left_s))
    deposit.said()
    assert deposit.state is State.RECORDING
    return deposit


def names(actions: list[object]) -> list[str]:
    return [clip.name for action in actions if isinstance(action, Say) for clip in action.clips if clip.name]


def test_a_message_is_said_to_be_safe_only_when_it_is() -> None:
    deposit = recording()
    assert deposit.digit("#") == [StopRecording(RecordingEnd.HASH)]
    assert deposit.recorded(10.0, RecordingEnd.HASH) == [Keep()]
    told = deposit.kept(True)
    assert "message-received" in names(told)
    assert deposit.said() == [HangUp()]


def test_a_disk_that_did_not_take_it_is_not_said_to_have() -> None:
    deposit = recording()
    deposit.recorded(10.0, RecordingEnd.HASH)
    told = deposit.kept(False)
    assert names(told) == ["cannot-take-messages"]
    assert deposit.said() == [HangUp()]


def test_the_greeting_comes_before_the_tone_and_the_recording_after_it() -> None:
    deposit = Deposit("alice", RULE)
    deposit.start()
    first, second = deposit.opened(mailbox())
    assert first == Answer()
    assert isinstance(second, Say)
    assert names([second])[-2:] == ["greeting", "record-beep"]
    assert deposit.said() == [Record(Recording.MESSAGE, 120, 8)]


def test_the_owner_s_greeting_is_heard_and_the_standard_one_if_it_cannot_be_read() -> None:
    deposit = Deposit("alice", RULE)
    deposit.start()
    _, say = deposit.opened(mailbox(settings=Settings(has_own_greeting=True)))
    assert isinstance(say, Say)
    assert Clip(ClipKind.GREETING, other="greeting") in say.clips


def test_hash_skips_the_greeting_but_not_the_tone() -> None:
    deposit = Deposit("alice", RULE)
    deposit.start()
    deposit.opened(mailbox())
    assert deposit.digit("#") == [Hush(), Say((prompt("record-beep"),))]
    assert deposit.digit("1") == []
    assert deposit.said() == [Record(Recording.MESSAGE, 120, 8)]


def test_a_nearly_full_mailbox_takes_what_there_is_room_for() -> None:
    deposit = Deposit("alice", RULE)
    deposit.start()
    deposit.opened(mailbox(left_s=30))
    assert deposit.said() == [Record(Recording.MESSAGE, 30, 8)]


@pytest.mark.parametrize(
    ("found", "said", "cause"),
    [
        (mailbox(fullness=Fullness.FULL), "mailbox-full", 19),
        (mailbox(fullness=Fullness.DISK), "cannot-take-messages", 42),
        (None, "cannot-take-messages", 42),
    ],
)
def test_who_cannot_leave_a_message_is_told_so_and_does_not_pay(
    found: Opened | None, said: str, cause: int
) -> None:
    deposit = Deposit("alice", RULE)
    deposit.start()
    assert deposit.opened(found) == [Progress(), Say((prompt(said),))]
    assert deposit.said() == [Refuse(480, cause)]


# what ended it   seconds  -> what is done, and what the caller is told
ENDS = """
hash              0.5      discard  message-too-short
hash              2.0      discard  message-too-short
hash              2.1      keep     -
silence           2.1      keep     -
silence           0.0      discard  message-too-short
limit             120      keep     -
hang_up           2.0      discard  -
hang_up           2.1      keep     -
failed            60       discard  cannot-take-messages
"""


@pytest.mark.parametrize("row", ENDS.strip().split("\n"))
def test_what_is_long_enough_is_kept(row: str) -> None:
    why, seconds, done, told = row.split()
    deposit = recording()
    actions = deposit.recorded(float(seconds), RecordingEnd(why))
    assert (Keep() in actions, Discard() in actions) == (done == "keep", done == "discard")
    assert names(actions) == ([] if told == "-" else [told])


def test_who_hangs_up_while_speaking_leaves_it_and_who_hangs_up_before_leaves_nothing() -> None:
    assert recording().hung_up() == [StopRecording(RecordingEnd.HANG_UP)]
    deposit = Deposit("alice", RULE)
    deposit.start()
    deposit.opened(mailbox())
    assert deposit.hung_up() == []
    assert deposit.state is State.ENDED


def test_who_hangs_up_while_the_message_is_made_safe_has_left_it() -> None:
    deposit = recording()
    deposit.recorded(5.0, RecordingEnd.HASH)
    assert deposit.hung_up() == []
    assert deposit.state is State.KEEPING


def test_who_hangs_up_before_the_mailbox_was_read_is_not_answered() -> None:
    deposit = Deposit("alice", RULE)
    deposit.start()
    deposit.hung_up()
    assert deposit.opened(mailbox()) == []
