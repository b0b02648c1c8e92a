"""What a plan makes of a call, move by move; and that every plan that is accepted comes to an end."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning.plans.plan import Plan
from provisioning.plans.plan_text import PlanProblems, read_plan
from switch.journey.moves import (
    MOVES_MAX,
    Announce,
    Came,
    Deposit,
    Menu,
    Move,
    Place,
    PlaceKind,
    Pressed,
    Queue,
    Refuse,
    Result,
    Ring,
    Strategy,
)
from switch.journey.plan_walk import PlanWalk
from tests.switch.journey.plan_dice import USERS, Dice, DiceFacts

OFFICE = """
about = "Calls to the main number"
start = "opening"
fallback = "message"

[opening]
hours = "office"
then = "friends"
else = "closed"

[friends]
callers = ["07700 900123", "01632*", "withheld"]
then = "boss"
else = "welcome"

[boss]
line = "1000"
ring = 15
else = "mobile"

[mobile]
number = "07700 900456"
busy = "closed"

[welcome]
menu = "own.welcome"
press = { 1 = "sales", 2 = "support", "*" = "welcome" }
extensions = 4
tries = 2
else = "sales"

[sales]
group = ["line 1001", "line 1002 for 10 s", "number 01632 960009"]
strategy = "in_order"
else = "branch"

[support]
queue = ["line 1003", "line 1004"]
strategy = "round_robin"
waiting_max = 3
full = "branch"
music = "own.jingle"

[branch]
plan = "branch"

[closed]
announce = "closed"

