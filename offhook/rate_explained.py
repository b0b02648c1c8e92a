"""`offhook rate explain`, without a database: from what is dialled to its price, by the code that live calls use."""

import msgspec

from provisioning.model import Account
from rating.charge import CALL_S_MAX, NOTHING_CHARGED, Charge, charge
from rating.deck import Deck
from rating.explanation import Step, price_steps, row_steps
from rating.money import Micros, VatMode, format_pounds
from rating.rate import ON_NET, Rate
from rating.rehearsed_call import BundleNow, rehearse
from rating.tariff import Tariff
from rating.tariff_rows import RowLines, clock_text
from switch.calls.number_plan import (
    E164,
    Dialled,
    Emergency,
    NumberPlan,
    ServiceCode,
    Short,
    Unrecognised,
    read_dialled,
)

BASIS_POINTS = 10_000
LINE = "line"  # what was dialled is the name of a line


class Asked(msgspec.Struct, frozen=True):
    """One question. `is_on_net`: the number is assigned here, or names a line. `bundles` are the account's, as they are
    now; `decks` those of the trunks of the number's route, by the trunk's name. `vat_basis_points` is None where nobody
    has said."""

    dialled: str
    account: Account
    at_ms: int
    duration_s: int
    is_line: bool = False
    is_on_net: bool = False
    bundles: tuple[BundleNow, ...] = ()
    decks: tuple[tuple[str, Deck], ...] = ()
    vat_basis_points: int | None = None


class Told(msgspec.Struct):
    """`refused` is why the call would not be made; then nothing is charged. `attempt_micros` is besides the charge."""

    steps: list[Step]
    number: str = ""
    number_class: str = ""
    rate_prefix: str = ""
    tariff: str = ""
    tariff_version: str = ""
    line: int = 0
    charge: Charge = NOTHING_CHARGED
    attempt_micros: Micros = 0
    refused: str = ""

    @property
    def total_micros(self) -> Micros:
        return self.charge.total_micros + self.attempt_micros


def explain(asked: Asked, tariffs: dict[str, Tariff], text: str, plan: NumberPlan) -> Told:
    """`text` is the whole text of the account's tariff. Says what a call begun and answered at that time would cost."""
    if not 0 <= asked.duration_s <= CALL_S_MAX:
        raise ValueError(f"{asked.duration_s} s: expected 0 to {CALL_S_MAX}")
    told = Told([])
    say = told.steps.append
    say(Step("time", f"{clock_text(asked.at_ms)}, for {asked.duration_s} s"))
    if not _say_number(asked, told, plan):
        return told
    tariff = tariffs.get(asked.account.tariff)
    if tariff is None:
        return _refuse(told, f"tariff {asked.account.tariff} of account {asked.account.name} is not loaded")
    told.tariff, told.tariff_version = tariff.name, tariff.version
    which = f"tariff {tariff.name}, version {tariff.version}"
    say(Step("account", f"{asked.account.name}: {which}, {_vat_words(tariff.vat)}"))
    if tariff.vat is not asked.account.vat:
        return _refuse(told, f"the account is {asked.account.vat.value}, its tariff {tariff.vat.value}")
    rate = _say_row(asked, told, tariff, RowLines(tariff, text))
    if rate is None:
        return told
    duration_ms = asked.duration_s * 1000
    number = told.number if not asked.is_line else ""
    call = rehearse(
        rate, duration_ms, at_ms=asked.at_ms, number=number, account_id=asked.account.id, bundles=asked.bundles
    )
    told.charge = call.charge
    told.steps += _bundle_steps(asked, rate, number)
    told.steps += price_steps(call, duration_ms, at_ms=asked.at_ms)
    _say_attempt(asked, told, tariff, rate)
    _say_limits(asked, told)
    told.steps += _deck_steps(asked, told, duration_ms)
    say(_vat_step(told.total_micros, tariff.vat, asked.vat_basis_points))
    return told


def _say_number(asked: Asked, told: Told, plan: NumberPlan) -> bool:
    """Whether it is a call that a tariff prices."""
    say = told.steps.append
    if asked.is_line:
        told.number, told.number_class = asked.dialled, LINE
        say(Step("number", f"{asked.dialled} is a line of this exchange"))
        return True
    read: Dialled = read_dialled(asked.dialled, plan)
    match read.destination:
        case Emergency(service=service):
            told.number, told.number_class = service, "emergency"
            say(Step("number", f"{asked.dialled} is an emergency call to {service}"))
            say(Step("total", "emergency calls are free, whatever the credit: £0.00"))
            return False
        case ServiceCode() as code:
            told.number, told.number_class = code.name, "service code"
            say(Step("number", f"{asked.dialled} is the service code {code.name}"))
            say(Step("total", "service codes are free: £0.00"))
            return False
        case Unrecognised(reason=reason):
            _refuse(told, f"{asked.dialled} is no number: {reason.value}")
            return False
        case E164(number=number, number_class=kind, territory=territory):
            told.number, told.number_class = number, kind.value
            where = f", {territory}" if territory else ""
            say(Step("number", f"{asked.dialled} is {number} ({kind.value}{where})"))
        case Short(number=number, number_class=kind):
            told.number, told.number_class = number, kind.value
            say(Step("number", f"{asked.dialled} is the short code {number} ({kind.value})"))
    return True


