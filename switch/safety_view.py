"""What keeps an account from harm, as its operator sees it: caps and what is spent, bars, and the automatic one.

Answers of the control socket, from memory.
"""

from typing import TYPE_CHECKING

import msgspec

from provisioning.settings import Bar

if TYPE_CHECKING:
    from provisioning.model import Account
    from switch.exchange import Exchange


class FraudBarView(msgspec.Struct, frozen=True):
    """An account that is barred automatically from calls abroad and to high-cost destinations."""

    account: str
    account_id: int
    rule: str
    since_ms: int
    until_ms: int


def account_safety(exchange: "Exchange", account: "Account") -> dict[str, object]:
    """For `offhook account show`. Usage includes what live calls hold, as the caps do."""
    totals = exchange.engine.totals(account.id)
    assert totals is not None
    settings = account.settings
    bar = exchange.board.safety.bar_of(account.id)
    return {
        "day_micros": totals.day_micros + totals.reserved_micros,
        "month_micros": totals.month_micros + totals.reserved_micros,
        "daily_cap_micros": settings.daily_cap_micros,
        "monthly_cap_micros": settings.monthly_cap_micros,
        "bars": [_words(each) for each in settings.bars],
        "operator_bars": [_words(each) for each in settings.operator_bars],
        "opted_in": list(settings.opted_in),
        "fraud_bar": bar.rule if bar is not None else "",
        "fraud_bar_until_ms": bar.until_ms if bar is not None else None,
    }


def fraud_bars(exchange: "Exchange") -> list[FraudBarView]:
    """Those in force."""
    accounts = exchange.books.accounts
    return [
        FraudBarView(
            account=accounts[bar.account_id].name if bar.account_id in accounts else "",
            account_id=bar.account_id,
            rule=bar.rule,
            since_ms=bar.since_ms,
            until_ms=bar.until_ms,
        )
        for bar in exchange.board.safety.fraud_bars
    ]


def _words(bar: Bar) -> str:
    return f"{bar.what} ({bar.time_set})" if bar.time_set else bar.what
