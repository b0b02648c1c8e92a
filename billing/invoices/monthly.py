"""A monthly invoice from the ledger's rows: which lines, at which VAT, which calls beneath them. Pure.

Each movement that somebody made is a line; all calls of one rate of VAT are one line, and corrections of calls another.
What belongs to an earlier period, because its record came late, has lines of its own. The VAT of a row is that of the
day on which it was charged (VATA 1994 s. 88: the rate may follow the day on which the supply was performed).
"""

import datetime
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from billing.conf import BillingConf
from billing.invoices.document import BundleUse, Call, Group, Line, LineCalls
from billing.invoices.ledger_rows import UNTAXED_KINDS, USAGE, LedgerRow
from billing.invoices.wording import LONDON, counted, london_date, shown_duration
from billing.vat import Charge, Rate, Reckoning, VatRounding, reckon, vat_within
from provisioning.ledger import MovementKind
from rating.money import VatMode

# A movement that came without a word.
TITLES: Final = {
    MovementKind.SUBSCRIPTION.value: "Subscription",
    MovementKind.FEE.value: "Fee",
    MovementKind.BUNDLE.value: "Bundle",
    MovementKind.ADJUSTMENT.value: "Adjustment",
    MovementKind.TOP_UP.value: "Credit",
    MovementKind.INTEREST.value: "Interest on overdue invoices",
    MovementKind.COMPENSATION.value: "Compensation",
    MovementKind.RERATING.value: "Corrections of earlier calls",
}
CALLS: Final = "Calls"
CALLS_AND_TEXTS: Final = "Calls and texts"
TEXTS: Final = "Texts"
NO_RECORD: Final = "Calls without a record"
OTHER_CALLS: Final = "Diverted calls"
# Subscriptions first, then what else was charged, then calls, then what is given back or outside the scope.
_ORDER: Final = {
    MovementKind.SUBSCRIPTION.value: 0,
    MovementKind.BUNDLE.value: 1,
    MovementKind.FEE.value: 2,
    USAGE: 3,
    MovementKind.RERATING.value: 4,
}
_LAST: Final = 9


class Billed(msgspec.Struct, frozen=True):
    """What the rows come to."""

    lines: tuple[Line, ...]
    reckoning: Reckoning
    groups: tuple[Group, ...]
    calls: tuple[LineCalls, ...]
    bundles: tuple[BundleUse, ...]
    ledger_ids: tuple[int, ...]


class _Bundle(msgspec.Struct):
    """Rows that become one line."""

    title: str
    rate: Rate
    is_late: bool
    order: int
    rows: list[LedgerRow]


def bill_rows(
    rows: Sequence[LedgerRow],
    conf: BillingConf,
    mode: VatMode,
    policy: VatRounding,
    *,
    since: datetime.datetime,
    bundle_names: dict[str, str],
) -> Billed:
    """`since`: the period's first instant; what is older is late. Raises NothingYet for a day without a rate of VAT."""
    gathered = _gather(rows, conf, since)
    charges = [Charge(-sum(row.amount_micros for row in item.rows), item.rate) for item in gathered]
    reckoning = reckon(charges, mode, policy)
    nets = net_amounts(charges, reckoning.shown_micros, mode)
    lines = tuple(
        Line(
            description=item.title,
            detail=_detail(item),
            rate=item.rate,
            exact_micros=charge.micros,
            shown_micros=shown,
            net_micros=net,
            is_late=item.is_late,
            is_calls=item.rows[0].kind == USAGE,
        )
        for item, charge, shown, net in zip(gathered, charges, reckoning.shown_micros, nets, strict=True)
    )
    usage = [row for row in rows if row.kind == USAGE]
    return Billed(
        lines=lines,
        reckoning=reckoning,
        groups=tuple(call_groups(usage)),
        calls=tuple(itemised(usage, since)),
        bundles=tuple(bundle_use(usage, bundle_names)),
        ledger_ids=tuple(row.ledger_id for row in rows if row.ledger_id),
    )


def net_amounts(charges: Sequence[Charge], shown: Sequence[int], mode: VatMode) -> list[int]:
    """Each line without VAT, in whole pennies that add up to their rate's net amount."""
    if mode is VatMode.EX_VAT:
        return list(shown)
    gross: dict[Rate, int] = {}
    nets = []
    for charge, micros in zip(charges, shown, strict=True):
        before = gross.get(charge.rate, 0)
        gross[charge.rate] = before + micros
        nets.append(_net_of(before + micros, charge.rate) - _net_of(before, charge.rate))
    return nets


def _net_of(gross: int, rate: Rate) -> int:
    return gross if rate is None else gross - vat_within(gross, rate)