def _say_row(asked: Asked, told: Told, tariff: Tariff, lines: RowLines) -> Rate | None:
    """The row that prices the call; None: none does, and it has been said what follows."""
    say = told.steps.append
    key = ON_NET if asked.is_on_net else told.number
    if asked.is_on_net:
        say(Step("on-net", "both ends are of this exchange: the row on-net prices the call, if there is one"))
    rate: Rate | None = tariff.rate_for(key, asked.at_ms)
    tried = tariff.tried_for(key)
    told.steps += row_steps(tariff, tried, rate, asked.at_ms, lines)
    if rate is None and asked.is_on_net:
        say(Step("total", "without a row on-net it is free: £0.00"))
    elif rate is None:
        _refuse(told, "without a price the call is refused, never free")
    else:
        row = next((each for each in tried if each.is_valid_at(asked.at_ms)), rate)
        told.rate_prefix, told.line = rate.prefix, lines.line_of(row)
        if rate.is_free:
            say(Step("free", "nothing can be owed: the call is made whatever the credit, and nothing is reserved"))
    return rate


def _bundle_steps(asked: Asked, rate: Rate, number: str) -> list[Step]:
    """The bundles and discounts of the account that are for such a call, as they are now."""
    steps = []
    for bundle in asked.bundles:
        terms = bundle.terms
        if not terms.is_for(rate, number):
            steps.append(Step("passed over", f"bundle {terms.id} {terms.name}: it is for other destinations"))
        elif terms.is_discount:
            steps.append(Step("discount", f"bundle {terms.id} {terms.name}: {terms.percent} %"))
        else:
            left_s = terms.granted_s - bundle.used_s
            steps.append(Step("bundle", f"bundle {terms.id} {terms.name}: {left_s} s of {terms.granted_s} s are left"))
    return steps


def _say_attempt(asked: Asked, told: Told, tariff: Tariff, rate: Rate) -> None:
    if not tariff.has_attempts or asked.is_on_net or rate.is_free:
        return
    fee = tariff.attempt_rate_for(told.number, asked.at_ms)
    if fee is not None and not fee.is_free:
        told.attempt_micros = fee.connect_fee_micros
        what = f"{fee.prefix}: {fee.connect_fee_micros} micros besides, answered or not"
        told.steps.append(Step("attempt", f"{what}, on a record of its own"))


def _say_limits(asked: Asked, told: Told) -> None:
    settings = asked.account.settings
    for name, cap in (("daily", settings.daily_cap_micros), ("monthly", settings.monthly_cap_micros)):
        if cap is not None:
            told.steps.append(Step("spending cap", f"{name}: {format_pounds(cap)}; the call ends where it is reached"))


def _deck_steps(asked: Asked, told: Told, duration_ms: int) -> list[Step]:
    """What each carrier would take for the same call."""
    steps = []
    for trunk, deck in asked.decks:
        price = None if asked.is_on_net else deck.rate_for(told.number, asked.at_ms)
        if price is None:
            continue
        cost = charge(price, duration_ms, at_ms=asked.at_ms).total_micros
        row = f"{price.prefix} {price.destination} of deck {deck.name}, version {deck.version}"
        steps.append(Step("carrier", f"trunk {trunk} takes {cost} micros = {format_pounds(cost)} ex VAT by {row}"))
    return steps


def _refuse(told: Told, why: str) -> Told:
    told.refused = why
    told.steps.append(Step("refused", why))
    return told


def _vat_words(vat: VatMode) -> str:
    return "prices contain VAT" if vat is VatMode.INC_VAT else "prices are without VAT"


def _vat_step(total: Micros, vat: VatMode, basis_points: int | None) -> Step:
    """No document is made of one call: a document reckons VAT once, of its total."""
    if basis_points is None:
        return Step("VAT", "billing.toml says no rate, so net and VAT are not told apart")
    percent = f"{basis_points // 100}{f'.{basis_points % 100:02d}' if basis_points % 100 else ''} %"
    if vat is VatMode.EX_VAT:
        return Step("VAT", f"{format_pounds(total)} is net; {percent} is added by the invoice, once, to its total")
    net = total * BASIS_POINTS // (BASIS_POINTS + basis_points)
    parts = f"{format_pounds(net)} is net and {format_pounds(total - net)} VAT at {percent}"
    return Step("VAT", f"of {format_pounds(total)}, {parts}; the invoice reckons it once, of its total")
