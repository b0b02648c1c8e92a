"""The part of `offhook account show` about harm: spending caps and what counts against them, bars, opt-ins."""

from offhook.moments import format_moment
from rating.money import format_pounds


def safety_facts(live: dict[str, object] | None) -> list[tuple[str, str]]:
    """From the running switch's answer; nothing without it, since only it knows what is spent at this moment."""
    if live is None or "day_micros" not in live:
        return []
    facts = [
        ("spent today", _spent(live.get("day_micros"), live.get("daily_cap_micros"))),
        ("spent this month", _spent(live.get("month_micros"), live.get("monthly_cap_micros"))),
        ("bars", _list(live.get("bars"))),
        ("operator's bars", _list(live.get("operator_bars"))),
        ("opted in", _list(live.get("opted_in"))),
    ]
    until = live.get("fraud_bar_until_ms")
    if isinstance(until, int):
        facts.append(("fraud bar", f"{live.get('fraud_bar')}, until {format_moment(until)}"))
    return facts


def _spent(spent: object, cap: object) -> str:
    amount = format_pounds(spent) if isinstance(spent, int) else ""
    return f"{amount} of at most {format_pounds(cap)}" if isinstance(cap, int) else f"{amount}, no cap"


def _list(values: object) -> str:
    return (", ".join(str(value) for value in values) if isinstance(values, list) else "") or "none"