[message]
voicemail = "1000"
"""
BRANCH = """
start = "everybody"
[everybody]
group = ["line 1002", "line 1003"]
"""
MONDAY = 1_795_426_200_000  # 2026-11-23 09:30
SUNDAY = MONDAY - 86_400_000
WORK = DiceFacts(Random(1)).time_sets
L, N = PlaceKind.LINE, PlaceKind.NUMBER


def facts(**known: object) -> DiceFacts:
    usual: dict[str, object] = {
        "caller": "+442079460001",
        "utc_ms": MONDAY,
        "busy": set(),
        "registered": set(USERS),
    }
    return DiceFacts(Random(1), **{**usual, **known})


def walk(
    *results: Result, plans: dict[str, str] | None = None, **known: object
) -> tuple[list[Move], PlanWalk]:
    read = {name: read_plan(text) for name, text in (plans or {"main": OFFICE, "branch": BRANCH}).items()}
    walking = PlanWalk(read, next(iter(read)), facts(**known))
    return [walking.first(), *(walking.next(result) for result in results)], walking


def ring(*users: str, ring_s: int = 20, **settings: bool) -> Ring:
    return Ring(tuple(Place(N if user[0] == "+" else L, user) for user in users), ring_s, **settings)


WELCOME = Menu("own.7.welcome", ("1", "2", "*"), 4, 5, 2)


def test_out_of_hours_the_caller_hears_so_and_that_is_the_end() -> None:
    done, walking = walk(utc_ms=SUNDAY)
    assert done == [Announce("closed", 480, 31)]
    assert walking.notes == [
        "plan 'main' begins at 'opening'",
        "[opening] hours: 'office' says no at Sun 22 Nov 2026 09:30 -> closed",
        "[closed] announce: 'closed'",
    ]


@pytest.mark.parametrize("caller", ["+447700900123", "+441632960555", ""])
def test_a_listed_caller_gets_the_boss_then_the_mobile_then_the_fallback(caller: str) -> None:
    done, walking = walk(Came.NO_ANSWER, Came.NO_ANSWER, Came.FAILED, Came.FAILED, caller=caller)
    assert done[:3] == [ring("1000", ring_s=15), ring("+447700900456"), Deposit("1000")]
    assert done[3] == done[4] == Refuse(480, 31, "the plan has nowhere left to go")
    assert "plan 'main': the fallback, 'message'" in walking.notes


def test_busy_has_a_way_of_its_own() -> None:
    done, _ = walk(Came.NO_ANSWER, Came.BUSY, caller="")
    assert done[-1] == Announce("closed", 480, 31)


def test_a_menu_leads_by_key_and_by_extension() -> None:
    assert walk(Pressed("2"))[0] == [
        WELCOME,
        Queue(
            "main/support",
            (Place(L, "1003"), Place(L, "1004")),
            Strategy.ROUND_ROBIN,
            20,
            3,
            600,
            "own.7.jingle",
            says_position=True,
        ),
    ]
    done, walking = walk(Pressed("1005"), Came.NO_ANSWER)
    assert done == [WELCOME, ring("1005", follows_diverts=True), ring("1001", skips_busy=True)]
    assert "[welcome] menu: the extension 1005 is line 1005, for 20 s" in walking.notes


def test_silence_and_wrong_keys_are_forgiven_as_often_as_the_plan_says() -> None:
    assert walk(Came.NOTHING_PRESSED)[0] == [WELCOME, ring("1001", skips_busy=True)]
    assert walk(Pressed("9"), Pressed("4711"))[0] == [WELCOME, WELCOME, ring("1001", skips_busy=True)]
    assert walk(Pressed("\x1b[2J"))[1].notes[-2] == "[welcome] menu: a key that is none leads nowhere"


def test_an_extension_has_as_many_digits_as_the_menu_says_and_is_a_line_of_the_account() -> None:
    text = 'start="m"\n[m]\nmenu="welcome"\nextensions={}\nelse="v"\ntries=1\n[v]\nvoicemail="1001"\n'
    three, prefixed = text.format(3), text.format('2\nextension_prefix="10"')
    assert walk(Pressed("1005"), plans={"a": three})[0][1] == Deposit("1001")
    assert walk(Pressed("05"), plans={"a": prefixed})[0][1] == ring("1005", follows_diverts=True)
    assert walk(Pressed("99"), plans={"a": prefixed})[0][1] == Deposit("1001")


def test_who_has_no_number_withholds_none() -> None:
    """A line without a number of its own, a call from abroad: for diverts it is the same."""
    done, walking = walk(caller="", is_withheld=False)
    assert done == [WELCOME]
    assert "[friends] callers: a caller without a number is not in the list -> welcome" in walking.notes


def test_a_group_in_order_rings_one_after_the_other_and_goes_on() -> None:
    done, _ = walk(Pressed("1"), *[Came.NO_ANSWER] * 4)
    assert done[1:] == [
        ring("1001", skips_busy=True),
        ring("1002", ring_s=10, skips_busy=True),
        ring("+441632960009", skips_busy=True),
        ring("1002", "1003", skips_busy=True),
        Deposit("1000"),  # back from the branch, which has no fallback of its own
    ]


def test_who_is_busy_or_away_is_left_out_with_a_note() -> None:
    done, walking = walk(Pressed("1"), busy={"1001"}, registered={"1001"})
    assert done[-1] == ring("+441632960009", skips_busy=True)
    assert "[sales] group: line 1001 is busy" in walking.notes
    assert "[sales] group: line 1002 is not registered" in walking.notes
    done, walking = walk(busy={"1000"}, plans={"a": 'start="g"\n[g]\ngroup=["line 1000"]\n'})
    assert done == [Refuse(486, 17, "the plan has nowhere left to go")]


@pytest.mark.parametrize(
    ("strategy", "turns", "first"),
    [("round_robin", 0, "1001"), ("round_robin", 5, "1003"), ("longest_idle", 0, "1002")],
)
def test_whose_turn_it_is(strategy: str, turns: int, first: str) -> None:
    members = '"number 01632 960001", "line 1001", "line 1002", "line 1003"'
    group = f'start="g"\n[g]\ngroup=[{members}]\nstrategy="{strategy}"\n'
    if strategy == "round_robin":
        group = group.replace('"number 01632 960001", ', "")
    rested = {"1001": 500, "1002": 0, "1003": 400}
    done, _ = walk(*[Came.NO_ANSWER] * 3, plans={"a": group}, turns={"a/g": turns}, rested=rested)
    assert isinstance(done[0], Ring) and done[0].places[0].value == first
    if strategy == "longest_idle":
        order = [move.places[0].value for move in done if isinstance(move, Ring)]
        assert order == ["1002", "1003", "1001", "+441632960001"]


def test_turns_are_taken_from_call_to_call() -> None:
    plan = {"a": read_plan('start="g"\n[g]\ngroup=["line 1001", "line 1002"]\nstrategy="round_robin"\n')}
    known = facts()
    firsts = [PlanWalk(plan, "a", known).first() for _ in range(4)]
    assert [move.places[0].value for move in firsts if isinstance(move, Ring)] == ["1001", "1002"] * 2


def test_a_split_keeps_its_parts() -> None:
    plan = read_plan(
        'start="s"\n[s]\nsplit={ north = 30, south = 70 }\n[north]\nline="1001"\n[south]\nline="1002"\n'
    )
    known = facts()
    firsts = [PlanWalk({"a": plan}, "a", known).first() for _ in range(2000)]
    north = sum(isinstance(move, Ring) and move.places[0].value == "1001" for move in firsts)
    assert 520 < north < 680


@pytest.mark.parametrize(
    ("drawn", "user"), [(0.0, "1001"), (0.2999, "1001"), (0.3, "1002"), (0.999999, "1002")]
)
def test_a_split_at_its_edges(drawn: float, user: str) -> None:
    plan = read_plan('start="s"\n[s]\nsplit={ n = 30, s2 = 70 }\n[n]\nline="1001"\n[s2]\nline="1002"\n')
    walking = PlanWalk({"a": plan}, "a", facts(random=lambda: drawn))
    assert walking.first() == ring(user, follows_diverts=True)
    assert walking.notes[1].startswith(f"[s] split: {int(drawn * 100)} of 100 -> ")


def test_words_before_the_call_goes_on() -> None:
    text = 'start="a"\n[a]\nannounce="welcome"\nthen="b"\n[b]\nline="1001"\n'
    for result in (Came.NOTHING_PRESSED, Came.FAILED):
        assert walk(result, plans={"a": text})[0] == [
            Menu("welcome", (), 0, 0, 1),
            ring("1001", follows_diverts=True),
        ]
    otherwise = text.replace('then="b"', 'then="b"\nelse="c"') + '[c]\nvoicemail="1002"\n'
    assert walk(Came.FAILED, plans={"a": otherwise})[0][1] == Deposit("1002")


def test_a_full_queue_and_one_that_took_too_long() -> None:
    assert walk(Pressed("2"), Came.QUEUE_FULL)[0][-1] == ring("1002", "1003", skips_busy=True)
    assert walk(Pressed("2"), Came.WAITED_TOO_LONG)[0][-1] == Deposit("1000")


def test_a_time_set_that_is_gone_is_nobodys_hour() -> None:
    done, walking = walk(plans={"a": 'start="h"\n[h]\nhours="lunch"\nthen="v"\n[v]\nvoicemail="1001"\n'})
    assert done == [Refuse(480, 31, "the plan has nowhere left to go")]
    assert "there is no time set 'lunch'" in walking.notes[1]


def test_a_plan_that_is_gone_and_plans_in_a_circle() -> None:
    assert isinstance(PlanWalk({}, "main", facts()).first(), Refuse)
    circle = {
        "a": 'start="p"\n[p]\nplan="b"\nelse="v"\n[v]\nvoicemail="1001"\n',
        "b": 'start="p"\n[p]\nplan="a"\n',
    }
    done, walking = walk(plans=circle)
    assert done == [Deposit("1001")]
    assert any("too many plans within each other" in note for note in walking.notes)


def test_a_plan_that_rings_in_a_circle_ends_at_the_limit_of_moves() -> None:
    text = 'start="a"\n[a]\nline="1001"\nelse="b"\n[b]\nline="1002"\nelse="a"\n'
    done, _ = walk(*[Came.NO_ANSWER] * 60, plans={"a": text})
    assert [type(move) for move in done[: MOVES_MAX + 1]] == [Ring] * (MOVES_MAX - 1) + [Refuse] * 2
    assert done[-1] == Refuse(480, 19, "the plan leads on and on")


def accepted_plans(dice: Dice) -> dict[str, Plan]:
    plans = {}
    for name, text in dice.account_plans().items():
        try:
            plans[name] = read_plan(text)
        except PlanProblems as found:
            assert all("by decisions alone" in problem.found for problem in found.problems), (
                text,
                str(found),
            )
    return plans


@given(st.randoms(use_true_random=False))
@settings(max_examples=400, deadline=None)
def test_every_plan_that_is_accepted_ends_whatever_comes_of_its_moves(random: Random) -> None:
    dice = Dice(random)
    plans = accepted_plans(dice)
    walking = PlanWalk(plans, "p0", DiceFacts(random))
    made: list[Move] = [walking.first()]
    while not isinstance(made[-1], Refuse) and len(made) <= MOVES_MAX:
        made.append(walking.next(dice.result()))
    assert len(made) <= MOVES_MAX
    assert isinstance(made[-1], Refuse)
    assert walking.next(Came.FAILED) is made[-1]
    assert all(note.isprintable() for note in walking.notes)
    for move in made:
        if isinstance(move, Ring):
            assert move.places and move.ring_s > 0


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_the_same_seed_gives_the_same_moves(seed: int) -> None:
    def once() -> tuple[list[Move], list[str]]:
        dice = Dice(Random(seed))
        walking = PlanWalk(accepted_plans(dice), "p0", DiceFacts(Random(seed)))
        return [walking.first(), *(walking.next(dice.result()) for _ in range(10))], walking.notes

    assert once() == once()