def _gather(rows: Iterable[LedgerRow], conf: BillingConf, since: datetime.datetime) -> list[_Bundle]:
    """Rows by the line that they become, in the order of the invoice."""
    found: dict[object, _Bundle] = {}
    rates: dict[datetime.date, int] = {}
    for row in rows:
        if row.ledger_id == 0:
            continue
        day = london_date(row.at)
        if day not in rates:
            rates[day] = conf.vat.at(day).percent
        rate = None if row.kind in UNTAXED_KINDS else rates[day]
        is_late = row.at < since
        is_many = row.kind in (USAGE, MovementKind.RERATING.value)
        key = (row.kind, rate, is_late) if is_many else row.ledger_id
        if key not in found:
            title = row.memo if row.memo and not is_many else TITLES.get(row.kind, "")
            found[key] = _Bundle(title, rate, is_late, _ORDER.get(row.kind, _LAST), [])
        found[key].rows.append(row)
    for item in found.values():
        if item.rows[0].kind == USAGE:
            item.title = _usage_title(item.rows)
    return sorted(found.values(), key=lambda item: (item.order, item.is_late))


def _usage_title(rows: Sequence[LedgerRow]) -> str:
    texts = sum(1 for row in rows if row.call is not None and row.call.is_text)
    return CALLS if texts == 0 else TEXTS if texts == len(rows) else CALLS_AND_TEXTS


def _detail(item: _Bundle) -> str:
    first = item.rows[0]
    if first.kind == MovementKind.RERATING.value:
        return counted(len(item.rows), "entry", "entries")
    if first.kind != USAGE:
        return ""
    texts = sum(1 for row in item.rows if row.call is not None and row.call.is_text)
    seconds = sum(row.call.billed_s for row in item.rows if row.call is not None and not row.call.is_text)
    parts = []
    if len(item.rows) > texts:
        parts.append(f"{counted(len(item.rows) - texts, 'call')}, {shown_duration(seconds)}")
    if texts:
        parts.append(counted(texts, "text"))
    return ", ".join(parts)


def call_groups(usage: Iterable[LedgerRow]) -> list[Group]:
    """Totals by destination, calls before texts, in the order of the alphabet."""
    found: dict[tuple[bool, str], list[LedgerRow]] = {}
    for row in usage:
        name = NO_RECORD if row.call is None else row.call.destination_name or row.call.destination
        found.setdefault((row.call is not None and row.call.is_text, name), []).append(row)
    return [_group(name, rows, is_text=is_text) for (is_text, name), rows in sorted(found.items())]


def _group(name: str, rows: Sequence[LedgerRow], *, is_text: bool) -> Group:
    calls = [row.call for row in rows if row.call is not None]
    return Group(
        destination=name,
        is_text=is_text,
        count=len(rows),
        seconds=0 if is_text else sum(call.billed_s for call in calls),
        bundled_s=sum(call.bundled_s for call in calls),
        access_micros=sum(call.access_micros for call in calls),
        service_micros=sum(call.service_micros for call in calls),
        charge_micros=-sum(row.amount_micros for row in rows),
    )


def itemised(usage: Iterable[LedgerRow], since: datetime.datetime) -> list[LineCalls]:
    """Each line's calls in their order. What was free to the caller is not among them: the ledger has no row of it, so
    calls to helplines, freephone numbers and the emergency services never show (GC C3)."""
    found: dict[str, list[tuple[datetime.datetime, Call]]] = {}
    for row in usage:
        at = row.at if row.call is None else row.call.setup_at
        line = OTHER_CALLS if row.call is None else row.call.line or OTHER_CALLS
        found.setdefault(line, []).append((at, _call(row, at, since)))
    return [
        LineCalls(line, tuple(call for _, call in sorted(calls, key=lambda item: item[0])))
        for line, calls in sorted(found.items())
    ]


def _call(row: LedgerRow, at: datetime.datetime, since: datetime.datetime) -> Call:
    facts = row.call
    return Call(
        at=at.astimezone(LONDON).strftime("%Y-%m-%dT%H:%M:%S"),
        number="" if facts is None else facts.destination,
        destination=NO_RECORD if facts is None else facts.destination_name,
        seconds=0 if facts is None or facts.is_text else facts.billed_s,
        charge_micros=-row.amount_micros,
        access_micros=0 if facts is None else facts.access_micros,
        service_micros=0 if facts is None else facts.service_micros,
        bundled_s=0 if facts is None else facts.bundled_s,
        is_text=facts is not None and facts.is_text,
        is_late=row.at < since,
    )


def bundle_use(usage: Iterable[LedgerRow], names: dict[str, str]) -> list[BundleUse]:
    """Seconds by bundle, from records that say "12=40 15=20"."""
    seconds: dict[str, int] = {}
    for row in usage:
        for part in row.call.bundles.split(" ") if row.call is not None and row.call.bundles else ():
            bundle, _, text = part.partition("=")
            if text.isascii() and text.isdigit() and len(text) <= 9:
                name = names.get(bundle, f"Bundle {bundle}")
                seconds[name] = seconds.get(name, 0) + int(text)
    return [BundleUse(name, total) for name, total in sorted(seconds.items())]
