from hypothesis import given
from hypothesis import strategies as st

from switch.edge.deadlines import Deadlines


def test_items_are_due_in_the_order_in_which_they_were_started() -> None:
    deadlines: Deadlines[str] = Deadlines(10.0)
    deadlines.start("a", 0.0)
    deadlines.start("b", 1.0)
    deadlines.start("a", 2.0)
    assert deadlines.pop_due(10.9) == []
    assert deadlines.pop_due(11.0) == ["b"]
    assert deadlines.pop_due(12.0) == ["a"]
    assert len(deadlines) == 0


def test_starting_if_absent_keeps_the_first_start() -> None:
    deadlines: Deadlines[str] = Deadlines(10.0)
    deadlines.start_if_absent("a", 0.0)
    deadlines.start_if_absent("a", 5.0)
    assert deadlines.pop_due(10.0) == ["a"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["start", "keep", "cancel"]))))
def test_it_agrees_with_a_plain_table(steps: list[tuple[str, str]]) -> None:
    deadlines: Deadlines[str] = Deadlines(3.0)
    plain: dict[str, float] = {}
    for now, (item, step) in enumerate(steps):
        due = [
            name
            for name, started in sorted(plain.items(), key=lambda entry: entry[1])
            if started + 3.0 <= now
        ]
        assert deadlines.pop_due(float(now)) == due
        for name in due:
            del plain[name]
        match step:
            case "start":
                deadlines.start(item, float(now))
                plain[item] = float(now)
            case "keep":
                deadlines.start_if_absent(item, float(now))
                plain.setdefault(item, float(now))
            case "cancel":
                deadlines.cancel(item)
                plain.pop(item, None)
