"""Which trunks a number goes to."""

from hypothesis import given
from hypothesis import strategies as st

from switch.calls.number_plan import NumberPlan
from switch.calls.routing import make_routing

ROUTING = make_routing(
    {
        "+": ("world", "spare"),
        "+44": ("carrier_a", "carrier_b"),
        "+447": ("mobile",),
        "+4498": (),
        "118": ("directory",),
    },
    emergency_trunks=("carrier_a",),
    version="0123456789abcdef",
)


def test_longest_prefix_wins_and_the_order_of_trunks_is_kept() -> None:
    assert ROUTING.targets("+441632960123") == ("carrier_a", "carrier_b")
    assert ROUTING.targets("+447700900123") == ("mobile",)
    assert ROUTING.targets("+12025550123") == ("world", "spare")


def test_empty_list_closes_a_range_that_a_shorter_prefix_opens() -> None:
    assert ROUTING.targets("+449812345678") == ()


def test_short_codes_have_routes_of_their_own() -> None:
    assert ROUTING.targets("118500") == ("directory",)
    assert ROUTING.targets("101") == ()


def test_emergency_numbers_never_go_by_prefix() -> None:
    assert ROUTING.targets("999") == ()
    assert ROUTING.emergency_trunks == ("carrier_a",)


def test_nothing_goes_anywhere_without_routes() -> None:
    assert make_routing({}).targets("+441632960123") == ()
    assert make_routing({}).plan.area_code == NumberPlan().area_code


@given(
    st.dictionaries(
        st.from_regex(r"\+[0-9]{0,4}", fullmatch=True), st.tuples(st.sampled_from("abc")), max_size=20
    ),
    st.from_regex(r"\+[0-9]{4,8}", fullmatch=True),
)
def test_look_up_agrees_with_trying_every_prefix(routes: dict[str, tuple[str, ...]], number: str) -> None:
    matching = [prefix for prefix in routes if number.startswith(prefix)]
    expected = routes[max(matching, key=len)] if matching else ()
    assert make_routing(routes).targets(number) == expected
