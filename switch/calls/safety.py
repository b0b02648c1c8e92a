"""What keeps an account from harm: bars, high-cost destinations, fraud rules, spending caps, and the alarms of all.

`refusal_for` is asked for every leg that an account is to pay, the caller's own, diverted and transferred ones alike;
`leg_begins` and `leg_over` frame it, so that what is up at once can be counted. Emergency calls never come here. Alarms
go to the log, to a metric, and by the journal to the table `alarms`; automatic bars are state of the journal.
"""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from rating.engine import CAP_WARNING_PERCENT, CapWarning, ShortageReason
from rating.money import format_pounds
from rating.records import Alarm
from switch.calls import refusal
from switch.calls.bars import Destination, barred, has_bars, refusal_of
from switch.calls.countries import country_of
from switch.calls.fraud import Velocity
from switch.calls.fraud_record import (
    FRAUD_BAR_KEY,
    FraudBar,
    decode_fraud_bar,
    encode_fraud_bar,
    fraud_bar_key,
)
from switch.calls.high_cost import has_opted_in
from switch.calls.number_plan import E164, NumberClass, Short, read_dialled
from switch.conf_safety import FraudRule

if TYPE_CHECKING:
    from provisioning.model import Account, Line
    from rating.rate import Rate
    from rating.records import Cdr
    from switch.calls.call import Call
    from switch.calls.refusal import Refusal
    from switch.calls.switchboard import Put, Switchboard
    from switch.calls.terms import Admission, Price

HOUR_MS: Final = 3_600_000
CLEARED: Final = "cleared"
FAIR_USE: Final = "fair_use"
_CAP_NAMES: Final = {ShortageReason.DAILY_CAP: "daily", ShortageReason.MONTHLY_CAP: "monthly"}
_WORDS: Final = {
    FraudRule.NEW_HIGH_COST: "many calls to dear destinations that are new for the account",
    FraudRule.SHORT_CALLS: "many answered calls that ended at once",
    FraudRule.COUNTRIES_AT_ONCE: "calls to different countries at the same moment",
}

log = structlog.get_logger("switch.safety")


class _Leg:
    """A leg that the rules count while it is there: to abroad or to a high-cost destination."""

    __slots__ = ("account_id", "country", "is_high_cost")

    def __init__(self, account_id: int, country: str, *, is_high_cost: bool) -> None:
        self.account_id = account_id
        self.country = country
        self.is_high_cost = is_high_cost


