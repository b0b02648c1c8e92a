"""What calls cost us: on each leg's record, in the order of trunks, and when they are sold for less."""

import msgspec
import pytest

from provisioning.model import Divert, DivertCondition, DivertKind
from rating.charge import charge
from rating.currency import ExchangeRates
from rating.deck import Deck, DeckPrice, deck_of
from rating.money import VatMode
from rating.records import Cdr
from rating.tariff import load_tariff
from switch.buying_metrics import quality_rows
from switch.calls.explain import Question, explain
from switch.calls.open_call import OpenCall
from switch.calls.routing import BelowCost, QualityFloor, RouteRule, TrunkOrder, make_routing, make_rule
from switch.config import Conf
from tests.switch.house import (
    STARTED_AT_S,
    TARIFF_CSV,
    House,
    Phone,
    make_account,
    make_conf,
    make_line,
    make_trunk,
)

ONE, TWO, THREE = "192.0.2.50", "192.0.2.51", "192.0.2.52"
HOSTS = {"one": ONE, "two": TWO, "three": THREE}
START_MS = int(STARTED_AT_S * 1000)
RATES = ExchangeRates({"USD": {0: 800_000_000}})
LANDLINE, MOBILE, FREEPHONE = "01632960123", "07700900123", "08081570123"
# A call of three minutes to a landline is sold for 0.036 pounds with VAT: 0.03 without.
SOLD_MICROS = 30_000
AT_COST, DEAR = 10_000_000, 10_001_000  # nanos a minute


def deck(name: str, *prices: tuple[str, int], **changes: object) -> Deck:
    rows = [DeckPrice(prefix, prefix, 0, nanos, 1, 1, 0, None) for prefix, nanos in prices]
    return deck_of(name, rows, currency="GBP", exchange_rates=RATES, version=f"{name}-v1", **changes)


def conf_of(*decks: Deck, rule: RouteRule | None = None, **changes: object) -> Conf:
    """Trunks one, two and three; the first so many have the decks in this order."""
    names = [each.name for each in decks] + [""] * (3 - len(decks))
    trunks = [
        make_trunk(name, host, deck=own) for (name, host), own in zip(HOSTS.items(), names, strict=True)
    ]
    routing = make_routing(
        {"+": rule or ("one", "two", "three")}, emergency_trunks=("one",), version="routing1"
    )
    conf = make_conf(trunks=trunks, routing=routing)
    return msgspec.structs.replace(conf, decks={each.name: each for each in decks}, **changes)


def rule(*groups: tuple[str, ...], order: TrunkOrder = TrunkOrder.PRICE, **changes: object) -> RouteRule:
    return make_rule("+", groups or (("one", "two", "three"),), order=order, **changes)


class Exchange:
    """A house with its phones; `calls` makes one call to the end and returns its records."""

    def __init__(self, conf: Conf, **house: object) -> None:
        self.house = House(conf=conf, lines=[make_line("alice"), make_line("bob")], **house)
        self.alice = self.house.phone("alice", "192.0.2.10")
        self.carriers = {name: self.house.phone(name, host) for name, host in HOSTS.items()}
        self.alice.register()

    def calls(self, number: str = LANDLINE, talk_s: float = 20.0) -> list[Cdr]:
        before = len(self.house.journal.cdrs())
        self.alice.invite(number)
        self.house.run(talk_s)
        if self.alice.dialogs:
            self.alice.hang_up()
        self.house.run(40)
        self.house.assert_clean()
        return self.house.journal.cdrs()[before:]


def trunks_of(rows: list[Cdr]) -> list[str]:
    return [row.trunk for row in rows[1:]]


# On the record


def test_a_leg_by_a_trunk_says_what_it_has_cost() -> None:
    own = deck("own", ("+44", 3_000_000), ("+441", 4_321_000))
    caller, leg = Exchange(conf_of(own)).calls(talk_s=30)
    rate = own.rate_for("+441632960123", START_MS)
    assert rate is not None and leg.duration_ms > 20_000
    assert leg.buy_micros == charge(rate, leg.duration_ms).total_micros > 0
    assert (leg.buy_prefix, leg.deck, leg.deck_version) == ("+441", "own", "own-v1")
    assert (caller.buy_micros, caller.deck) == (None, "")
    assert caller.cost_micros > 0 and leg.cost_micros == 0


