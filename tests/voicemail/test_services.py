"""The machines of say, menu, queue and conference: events in, actions out; fed nonsense, they always end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tables import cases
from voicemail.actions import Answer, EndWithin, HangUp, Hush, Join, PlayMusic, Refer, Say, Wait, prompt
from voicemail.conferring import Conferring
from voicemail.digit_menu import DigitMenu
from voicemail.queueing import Queueing
from voicemail.speaking import Speaking

CLIPS = (prompt("words"),)


def names(actions):
    """Each action as a word; of what is said the prompts."""
    found = []
    for action in actions:
        match action:
            case Say(clips=clips):
                found.append("+".join(clip.name for clip in clips if not clip.name.isdigit()))
            case Refer(digits=digits):
                found.append(f"refer:{digits}")
            case Wait(seconds=seconds):
                found.append(f"wait:{seconds:g}")
            case PlayMusic(name=name):
                found.append(f"music:{name}")
            case _:
                found.append(type(action).__name__.lower())
    return ",".join(found)


def run(machine, events):
    """Keys, "." for "all is said", "t" for a time that is up, "y" and "n" for the switch's answer to a REFER."""
    last = machine.start()
    for event in events:
        match event:
            case ".":
                last = machine.said()
            case "t":
                last = machine.timed_out()
            case "y" | "n":
                last = machine.referred(event == "y")
            case "-":
                last = machine.hung_up()
            case key:
                last = machine.digit(key)
    return names(last)


SAY = """
# keys refers events -> last
-      no     -      -> answer,words
-      no     .      -> hangup
-      no     1      -> -
-      no     ..     -> -
3      no     .      -> wait:5
3      no     4      -> -
3      no     .4     -> wait:5
3      no     .t     -> hangup
3      no     .tt    -> -
3      no     3      -> hush,refer:3
3      no     .3     -> hush,refer:3
3      no     .33    -> -
3      no     3t     -> -
3      no     3y     -> endwithin
3      no     3y3    -> -
3      no     3n     -> cannot-connect
3      no     3n.    -> hangup
3      no     3yn    -> -
*#     no     #      -> hush,refer:#
-      yes    .      -> hush,refer:
-      yes    1      -> -
3      yes    3      -> hush,refer:3
3      yes    .y     -> endwithin
-      no     -.     -> -
"""


@pytest.mark.parametrize(("keys", "refers", "events", "last"), cases(SAY))
def test_words_are_said_and_a_key_leads_elsewhere(keys, refers, events, last):
    assert run(Speaking(CLIPS, keys=keys, refers=refers == "yes"), events) == last


MENU = """
# events -> last
-        -> answer,words
.        -> wait:5
1        -> hush,refer:1
.1       -> hush,refer:1
.#       -> hush,refer:#
11       -> -
.4       -> hush,wait:3
.4t      -> invalid-choice+words
.45      -> hush,wait:3
.456     -> hush,refer:456
4567     -> -
451      -> hush,refer:451
4*       -> invalid-choice+words
*        -> invalid-choice+words
.t       -> words
.t.t     -> hush,refer:
.t.*     -> invalid-choice
.t.*1    -> -
.t.*.    -> hush,refer:
.t.*.y   -> endwithin
.*.4t    -> invalid-choice
.*.t     -> hush,refer:
*1       -> hush,refer:1
1y       -> endwithin
1n       -> cannot-connect
1n.      -> hangup
1t       -> -
-1       -> -
"""


@pytest.mark.parametrize(("events", "last"), cases(MENU))
def test_a_menu_takes_choices_and_extensions_and_counts_tries(events, last):
    menu = DigitMenu(CLIPS, choices="12#", extension_digits=3, timeout_s=5, tries=2)
    assert run(menu, events) == last


def test_a_menu_without_extensions_knows_its_choices_only():
    menu = DigitMenu(CLIPS, choices="1", extension_digits=0, timeout_s=2, tries=3)
    assert run(menu, ".4") == "invalid-choice+words"


@given(st.text("0123456789*#ABCD.tyn", max_size=80))
def test_a_menu_that_is_fed_nonsense_ends_with_one_refer_at_most(events):
    menu = DigitMenu(CLIPS, choices="12", extension_digits=3, timeout_s=5, tries=3)
    done = [menu.start()]
    for event in events:
        match event:
            case ".":
                done.append(menu.said())
            case "t":
                done.append(menu.timed_out())
            case "y" | "n":
                done.append(menu.referred(event == "y"))
            case key:
                done.append(menu.digit(key))
    actions = [action for each in done for action in each]
    refers = [action for action in actions if isinstance(action, Refer)]
    assert len(refers) <= 1
    assert all(len(refer.digits) in (0, 1, 3) for refer in refers)
    ends = [action for action in actions if isinstance(action, EndWithin | HangUp)]
    assert not ends or refers


def test_three_silences_end_every_menu():
    menu = DigitMenu(CLIPS, choices="12", extension_digits=3, timeout_s=5, tries=3)
    assert run(menu, ".t.t.t") == "hush,refer:"


def test_a_queue_says_the_place_at_the_start_and_when_it_changes():
    queue = Queueing("waltz", position=3, says_position=True)
    assert names(queue.start()) == "answer,you-are-number+number-3+in-the-queue"
    assert names(queue.said()) == "music:waltz"
    assert names(queue.positioned(2)) == "you-are-number+number-2+in-the-queue"
    assert queue.positioned(1) == []
    assert names(queue.said()) == "you-are-next", "what came while something was said is said after it"
    assert names(queue.said()) == "music:waltz"
    assert names(queue.positioned(0)) == "music:waltz"


def test_a_queue_that_says_nothing_plays_on():
    queue = Queueing("", position=3)
    assert names(queue.start()) == "answer,music:"
    assert names(queue.positioned(2)) == "music:"
    assert queue.digit("1") == []


def test_a_place_with_many_before_it_is_said_in_words():
    assert names(Queueing("", position=121, says_position=True).start()) == (
        "answer,you-are-number+number-1+hundred+and+number-21+in-the-queue"
    )


def test_a_party_joins_and_is_sent_away_when_alone():
    party = Conferring("room")
    assert party.start() == [Answer(), Join("room")]
    assert party.digit("1") == []
    assert party.left_alone() == [HangUp()]
    assert Hush() not in party.hung_up()
