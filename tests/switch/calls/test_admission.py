"""The ladder: break every rule at once, mend them one by one, and each time the next rung speaks."""

import msgspec
import pytest

from provisioning.model import AccountChanged, LineChanged, Number, NumberChanged
from provisioning.settings import LineSettings
from rating.money import VatMode
from switch.calls import refusal
from switch.calls.hidden_caller import hidden_caller
from switch.calls.refusal import IN_ORDER
from switch.config import CallLimits
from tests.switch.house import DOMAIN, OFFER, House, make_account, make_conf, make_line, make_trunk


def outcome(house: House) -> str:
    rows = house.journal.cdrs()
    return rows[-1].outcome if rows[-1].leg == 0 else rows[0].outcome


def test_the_first_broken_rule_wins_until_the_last_is_mended() -> None:
    """One call from a line to a line, in the worst of all exchanges."""
    broken = make_conf(trunks=[make_trunk("one", "192.0.2.50")], calls=CallLimits(calls_max=1))
    house = House(
        conf=broken,
        lines=[make_line("alice", account_id=9, calls_max=1), make_line("bob", calls_max=1)],
        accounts=[make_account(1, is_suspended=True, tariff="none", calls_max=1, vat=VatMode.EX_VAT)],
        balances={1: 0},
    )
    board, exchange = house.exchange.board, house.exchange
    alice = house.phone("alice", "192.0.2.10")
    alice.register()
    board.is_draining = True
    board.calls["another"] = None  # type: ignore[assignment]
    board.of_line["alice"] = 1
    board.of_account[1] = 1
    board.of_trunk["one"] = 100
    board.journal.is_failed = True
    heard: list[str] = []

    def call(
        uri: str, max_forwards: str = "70", extra: list[tuple[str, str]] = (), body: bytes = OFFER
    ) -> None:
        before = len(house.journal.cdrs())
        transaction = alice.invite("", uri=uri, extra=extra, body=body)
        transaction.request.headers.set("max-forwards", max_forwards)
        house.link.run(1.0)
        rows = house.journal.cdrs()[before:]
        heard.append(rows[0].outcome)

    elsewhere = "sip:*21@elsewhere.example"
    broken_offer, brief = b"v=", [("session-expires", "30")]
    call(elsewhere, extra=brief, body=broken_offer)
    board.is_draining = False
    call(elsewhere, extra=brief, body=broken_offer)
    del board.calls["another"]
    call(elsewhere, extra=brief, body=broken_offer)
    call(f"sip:nonsense!@{DOMAIN}", extra=brief, body=broken_offer)
    call(f"sip:nonsense!@{DOMAIN}", body=broken_offer)
    call(f"sip:nonsense!@{DOMAIN}")
    call(f"sip:*21*01632960009%23@{DOMAIN}")
    mobile = f"sip:07700900123@{DOMAIN}"
    call(mobile)  # the line's account is not in the books
    exchange.apply_changes([LineChanged(make_line("alice", calls_max=1))], house.clock.now)
    call(mobile)
    suspended_no_more = make_account(1, tariff="none", calls_max=1, vat=VatMode.EX_VAT)
    exchange.apply_changes([AccountChanged(suspended_no_more)], house.clock.now)
    call(mobile)
    board.of_line["alice"] = 0
    call(mobile)
    board.of_account[1] = 0
    exchange.apply_changes(
        [LineChanged(make_line("alice", calls_max=1, calls_per_second_max=1))], house.clock.now
    )
    assert board.call_rates.take("alice", 1, house.clock.now)
    call(mobile)
    blocking = LineSettings(blocked_destinations=("+447700900188",))
    pace = {"calls_max": 1, "calls_per_second_max": 1}
    worst = {"bars_incoming": True, "rejects_anonymous": True, "does_not_disturb": True}
    hidden = hidden_caller(board.sign, "+441632960777")
    exchange.apply_changes(
        [
            LineChanged(make_line("alice", settings=blocking, cli="+441632960777", **pace)),
            LineChanged(make_line("carol", settings=LineSettings(hidden_callers=(hidden,), **worst))),
            NumberChanged(Number("+447700900188", "carol")),
        ],
        house.clock.now,
    )
    carol = f"sip:14107700900188@{DOMAIN}"
    call(carol)
    exchange.apply_changes([LineChanged(make_line("alice", cli="+441632960777", **pace))], house.clock.now)
    call(carol)
    for setting in ("bars_incoming", "rejects_anonymous", "hidden"):
        if setting in worst:
            del worst[setting]
        else:
            hidden = ""
        settings = LineSettings(hidden_callers=(hidden,), **worst)
        exchange.apply_changes([LineChanged(make_line("carol", settings=settings))], house.clock.now)
        call(carol)
    call(f"sip:0500123456@{DOMAIN}")
    call(mobile)
    board.of_trunk["one"] = 0
    exchange.apply_changes([NumberChanged(Number("+447700900123", "bob"))], house.clock.now)
    call(mobile)
    bob = house.phone("bob", "192.0.2.11")
    bob.register()
    board.of_line["bob"] = 1
    call(mobile)
    board.of_line["bob"] = 0
    exchange.books.apply(NumberChanged(Number("+447700900199", "bob")))
    away = f"sip:07700900124@{DOMAIN}"
    call(away)
    exchange.apply_changes(
        [AccountChanged(msgspec.structs.replace(suspended_no_more, tariff="retail"))], house.clock.now
    )
    call(f"sip:0033123456789@{DOMAIN}")
    exchange.apply_changes([AccountChanged(make_account(1))], house.clock.now)
    call(f"sip:0033123456789@{DOMAIN}")
    call(away)
    board.journal.is_failed = False
    call(away)

    rungs = [
        refusal.DRAINING, refusal.TOO_MANY_CALLS, refusal.NOT_HERE, refusal.SESSION_TOO_BRIEF, refusal.BROKEN_OFFER,
        refusal.UNRECOGNISED, refusal.SERVICE_UNKNOWN, refusal.ACCOUNT_MISSING, refusal.SUSPENDED,
        refusal.LINE_FULL, refusal.ACCOUNT_FULL, refusal.LINE_TOO_FAST, refusal.DESTINATION_BLOCKED,
        refusal.INCOMING_BARRED, refusal.ANONYMOUS_REFUSED, refusal.CALLER_BLOCKED, refusal.DO_NOT_DISTURB,
        refusal.NOT_IN_USE, refusal.TRUNK_FULL,
        refusal.NOT_REGISTERED, refusal.CALLEE_FULL, refusal.NO_TARIFF, refusal.VAT_MISMATCH, refusal.NO_RATE,
        refusal.JOURNAL_FAILED, refusal.NO_CREDIT,
    ]  # fmt: skip
    assert heard == [rung.label for rung in rungs]
    assert [IN_ORDER.index(rung) for rung in rungs] == sorted(IN_ORDER.index(rung) for rung in rungs)
    assert house.exchange.counts.refusals == {rung.label: 1 for rung in rungs}