def test_without_a_deck_nobody_says_what_a_leg_costs() -> None:
    _, leg = Exchange(conf_of()).calls()
    assert (leg.buy_micros, leg.buy_prefix, leg.deck, leg.deck_version) == (None, "", "", "")


def test_a_deck_without_a_price_for_the_number_says_nothing() -> None:
    _, leg = Exchange(conf_of(deck("own", ("+1", 1)))).calls()
    assert (leg.buy_micros, leg.deck) == (None, "")


def test_a_leg_that_was_not_answered_has_cost_nothing() -> None:
    exchange = Exchange(conf_of(deck("own", ("+44", 3_000_000)), deck("other", ("+44", 4_000_000))))
    exchange.carriers["one"].ring_status, exchange.carriers["one"].answer = 0, 503
    _, failed, leg = exchange.calls()
    assert (failed.buy_micros, failed.deck) == (0, "own")
    assert leg.deck == "other" and leg.buy_micros


def test_a_price_that_begins_later_begins_by_itself_and_a_call_keeps_its_own() -> None:
    border_ms = START_MS + 60_000
    rows = [
        DeckPrice("+44", "", 0, 1_000_000, 1, 1, 0, border_ms),
        DeckPrice("+44", "", 0, 2_000_000, 1, 1, border_ms, None),
    ]
    own = deck_of("own", rows, currency="GBP", exchange_rates=RATES, version="v")
    exchange = Exchange(conf_of(own))
    (_, first), (_, second) = exchange.calls(talk_s=70.0), exchange.calls(talk_s=70.0)
    assert first.answered_at_ms < border_ms < first.ended_at_ms < second.setup_at_ms
    for leg, per_minute in ((first, 1000), (second, 2000)):
        seconds = -(-leg.duration_ms // 1000)
        assert leg.buy_micros == seconds * per_minute // 60


def test_a_new_deck_holds_for_the_next_call_and_a_call_that_is_up_keeps_its_price() -> None:
    exchange = Exchange(conf_of(deck("own", ("+44", 1_000_000))))
    house = exchange.house
    exchange.alice.invite(LANDLINE)
    house.run(5)
    house.exchange.take_over(conf_of(deck("own", ("+44", 9_000_000))), house.clock.now)
    house.run(20)
    exchange.alice.hang_up()
    house.run(40)
    _, leg = house.journal.cdrs()
    assert leg.buy_micros == -(-leg.duration_ms // 1000) * 1000 // 60
    _, leg = exchange.calls()
    assert leg.buy_micros == -(-leg.duration_ms // 1000) * 9000 // 60


def test_after_a_crash_the_leg_has_its_cost_too() -> None:
    conf = conf_of(deck("own", ("+44", 6_000_000)))
    exchange = Exchange(conf)
    exchange.alice.invite(LANDLINE)
    exchange.house.run(30)
    state = dict(exchange.house.journal.state)
    kept = [msgspec.msgpack.decode(value, type=OpenCall) for key, value in state.items() if key[:2] == "c/"]
    assert [each.leg for each in kept[0].buying] == [1]
    again = House(
        conf=conf_of(),
        lines=[make_line("alice"), make_line("bob")],
        link=exchange.house.link,
        state=state,
        seed=2,
    )
    again.run(5)
    caller, leg = again.journal.cdrs()
    assert leg.is_recovered and leg.duration_ms > 20_000
    assert leg.buy_micros == -(-leg.duration_ms // 1000) * 6000 // 60
    assert (leg.buy_prefix, leg.deck, leg.deck_version) == ("+44", "own", "own-v1")
    assert caller.buy_micros is None


def test_what_a_process_before_this_release_kept_is_read() -> None:
    whole = OpenCall("id", None, None, [], [])
    old = msgspec.msgpack.encode(msgspec.msgpack.decode(msgspec.msgpack.encode(whole))[:-1])
    assert msgspec.msgpack.decode(old, type=OpenCall) == whole


def test_a_leg_that_somebody_sends_the_call_on_to_has_its_cost() -> None:
    exchange = Exchange(
        conf_of(deck("own", ("+447", 6_000_000), ("+44", 1_000_000))), numbers={"+441632960001": "bob"}
    )
    line = exchange.house.exchange.books.lines["bob"]
    divert = Divert(DivertCondition.ALL, DivertKind.NUMBER, "+447700900123")
    exchange.house.exchange.books.lines["bob"] = msgspec.structs.replace(line, diverts=(divert,))
    _, leg = exchange.calls("01632960001")
    assert leg.buy_prefix == "+447" and leg.buy_micros == -(-leg.duration_ms // 1000) * 6000 // 60


# The cheapest first


def test_the_cheapest_trunk_is_tried_first_and_the_next_cheapest_after_it() -> None:
    decks = deck("a", ("+44", 3_000_000)), deck("b", ("+44", 1_000_000)), deck("c", ("+44", 2_000_000))
    exchange = Exchange(conf_of(*decks, rule=rule()))
    exchange.carriers["two"].ring_status, exchange.carriers["two"].answer = 0, 503
    assert trunks_of(exchange.calls()) == ["two", "three"]


def test_the_price_is_that_of_the_number() -> None:
    decks = (
        deck("a", ("+44", 1_000_000), ("+447", 9_000_000)),
        deck("b", ("+44", 2_000_000), ("+447", 3_000_000)),
    )
    exchange = Exchange(conf_of(*decks, rule=rule()))
    assert trunks_of(exchange.calls(LANDLINE)) == ["one"]
    assert trunks_of(exchange.calls(MOBILE)) == ["two"]


def test_listed_order_asks_for_no_price() -> None:
    decks = deck("a", ("+44", 3_000_000)), deck("b", ("+44", 1_000_000))
    assert trunks_of(Exchange(conf_of(*decks)).calls()) == ["one"]


def test_a_priority_group_goes_before_a_cheaper_trunk_of_a_later_one() -> None:
    decks = deck("a", ("+44", 3_000_000)), deck("b", ("+44", 2_000_000)), deck("c", ("+44", 1_000_000))
    assert trunks_of(Exchange(conf_of(*decks, rule=rule(("one", "two"), ("three",)))).calls()) == ["two"]


def test_a_trunk_whose_price_nobody_knows_goes_behind_in_its_group() -> None:
    decks = deck("a", ("+1", 1_000_000)), deck("b", ("+44", 2_000_000))
    exchange = Exchange(conf_of(*decks, rule=rule()))
    for name in ("two", "one"):
        exchange.carriers[name].ring_status, exchange.carriers[name].answer = 0, 503
    assert trunks_of(exchange.calls()) == ["two", "one", "three"]


def test_a_trunk_of_bad_quality_goes_behind_and_comes_back_when_it_is_forgotten() -> None:
    decks = deck("a", ("+44", 1_000_000)), deck("b", ("+44", 2_000_000))
    floor = QualityFloor(asr_min_percent=50)
    exchange = Exchange(conf_of(*decks, rule=rule(("one", "two"), floor=floor)))
    exchange.carriers["one"].ring_status, exchange.carriers["one"].answer = 0, 503
    tries = 0
    while trunks_of(exchange.calls(talk_s=3)) == ["one", "two"]:
        tries += 1
        assert tries < 40
    assert tries >= 20
    for _, quality in exchange.house.exchange.trunks.qualities.pairs():
        quality.tries += 10
    assert trunks_of(exchange.calls(talk_s=3)) == ["two"]
    assert any("one: group 1" in line and "goes behind: ASR 0 %" in line for line in told(exchange))
    for _, quality in exchange.house.exchange.trunks.qualities.pairs():
        quality.at -= 7200
    assert trunks_of(exchange.calls(talk_s=3)) == ["one", "two"]


def test_a_failed_try_counts_before_the_call_that_went_on_has_ended() -> None:
    exchange = Exchange(conf_of(rule=rule(("one", "two"), floor=QualityFloor(asr_min_percent=50))))
    exchange.carriers["one"].ring_status, exchange.carriers["one"].answer = 0, 503
    exchange.alice.invite(LANDLINE)
    exchange.house.run(5)
    qualities = exchange.house.exchange.trunks.qualities
    now = exchange.house.clock.now
    assert [(row.trunk, row.route, round(row.tries), row.asr_percent) for row in quality_rows(qualities, now)] == [
        ("one", "+", 1, 0.0),
        ("two", "+", 0, None),
    ]
    exchange.alice.hang_up()
    exchange.house.run(40)
    rows = quality_rows(qualities, now)
    assert [(row.trunk, round(row.tries), row.asr_percent) for row in rows] == [
        ("one", 1, 0.0),
        ("two", 1, 100.0),
    ]
    assert rows[1].acd_s == pytest.approx(4.5, abs=1) and rows[1].pdd_ms is not None


# Below cost


def guarded(*nanos: int, verdict: BelowCost, **changes: object) -> Exchange:
    decks = [deck(name, ("+44", each)) for name, each in zip("abc", nanos, strict=False)]
    return Exchange(conf_of(*decks, rule=rule(order=TrunkOrder.LISTED, below_cost=verdict), **changes))


def test_a_trunk_that_takes_more_than_the_call_is_sold_for_is_skipped() -> None:
    exchange = guarded(DEAR, AT_COST, AT_COST, verdict=BelowCost.REFUSE)
    _, leg = exchange.calls()
    assert leg.trunk == "two"
    assert "one takes more than the call is sold for" in leg.leg_reason
    assert exchange.house.exchange.trunks.below_cost == {("one", "refuse"): 1}


def test_when_all_take_more_the_call_is_refused_in_words() -> None:
    exchange = guarded(DEAR, DEAR, DEAR, verdict=BelowCost.REFUSE)
    (caller,) = exchange.calls()
    assert exchange.alice.statuses[-1] == 403
    assert (caller.outcome, caller.cost_micros) == ("below_cost", 0)
    assert caller.reason == "no trunk carries the call at its price"
    assert exchange.house.exchange.counts.refusals["below_cost"] == 1


def test_a_warning_lets_the_call_pass_and_says_so_on_the_record() -> None:
    exchange = guarded(DEAR, AT_COST, AT_COST, verdict=BelowCost.WARN)
    _, leg = exchange.calls()
    assert leg.trunk == "one" and leg.decisions == "sold below cost"
    assert exchange.house.exchange.trunks.below_cost == {("one", "warn"): 1}


def test_a_call_at_cost_is_not_below_it() -> None:
    exchange = guarded(AT_COST, verdict=BelowCost.REFUSE)
    _, leg = exchange.calls()
    assert leg.trunk == "one" and leg.decisions == ""
    assert exchange.house.exchange.trunks.below_cost == {}


def test_allowed_is_allowed() -> None:
    exchange = guarded(DEAR, verdict=BelowCost.ALLOW)
    assert trunks_of(exchange.calls()) == ["one"]
    assert exchange.house.exchange.trunks.below_cost == {}


def test_the_tariff_can_say_it_too_and_the_stricter_one_holds() -> None:
    for verdict in (BelowCost.ALLOW, BelowCost.WARN):
        exchange = guarded(DEAR, AT_COST, AT_COST, verdict=verdict, below_cost={"retail": BelowCost.REFUSE})
        assert trunks_of(exchange.calls()) == ["two"]
    exchange = guarded(DEAR, AT_COST, verdict=BelowCost.ALLOW, below_cost={"another": BelowCost.REFUSE})
    assert trunks_of(exchange.calls()) == ["one"]


def test_prices_without_vat_are_compared_as_they_are() -> None:
    tariff = load_tariff("retail", TARIFF_CSV, "ex_vat")
    decks = [deck("a", ("+44", 12_000_000)), deck("b", ("+44", 12_001_000))]
    conf = conf_of(*decks, rule=rule(("two", "one"), order=TrunkOrder.LISTED, below_cost=BelowCost.REFUSE))
    conf = msgspec.structs.replace(conf, tariffs={"retail": tariff})
    exchange = Exchange(conf, accounts=[make_account(vat=VatMode.EX_VAT)])
    assert trunks_of(exchange.calls()) == ["one"]


def test_a_trunk_whose_price_nobody_knows_is_let_through() -> None:
    exchange = guarded(verdict=BelowCost.REFUSE)
    assert trunks_of(exchange.calls()) == ["one"]


def test_calls_that_are_free_are_never_refused_for_what_they_cost_us() -> None:
    exchange = guarded(DEAR, DEAR, DEAR, verdict=BelowCost.REFUSE)
    _, leg = exchange.calls(FREEPHONE)
    assert leg.trunk == "one" and leg.buy_micros


def test_emergency_calls_meet_no_price() -> None:
    dear = [deck(name, ("999", 10**12), ("+44", 10**12)) for name in "abc"]
    exchange = Exchange(
        conf_of(*dear, rule=rule(below_cost=BelowCost.REFUSE), below_cost={"retail": BelowCost.REFUSE}),
        balances={1: 0},
    )
    caller, leg = exchange.calls("999")
    assert caller.is_emergency and leg.trunk == "one" and caller.outcome == "answered"


def test_what_a_divert_costs_is_guarded_for_who_diverts() -> None:
    decks = [deck(name, ("+447", 200_000_000)) for name in "abc"]
    exchange = Exchange(
        conf_of(*decks, rule=rule(below_cost=BelowCost.REFUSE)), numbers={"+441632960001": "bob"}
    )
    line = exchange.house.exchange.books.lines["bob"]
    divert = Divert(DivertCondition.ALL, DivertKind.NUMBER, "+447700900123")
    exchange.house.exchange.books.lines["bob"] = msgspec.structs.replace(line, diverts=(divert,))
    rows = exchange.calls("01632960001")
    assert trunks_of(rows) == [] and rows[0].outcome != "answered"


# Explained


def told(exchange: Exchange, number: str = LANDLINE) -> list[str]:
    house = exchange.house
    return explain(Question("alice", number, START_MS + 1000), house.exchange.board, house.clock.now)


def test_explain_says_why_the_trunks_stand_as_they_do() -> None:
    decks = deck("a", ("+44", 3_000_000)), deck("b", ("+441", 1_000_000))
    lines = told(Exchange(conf_of(*decks, rule=rule(("one", "two"), ("three",)))))
    order = [line for line in lines if line.startswith("order")]
    assert order == [
        "order: route +, by price for three minutes",
        "order: 1. two: group 1, £0.003 by b +441",
        "order: 2. one: group 1, £0.009 by a +44",
        "order: 3. three: group 2, no buying price",
    ]
    assert [line.split()[2] for line in lines if line.startswith("trunk")] == ["two", "one", "three"]


def test_explain_counts_nothing_and_says_what_is_below_cost() -> None:
    exchange = guarded(DEAR, AT_COST, verdict=BelowCost.REFUSE)
    assert "trunk: left out: one takes more than the call is sold for" in told(exchange)
    exchange.house.exchange.trunks.below_cost.clear()
    refused = guarded(DEAR, DEAR, DEAR, verdict=BelowCost.REFUSE)
    assert any("below_cost" in line for line in told(refused))
    assert "order: 3. three: group 1, £0.030003 by c +44" in told(refused)
    warned = guarded(DEAR, verdict=BelowCost.WARN)
    assert any(line.startswith("below cost: one takes more") for line in told(warned))
    for each in (exchange, refused, warned):
        assert each.house.exchange.trunks.below_cost == {}


def test_a_route_as_it_is_listed_says_nothing_of_order() -> None:
    assert not any(line.startswith("order") for line in told(Exchange(conf_of())))


def test_no_phone_is_told_what_a_call_costs_us() -> None:
    exchange = guarded(DEAR, DEAR, DEAR, verdict=BelowCost.REFUSE)
    exchange.calls()
    said = b"".join(d.data for d in exchange.house.link.sent if d.destination[0] == exchange.alice.address[0])
    assert b"403" in said
    assert isinstance(exchange.alice, Phone)
    assert b"takes more" not in said
