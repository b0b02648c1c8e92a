"""Which divert applies: a table of what a line can come to, and for whom and when a rule is."""

import pytest

from provisioning.model import Divert, DivertKind
from switch.calls.callee_leg import LegOutcome
from switch.calls.divert import condition_of, condition_of_refusal, rules_for
from switch.calls.identity import CallerId
from switch.calls.refusal import CALLEE_FULL, NOT_REGISTERED, SUSPENDED
from switch.journey.time_sets import TimeSets
from tests.switch.house import make_line
from tests.switch.voicemail_stand_in import BUSY, NO_REPLY, UNREACHABLE

# --- the table

OUTCOMES = """
# status  cause  whose   rung  -> condition
  486     17     peer    no    -> busy
  486     17     peer    yes   -> busy
  600     17     peer    no    -> none
  603     21     peer    yes   -> declined
  480     18     peer    no    -> unreachable
  480     18     peer    yes   -> no_reply
  408     102    peer    yes   -> no_reply
  408     102    ours    no    -> unreachable
  480     19     ours    yes   -> no_reply
  480     19     ours    no    -> no_reply
  480     20     ours    no    -> unreachable
  503     20     ours    no    -> unreachable
  503     41     peer    no    -> unreachable
  500     41     peer    yes   -> unreachable
  430     127    peer    no    -> unreachable
  404     1      peer    no    -> unreachable
  410     22     peer    no    -> unreachable
  487     19     ours    yes   -> none
  302     16     peer    no    -> none
  401     21     peer    no    -> none
  415     79     peer    no    -> none
  488     65     peer    no    -> none
  606     65     peer    no    -> none
  604     1      peer    no    -> none
"""


@pytest.mark.parametrize(
    ("status", "cause", "whose", "rung", "expected"),
    [
        tuple(word for word in line.split() if word != "->")
        for line in OUTCOMES.strip().split("\n")
        if not line.startswith("#")
    ],
)
def test_what_a_failure_means(status: str, cause: str, whose: str, rung: str, expected: str) -> None:
    outcome = LegOutcome(int(status), int(cause), "", is_ours=whose == "ours")
    found = condition_of(outcome, has_rung=rung == "yes")
    assert (found.value if found is not None else "none") == expected


def test_what_a_refusal_means() -> None:
    assert condition_of_refusal(NOT_REGISTERED) is UNREACHABLE
    assert condition_of_refusal(CALLEE_FULL) is BUSY
    assert condition_of_refusal(SUSPENDED) is None


CALLER = CallerId("+441632960001", "+441632960001", is_withheld=False)
WITHHELD = CallerId("+441632960001", "+441632960001", is_withheld=True)


class Night(TimeSets):
    """Open for odd milliseconds."""

    def is_in(self, name: str, utc_ms: int) -> bool:
        assert name == "night"
        return utc_ms % 2 == 1


def applies(rule: dict[str, object], caller: CallerId = CALLER, called: str = "", at_ms: int = 0) -> bool:
    divert = Divert(BUSY, DivertKind.VOICEMAIL, **rule)
    line = make_line("bob", diverts=(Divert(NO_REPLY, DivertKind.VOICEMAIL, ring_s=9), divert))
    return rules_for(line, BUSY, caller_id=caller, called=called, at_ms=at_ms, time_sets=Night()) == [divert]


@pytest.mark.parametrize(
    ("sources", "caller", "expected"),
    [
        ((), WITHHELD, True),
        (("+441632960001",), CALLER, True),
        (("+441632960002", "+44163296*"), CALLER, True),
        (("+441632960002",), CALLER, False),
        (("+44163296*",), WITHHELD, False),  # nobody learns who withheld by what becomes of his call
        (("withheld",), WITHHELD, True),
        (("withheld",), CALLER, False),
    ],
)
def test_for_whom_a_rule_is(sources: tuple[str, ...], caller: CallerId, expected: bool) -> None:
    assert applies({"sources": sources}, caller) is expected


def test_for_which_number_and_when_a_rule_is() -> None:
    assert applies({"ddis": ("+441632960002",)}, called="+441632960002")
    assert not applies({"ddis": ("+441632960002",)}, called="+441632960003")
    assert not applies({"ddis": ("+441632960002",)})
    assert applies({"time_set": "night"}, at_ms=1)
    assert not applies({"time_set": "night"}, at_ms=2)
    assert not applies({"is_enabled": False})


def test_the_destinations_of_a_condition_keep_their_order() -> None:
    diverts = tuple(Divert(BUSY, DivertKind.NUMBER, f"+44163296000{n}") for n in (3, 1, 2))
    line = make_line("bob", diverts=diverts)
    found = rules_for(line, BUSY, caller_id=CALLER, called="", at_ms=0, time_sets=Night())
    assert tuple(found) == diverts
