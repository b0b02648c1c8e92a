"""What is wrong with a case that was played: exit codes, messages, records, money. Pure."""

import re

from sipp_scenarios.prices import micros_of
from sipp_scenarios.records import cost_micros, problems_of_records
from sipp_scenarios.scenarios import Scenario
from tests.wire.sipp_cases.case import Case, Part, Seat
from tests.wire.sipp_cases.stage import PartPlayed, Played
from tests.wire.sipp_cases.trace import heard, repeats_of

TALK_SLACK_S = 20.0  # many SIPps share the machine: how long a call lasts is not what is tested here


def problems_of(played: Played) -> list[str]:
    """One a line; [] when everything is as the table says."""
    case = played.case
    found = list(played.problems)
    if case.caller is not None and played.caller is not None:
        found += _problems_of_part("caller", case.caller, played.caller)
    for number, (part, part_played) in enumerate(zip(case.callees, played.callees, strict=False)):
        found += _problems_of_part(f"callee {number}", part, part_played)
    if len(played.callees) != len(case.callees):
        found.append("not all callees have played")
    if case.registrar is not None and played.registrar is not None:
        found += _problems_of_part("registrar", case.registrar, played.registrar)
    if case.bindings is not None and len(played.bound) != case.bindings:
        found.append(f"bindings are {played.bound}, expected {case.bindings}")
    return found + _problems_of_records(case, played)


def _problems_of_part(name: str, part: Part, played: PartPlayed) -> list[str]:
    found = []
    if played.exit != part.exits:
        found.append(f"exit code {played.exit}, expected {part.exits}: {played.said[-600:]}")
    messages = heard(played.messages)
    labels = ", ".join(message.label for message in messages)
    if part.hears and labels != part.hears:
        found.append(f"heard {labels!r}, expected {part.hears!r}")
    text = "".join(message.text for message in messages)
    found += [f"never heard {wanted!r}" for wanted in part.must_hear if not re.search(wanted, text)]
    found += [f"heard {shunned!r}" for shunned in part.must_not_hear if re.search(shunned, text)]
    for label, least in part.repeats:
        count = repeats_of(played.messages, label)
        if count < least:
            found.append(f"{label} was repeated {count} times, expected {least} at least")
    return [f"{name}: {problem}" for problem in found]


def _problems_of_records(case: Case, played: Played) -> list[str]:
    scenario = Scenario(name=case.name, caller="", legs=case.legs, billed_s=case.billed_s)
    found = problems_of_records(scenario, played.records, talk_slack_s=TALK_SLACK_S)
    if played.records:
        is_line = case.caller is not None and case.caller.seat is Seat.LINE
        caller = played.records[0]["line"] if is_line else played.records[0]["trunk"]
        if caller != (played.user if is_line else "carriers"):
            found.append(f"on record as a call from {caller!r}")
    left = micros_of(case.credit) - cost_micros(played.records)
    if played.balance_micros != left:
        found.append(f"the balance is {played.balance_micros}, expected {left}")
    return found
