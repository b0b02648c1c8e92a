"""Faults made on purpose with real phones, each of which the fault desk has to name first, with where it lies."""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from care.explanation.explanation import Explanation
from tests.wire.faults import in_the_call, on_lines, on_the_way
from tests.wire.faults.desk import Desk
from tests.wire.faults.explained import explained
from tests.wire.faults.fault import Fault

# Those that take longest are first, as they decide how long all together take.
SLOW: Final = (
    "phone_gone_in_a_call",
    "refresh_unanswered",
    "ack_never_sent",
    "ack_never_arrives",
    "phone_gone",
)
FAULTS: Final[list[Fault]] = sorted(
    [*on_lines.FAULTS, *on_the_way.FAULTS, *in_the_call.FAULTS], key=lambda fault: fault.name not in SLOW
)
# Most of their time is pauses; more phones than that at once would be late on a small machine.
AT_ONCE: Final = 10

Made = dict[str, Explanation | str]


@pytest.fixture(scope="module")
def made(desk: Desk) -> Made:
    """Every fault's explanation by its name; in place of one that could not be made, why."""

    def make(fault: Fault) -> tuple[str, str, str]:
        try:
            return fault.name, desk.call_id(fault.make(desk)), ""
        except Exception as error:  # noqa: BLE001 - the fault's own test says it
            return fault.name, "", f"{type(error).__name__}: {error}"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = list(pool.map(make, FAULTS))
    done.append(make(in_the_call.LAST_FAULT))
    desk.wait_for_figures()
    found = explained(desk, [call_id for _, call_id, _ in done if call_id])
    return {
        name: found.get(call_id) or problem or f"no record of {call_id}" for name, call_id, problem in done
    }


@pytest.mark.parametrize("fault", [*FAULTS, in_the_call.LAST_FAULT], ids=lambda fault: fault.name)
def test_a_fault_is_named(made: Made, fault: Fault) -> None:
    explanation = made[fault.name]
    assert isinstance(explanation, Explanation), explanation
    assert explanation.findings, explanation.paragraph
    first = explanation.findings[0]
    assert first.name in fault.named, f"{first.name}: {explanation.paragraph}"
    assert first.where == fault.where


def test_the_command_says_the_same(desk: Desk, made: Made) -> None:
    """`offhook call show`, which is asked after the switch has been killed: from the books and the kept traces."""
    call_id = desk.call_id_of_line("behind-alg")
    shown = desk.run_json("call", "show", call_id)
    explanation = made["ack_never_arrives"]
    assert isinstance(explanation, Explanation), explanation
    assert [finding["name"] for finding in shown["findings"]] == [one.name for one in explanation.findings]
    assert explanation.findings[0].title in desk.run("call", "show", call_id)