@pytest.mark.parametrize(
    ("dialled", "status", "cause"),
    [
        ("sip:0500123456@{domain}", 404, 1),  # not in use
        ("sip:128002079460123@{domain}", 404, 1),  # indirect access
        ("tel:911;phone-context=+1", 404, 1),  # another country's number
        ("sip:" + 40 * "0163296" + "@{domain}", 404, 1),  # longer than any number
        ("sip:0163296@{domain}", 484, 28),  # incomplete
        ("sip:960123@{domain}", 484, 28),  # the area code is missing
        ("sip:nonsense!@{domain}", 484, 28),
    ],
)
def test_more_digits_are_asked_for_only_where_they_could_help(dialled: str, status: int, cause: int) -> None:
    house = House(conf=make_conf(trunks=[make_trunk("one", "192.0.2.50")]), lines=[make_line("alice")])
    alice = house.phone("alice", "192.0.2.10")
    alice.register()
    alice.invite("", uri=dialled.format(domain=DOMAIN))
    house.run(1)
    (row,) = house.journal.cdrs()
    assert (alice.statuses[-1], row.sip_status, row.q850_cause) == (status, status, cause)


def test_labels_are_unique_and_fit_a_metric() -> None:
    labels = [rung.label for rung in IN_ORDER]
    assert len(set(labels)) == len(labels)
    assert all(label.isascii() and label.replace("_", "").isalpha() for label in labels)