class Safety:
    """One per switchboard. `alarms` counts by rule since the start."""

    __slots__ = ("_bars", "_board", "_legs", "_said", "alarms", "of_high_cost", "velocity")

    def __init__(self, board: "Switchboard") -> None:
        self._board = board
        self._legs: dict[str, _Leg] = {}  # by the leg's key; as many as there are such legs
        self._bars: dict[int, FraudBar] = {}  # one an account at most
        self._said: dict[tuple[int, str], int] = {}  # account and rule -> when; swept
        self.of_high_cost: Counter[int] = Counter()
        self.velocity = Velocity()
        self.alarms: Counter[str] = Counter()

    # Asked before a leg

    def refusal_for(
        self, line: "Line", account: "Account | None", destination: Destination, now: float
    ) -> "Refusal | None":
        """Whether this line may have a leg to this destination (None: a line of the exchange), for this account."""
        if has_bars(line, account):
            stopped = barred(line, account, destination, self._board.clock.ms(now), self._board.conf.time_sets)
            if stopped is not None:
                return refusal_of(stopped)
        if destination is None or account is None:
            return None
        safety = self._board.conf.safety
        entry = safety.high_cost.find(destination)
        if not entry and destination.number_class is not NumberClass.INTERNATIONAL:
            return None
        if entry and not has_opted_in(account, destination):
            return msgspec.structs.replace(
                refusal.NOT_OPTED_IN,
                words=f'the account has not asked for the high-cost destination "{entry}"',
            )
        bar = self._bars.get(account.id)
        if bar is not None and bar.until_ms > self._board.clock.ms(now):
            words = f"calls abroad and to high-cost destinations are stopped on suspicion of fraud ({bar.rule})"
            return msgspec.structs.replace(refusal.FRAUD_BAR, words=f"{words}; the operator can lift it")
        if entry and self.of_high_cost[account.id] >= safety.high_cost_calls_per_account_max:
            return refusal.HIGH_COST_FULL
        return None

    def onward_refusal(
        self, line: "Line", account: "Account | None", number: str, now: float
    ) -> "Refusal | None":
        """Whether this line may send a call on to a number, "" for a line of the exchange."""
        return self.refusal_for(line, account, self._destination(number), now)

    def _destination(self, number: str) -> Destination:
        found = read_dialled(number, self._board.conf.routing.plan).destination if number else None
        return found if isinstance(found, (E164, Short)) else None

    # While a leg is there

    def call_begins(self, call: "Call", admission: "Admission") -> None:
        """A call that leaves the exchange: for what nobody pays, emergency calls among it, no rule is meant."""
        destination, price = call.attempt.plan_result.destination, admission.price
        if price.account_id is not None and isinstance(destination, (E164, Short)):
            self.leg_begins(call.id, price.account_id, destination, price.rate, call.caller_leg.setup_at)

    def onward_begins(self, key: str, onward: "Admission", now: float, *, is_again: bool) -> None:
        """A leg that an account sends a call on to; `is_again`: by the next carrier, after another did not take it."""
        price = onward.price
        if onward.route.line is None and price.account_id is not None:
            destination = self._destination(onward.route.number)
            if destination is not None:
                self.leg_begins(key, price.account_id, destination, price.rate, now, is_again=is_again)

    def leg_begins(
        self,
        key: str,
        account_id: int,
        destination: E164 | Short,
        rate: "Rate | None",
        now: float,
        *,
        is_again: bool = False,
    ) -> None:
        """`key` is the leg's own: `leg_over` repeats it. Legs to ordinary destinations are not kept."""
        entry = self._board.conf.safety.high_cost.find(destination)
        is_abroad = destination.number_class is NumberClass.INTERNATIONAL
        if not (entry or is_abroad):
            return
        limits = self._board.conf.safety.fraud
        at_ms = self._board.clock.ms(now)
        country = country_of(destination.number) if is_abroad else ""
        self._legs[key] = _Leg(account_id, country, is_high_cost=bool(entry))
        if entry:
            self.of_high_cost[account_id] += 1
        is_dear = entry or (rate is not None and rate.dearest_per_minute_micros >= limits.dear_per_minute)
        if is_dear and not is_again:
            prefix = rate.prefix if rate is not None else country
            self._broken(account_id, self.velocity.dear_call(account_id, prefix, at_ms, limits), at_ms)
        if is_abroad:
            self._broken(account_id, self.velocity.foreign_call(account_id, country, at_ms, limits), at_ms)

    def leg_over(self, key: str) -> None:
        """A leg has ended; a key that was not kept is no fault."""
        leg = self._legs.pop(key, None)
        if leg is None:
            return
        if leg.is_high_cost:
            self.of_high_cost[leg.account_id] -= 1
            if not self.of_high_cost[leg.account_id]:
                del self.of_high_cost[leg.account_id]
        if leg.country:
            self.velocity.foreign_call_over(leg.account_id, leg.country)

    def call_over(self, call: "Call", admission: "Admission") -> None:
        """Its first record is complete: what it lasted is known."""
        if self._legs:
            self.leg_over(call.id)
        self._note_short(call.rows[0], admission.price)

    def onward_over(self, row: "Cdr", onward: "Admission") -> None:
        """The same for a leg that an account sent a call on to."""
        if onward.route.line is None:
            self._note_short(row, onward.price)

    def _note_short(self, row: "Cdr", price: "Price") -> None:
        limits = self._board.conf.safety.fraud
        if row.answered_at_ms is None or row.duration_ms >= limits.short_call_s * 1000:
            return
        if price.account_id is not None and price.rate is not None and not price.rate.is_free:
            rule = self.velocity.short_call(price.account_id, row.ended_at_ms, limits)
            self._broken(price.account_id, rule, row.ended_at_ms)

    # Alarms

    def _broken(self, account_id: int, rule: FraudRule | None, at_ms: int) -> None:
        if rule is None:
            return
        settings = self._board.conf.safety.fraud
        bar = None
        if rule in settings.bar_on and account_id not in self._bars:
            bar = FraudBar(account_id, rule.value, at_ms, at_ms + settings.bar_h * HOUR_MS)
            self._bars[account_id] = bar
        said_ms = self._said.get((account_id, rule.value))
        if bar is None and said_ms is not None and 0 <= at_ms - said_ms < settings.alarm_again_s * 1000:
            return
        self._said[account_id, rule.value] = at_ms
        self._raise(account_id, rule.value, _WORDS[rule], at_ms, bar)

    def _raise(self, account_id: int, rule: str, words: str, at_ms: int, bar: FraudBar | None = None) -> None:
        self.alarms[rule] += 1
        until_ms = bar.until_ms if bar is not None else None
        log.warning("alarm", account_id=account_id, rule=rule, words=words, barred_until_ms=until_ms)
        puts: list[Put] = [(fraud_bar_key(account_id), encode_fraud_bar(bar))] if bar is not None else []
        alarm = Alarm(self._board.tokens.tag(), account_id, rule, at_ms, words, until_ms)
        self._board.record(puts, [alarm])

    def _say_cap(self, warning: CapWarning, at_ms: int) -> None:
        name = _CAP_NAMES[warning.reason]
        used, cap = format_pounds(warning.used_micros), format_pounds(warning.cap_micros)
        words = f"{used} of the {name} spending cap of {cap} is in use ({CAP_WARNING_PERCENT} % or more)"
        self._raise(warning.account_id, f"{name}_cap_near", words, at_ms)

    @property
    def fraud_bars(self) -> list[FraudBar]:
        return list(self._bars.values())

    def bar_of(self, account_id: int) -> FraudBar | None:
        return self._bars.get(account_id)

    def clear(self, account_id: int, now: float) -> bool:
        """An operator has looked at it: the automatic bar is lifted, counting starts anew. False: there was no bar."""
        bar = self._bars.pop(account_id, None)
        self.velocity.forget(account_id)
        for key in [key for key in self._said if key[0] == account_id]:
            del self._said[key]
        if bar is None:
            return False
        at_ms, words = self._board.clock.ms(now), "the operator lifted the bar"
        alarm = Alarm(self._board.tokens.tag(), account_id, CLEARED, at_ms, words, None)
        self._board.record([(fraud_bar_key(account_id), None)], [alarm])
        log.info("alarm_cleared", account_id=account_id, rule=bar.rule)
        return True

    # Time

    def begin(self, now: float) -> None:
        """The first thing that a new process does: which day it is decides what its first calls may spend."""
        self._board.engine.period.take(self._board.clock.ms(now))

    def restore(self, state: Mapping[str, bytes], now: float) -> None:
        """Automatic bars from the journal; those that are over are let go of at the next second."""
        for key, value in state.items():
            if key.startswith(FRAUD_BAR_KEY):
                bar = decode_fraud_bar(value)
                self._bars[bar.account_id] = bar

    def on_second(self, now: float) -> None:
        at_ms = self._board.clock.ms(now)
        engine = self._board.engine
        engine.period.take(at_ms)
        if engine.cap_warnings:
            warnings, engine.cap_warnings = engine.cap_warnings, []
            for warning in warnings:
                self._say_cap(warning, at_ms)
        if engine.bundles.warnings:
            for limit in engine.bundles.take_warnings():
                words = f"bundle {limit.bundle_id} has come to its limit of fair use: {limit.what}"
                self._raise(limit.account_id, FAIR_USE, words, at_ms)
        for account_id, bar in list(self._bars.items()) if self._bars else ():
            if bar.until_ms <= at_ms:
                del self._bars[account_id]
                self._board.record([(fraud_bar_key(account_id), None)])
        self.velocity.sweep(at_ms)
        if self._said:
            again_ms = self._board.conf.safety.fraud.alarm_again_s * 1000
            for key in [key for key, said_ms in self._said.items() if at_ms - said_ms >= again_ms]:
                del self._said[key]
