"""What is on record of a call against what must be: status, cause, times and money, leg by leg. Pure."""

from collections.abc import Sequence
from typing import Any

from sipp_scenarios.prices import price_of
from sipp_scenarios.scenarios import Leg, Scenario

# SIPp's pauses are exact; what a loaded machine adds between two SIPps and an exchange is not.
TALK_SLACK_S = 1.5
# Two clocks meet in one record: UTC times are the monotonic clock plus an offset kept to the millisecond.
CLOCK_SLACK_MS = 50

Record = dict[str, Any]


def problems_of_records(
    scenario: Scenario, records: Sequence[Record], *, talk_slack_s: float = TALK_SLACK_S
) -> list[str]:
    """Everything that is wrong with the records of the scenario's call; the caller's leg comes first."""
    if len(records) != len(scenario.legs):
        return [f"{len(records)} records, expected {len(scenario.legs)}"]
    found: list[str] = []
    for number, (leg, record) in enumerate(zip(scenario.legs, records, strict=True)):
        problems = [
            *_problems_of_outcome(number, leg, record),
            *_problems_of_times(leg, record, talk_slack_s),
            *_problems_of_money(scenario, leg, record),
        ]
        found += [f"leg {number}: {problem}" for problem in problems]
    return found


def cost_micros(records: Sequence[Record]) -> int:
    return sum(record["cost_micros"] for record in records)


def _problems_of_outcome(number: int, leg: Leg, record: Record) -> list[str]:
    expected = {
        "leg": number,
        "outcome": leg.outcome,
        "sip_status": leg.sip_status,
        "q850_cause": leg.cause,
        "ended_by": leg.ended_by,
        "is_recovered": False,
    }
    wrong = [
        f"{name} is {record[name]!r}, expected {value!r}"
        for name, value in expected.items()
        if record[name] != value
    ]
    if not record["reason"]:
        wrong.append("no reason in plain English")
    return wrong


def _problems_of_times(leg: Leg, record: Record, talk_slack_s: float) -> list[str]:
    answered_ms, duration_ms = record["answered_at_ms"], record["duration_ms"]
    found: list[str] = []
    times = [
        ms
        for ms in (record["setup_at_ms"], record["ringing_at_ms"], answered_ms, record["ended_at_ms"])
        if ms is not None
    ]
    if times != sorted(times):
        found.append(f"times out of order: {times}")
    if leg.talk_s is None:
        if answered_ms is not None or duration_ms:
            found.append(f"answered at {answered_ms} for {duration_ms} ms, but nobody answered")
        return found
    if answered_ms is None:
        return [*found, "no time of answer"]
    if not leg.talk_s * 1000 <= duration_ms + CLOCK_SLACK_MS <= (leg.talk_s + talk_slack_s) * 1000:
        found.append(f"{duration_ms} ms long, expected {leg.talk_s} s or a little more")
    if abs(record["ended_at_ms"] - answered_ms - duration_ms) > CLOCK_SLACK_MS:
        found.append(
            f"{duration_ms} ms long, but its times are {record['ended_at_ms'] - answered_ms} ms apart"
        )
    if leg.rings and (record["ringing_at_ms"] is None or record["post_dial_delay_ms"] is None):
        found.append("no time of ringing")
    return found


def _problems_of_money(scenario: Scenario, leg: Leg, record: Record) -> list[str]:
    billed_s, cost = record["billed_s"], record["cost_micros"]
    if record["rate_prefix"] != leg.rate:
        return [f"rate {record['rate_prefix']!r}, expected {leg.rate!r}"]
    if not leg.rate or leg.talk_s is None:
        return [f"costs {cost} for {billed_s} s, expected nothing"] if cost or billed_s else []
    price = price_of(leg.rate)
    found: list[str] = []
    expected_s = price.billed_s(record["duration_ms"]) if scenario.billed_s is None else scenario.billed_s
    if billed_s != expected_s:
        found.append(f"{billed_s} s billed, expected {expected_s}")
    if cost != price.cost_micros(billed_s):
        found.append(f"costs {cost}, expected {price.cost_micros(billed_s)}")
    if record["connect_fee_micros"] + record["usage_micros"] != cost:
        found.append("the parts of the price do not add up")
    if not record["tariff"] or not record["tariff_version"]:
        found.append("no tariff named")
    return found
