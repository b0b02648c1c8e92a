"""Plans as people write them: what is read, and every mistake with its node, key and value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.plans.node_text import KINDS
from provisioning.plans.plan import (
    Callers,
    Group,
    Line,
    Member,
    MemberKind,
    Menu,
    Plan,
    Queue,
    Share,
    Split,
    Strategy,
    lines_of,
    plans_of,
    prompts_of,
    time_sets_of,
)
from provisioning.plans.plan_text import (
    NODES_MAX,
    TEXT_BYTES_MAX,
    PlanProblems,
    examine_plan,
    read_plan,
    unused_nodes,
)

LINE, NUMBER = MemberKind


def node(text: str) -> object:
    """The node that this is, in a plan where a, b and c are others."""
    others = "".join(f'[{name}]\nvoicemail = "1001"\n' for name in "abc")
    return read_plan(f'start = "it"\n[it]\n{text}\n{others}').nodes["it"]


def test_numbers_are_taken_in_any_spelling() -> None:
    assert node(
        'callers = ["07700 900123", "+44 (0)1632 960001", "01632*", "0033*", "withheld", "01632 *"]\nthen = "a"'
    ) == (Callers(("+447700900123", "+441632960001", "+441632*", "+33*", "withheld"), "a"))
    assert node(
        'group = ["line 1001", "number 07700 900123 for 30 s", "line a.b for 5"]\nstrategy = "in_order"'
    ) == Group(
        (Member(LINE, "1001"), Member(NUMBER, "+447700900123", 30), Member(LINE, "a.b", 5)), Strategy.IN_ORDER
    )


def test_a_line_that_says_what_is_next_does_not_follow_its_own_diverts() -> None:
    assert node('line = "1001"') == Line("1001", follows_diverts=True)
    assert node('line = "1001"\nelse = "a"') == Line("1001", otherwise="a")
    assert node('line = "1001"\nbusy = "a"\ndiverts = true') == Line("1001", busy="a", follows_diverts=True)


def test_the_rest_of_the_nodes() -> None:
    assert node("split = { a = 60, b = 40 }") == Split((Share(60, "a"), Share(40, "b")))
    assert node(
        'menu = "own.x"\npress = { 1 = "a", "#" = "b" }\nextensions = 3\nextension_prefix = "acme-"'
    ) == Menu("own.x", {"1": "a", "#": "b"}, 3, "acme-")
    assert node('queue = ["line 1001"]\nwait_max = 60\nsay_position = false\nfull = "a"') == Queue(
        (Member(LINE, "1001"),), wait_s_max=60, says_position=False, full="a"
    )


def test_what_a_plan_names() -> None:
    plan = read_plan("""
    start = "h"
    [h]
    hours = "office"
    then = "g"
    else = "w"
    [g]
    group = ["line 1001", "number 01632 960001"]
    else = "v"
    [v]
    voicemail = "1002"
    [w]
    announce = "closed"
    then = "o"
    [o]
    plan = "night"
    [unused]
    announce = "own.x"
    """)
    assert (lines_of(plan), time_sets_of(plan)) == ({"1001": "g", "1002": "v"}, {"office": "h"})
    assert (plans_of(plan), prompts_of(plan)) == ({"night": "o"}, {"closed": "w"})
    assert unused_nodes(plan) == ["unused"]


MISTAKES = [
    ("", "start: found none, expected the name of the node that calls come to first"),
    ("start = 3", "start: found 3, expected the name of a node"),
    ('start = "a"', "start: found 'a', expected the name of a node of this plan"),
    ('start = "its"\n[it]\nline="1001"', "start: found 'its', expected perhaps it"),
    (
        'start = "it"\nfallback = "x"\n[it]\nline="1001"',
        "fallback: found 'x', expected the name of a node of this plan",
    ),
    (
        'start = "it"\nname = "x"\n[it]\nline="1001"',
        "name: found an unknown key, expected one of start, fallback, about",
    ),
    ("start = ", "found a text that is not TOML, expected Invalid value (at end of document)"),
    (
        'start = "It"\n[It]\nline="1001"',
        "[It]: found 'It', expected a name of 1 to 40 small letters, digits, - and _",
    ),
    ("[it]\nring = 3", "[it]: found nothing that says what it does, expected exactly one of"),
    ('[it]\nline = "1001"\nvoicemail = "1001"', "[it]: found line and voicemail, expected exactly one of"),
    ('[it]\nline = "1001"\nrings = 3', "[it] rings: found an unknown key, expected perhaps ring"),
    ('[it]\nline = "1001"\nring = 4', "[it] ring: found 4, expected a whole number from 5 to 120"),
    ('[it]\nline = "1001"\nring = true', "[it] ring: found true, expected a whole number from 5 to 120"),
    ('[it]\nline = "Bob!"', "[it] line: found 'Bob!', expected 1 to 64 lower-case letters"),
    ('[it]\nline = "999"', "[it] line: found '999', expected a name that is not an emergency number"),
    (
        '[it]\nline = "1001"\nelse = "nobody"',
        "[it] else: found 'nobody', expected the name of a node of this plan",
    ),
    ('[it]\nnumber = "999"', "[it] number: found '999', expected a telephone number"),
    ('[it]\nnumber = "118500"', "[it] number: found '118500', expected a telephone number"),
    (
        '[it]\nnumber = "0909 8790123"',
        "[it] number: found '0909 8790123', expected a number that is no premium rate number",
    ),
    ('[it]\nhours = "office"', "[it] then: found none, expected the name of the node that is next"),
    ('[it]\nhours = "O"\nthen = "it"', "[it] hours: found 'O', expected a name of 1 to 40"),
    ('[it]\ncallers = []\nthen = "it"', "[it] callers: found [], expected a list of 1 to 500"),
    ('[it]\ncallers = ["x*"]\nthen = "it"', "[it] callers: found 'x*', expected a number, a beginning"),
    (
        '[it]\ncallers = ["withheld"]\nthen = "it"',
        "[it]: found a way back to itself by decisions alone: it to it",
    ),
    ("[it]\nsplit = { it = 99 }", "[it] split: found 99, expected parts that are 100 together"),
    ("[it]\nsplit = { it = 100.0 }", "[it] split: found a table, expected a whole number from 1 to 100"),
    ('[it]\ngroup = ["1001"]', '[it] group: found \'1001\', expected "line USER" or "number NUMBER"'),
    (
        '[it]\ngroup = ["line 1001 for 3 s"]',
        "[it] group: found 'line 1001 for 3 s', expected a time from 5 to 120 s",
    ),
    (
        '[it]\ngroup = ["line 1001 for 10 s"]',
        "[it] group: found line 1001 for 10 s, expected one ring for all",
    ),
    (
        '[it]\ngroup = ["line 1001", "line 1001"]',
        "[it] group: found line 1001 twice, expected each of them once",
    ),
    (
        '[it]\ngroup = ["line 1001"]\nstrategy = "all"',
        "[it] strategy: found 'all', expected one of \"together\"",
    ),
    (
        '[it]\nqueue = ["line 1001"]\nwaiting_max = 101',
        "[it] waiting_max: found 101, expected a whole number from 1 to 100",
    ),
    ('[it]\nmenu = "welcome"', "[it] menu: found nothing to press, expected press, or extensions"),
    (
        '[it]\nmenu = "welcome"\npress = { 12 = "it" }',
        "[it] press: found '12', expected a key of a telephone",
    ),
    (
        '[it]\nmenu = "welcome"\npress = { 1 = "x" }',
        "[it] press: found 'x', expected the name of a node of this plan",
    ),
    ('[it]\nmenu = "../x"\npress = { 1 = "it" }', "[it] menu: found '../x', expected a name of 1 to 40"),
    ('[it]\nannounce = "own."', "[it] announce: found 'own.', expected a name of 1 to 40"),
    ('about = "\\u0007"\n[it]\nline="1001"', "about: found '\\x07', expected a text"),
    ('["a\\nb"]\nline = "1001"', "[a\\nb]: found 'a\\nb', expected a name of 1 to 40"),
]


@pytest.mark.parametrize(("text", "problem"), MISTAKES, ids=[problem for _, problem in MISTAKES])
def test_a_mistake_is_named(text: str, problem: str) -> None:
    start = "" if "start" in text.partition("[")[0] or not text else 'start = "it"\n'
    _, problems = examine_plan(start + text)
    told = [str(each) for each in problems]
    assert any(each.startswith(problem) for each in told), told


def test_all_of_them_at_once() -> None:
    with pytest.raises(PlanProblems) as found:
        read_plan(
            'start = "x"\n[a]\nline = "?"\nring = 1\n[b]\nthen = "c"\n[c]\nvoicemail = "1001"\nelse = "d"\n'
        )
    assert [(problem.node, problem.key) for problem in found.value.problems] == [
        ("a", "line"),
        ("a", "ring"),
        ("b", ""),
        ("c", "else"),
        ("", "start"),
    ]


def test_decisions_in_a_circle_are_told_once() -> None:
    text = 'start = "a"\n' + "".join(
        f'[{name}]\nhours = "office"\nthen = "{after}"\n' for name, after in ("ab", "bc", "ca")
    )
    _, problems = examine_plan(text)
    assert [str(problem) for problem in problems] == [
        "[a]: found a way back to itself by decisions alone: a to b to c to a,"
        " expected a way that comes to somebody or something"
    ]


def test_a_way_into_a_circle_is_no_circle_of_its_own() -> None:
    text = 'start = "a"\n' + "".join(
        f'[{name}]\nhours = "office"\nthen = "{after}"\n' for name, after in ("ab", "bc", "cb")
    )
    assert [problem.node for problem in examine_plan(text)[1]] == ["b"]


def test_limits() -> None:
    many = 'start = "n0"\n' + "".join(f'[n{n}]\nline = "1001"\n' for n in range(NODES_MAX + 1))
    assert f"found {NODES_MAX + 1} nodes, expected at most {NODES_MAX}" in [
        str(p) for p in examine_plan(many)[1]
    ]
    assert examine_plan("#" * (TEXT_BYTES_MAX + 1))[0] is None
    assert examine_plan("a = " + "[" * 20_000)[0] is None


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=12)
    | st.sampled_from(["1001", "it", "line 1001"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from(list(KINDS)),
    VALUES,
    st.dictionaries(st.sampled_from(["ring", "press", "then", "else"]), VALUES),
)
def test_no_value_is_too_strange(kind: str, value: object, more: dict[str, object]) -> None:
    """As tomllib could give them."""
    from provisioning.plans.node_text import NodeText  # noqa: PLC0415

    reading = NodeText({kind: value, **more}, kind)
    assert (reading.node() is None) == bool(reading.problems)
    assert all(found.isprintable() for _, found, _ in reading.problems)


@given(st.text(max_size=200))
def test_no_text_is_too_strange(text: str) -> None:
    plan, problems = examine_plan(text)
    assert plan is None or isinstance(plan, Plan)
    assert problems
