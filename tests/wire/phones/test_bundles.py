"""Inclusive minutes granted by command, while phones talk and the switch is killed. On an exchange of its own."""

from collections.abc import Callable, Iterator

import pytest

from demo.phone import Phone
from tests.wire.phones.calling import connect, hang_up, received, talk
from tests.wire.phones.records import records_of
from tests.wire.phones.town import Town, kill_part, town_of_its_own

Registered = Callable[..., Phone]
Carrier = Callable[..., Phone]

LONDON = "02079460123"
STEP_S = 57


@pytest.fixture(scope="module")
def running_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town_of_its_own(tmp_path_factory.mktemp("bundles")) as town:
        yield town


def left_s(town: Town, account: str) -> list[int]:
    """Of each bundle, as the switch knows it."""
    live = town.run_json("account", "show", account)["live"]
    return [row["left_s"] for row in live["bundles"]] if live else []


def in_the_books(town: Town, bundle_id: int) -> tuple[int, int]:
    """Used by the sum that the database keeps, and by its rows."""
    rows = town.query(
        "SELECT b.used_s, (SELECT coalesce(sum(seconds), 0) FROM bundle_uses WHERE bundle_id = b.bundle_id) AS summed"
        " FROM bundle_balances b WHERE bundle_id = %s",
        bundle_id,
    )
    return int(rows[0]["used_s"]), int(rows[0]["summed"])


def test_a_grant_lets_an_account_without_credit_call_until_it_is_used_up(
    town: Town, registered: Registered, carrier: Carrier
) -> None:
    town.add_subscriber("erin", account="bundled", credit="0")
    erin, london = registered("erin"), carrier("carrier_a")
    assert erin.dial(town.uri(LONDON)).wait_ended().status == 402
    granted = town.run_json(
        "bundle", "grant", "bundled", "London 1", "--minutes", "1", "--group", "UK landline",
        "--prefix", "+442079460", "--increment", str(STEP_S),
    )  # fmt: skip
    bundle_id = granted["terms"]["id"]
    town.wait_until("grant in the switch", lambda: left_s(town, "bundled") == [60])
    call, theirs = connect(town, erin, LONDON, london)
    talk(1.2)
    hang_up(call, theirs)
    row = records_of(town, call.sip_call_id, legs=2)[0]
    assert (row.billed_s, row.bundled_s, row.bundles) == (STEP_S, STEP_S, f"{bundle_id}={STEP_S}")
    assert (row.cost_micros, row.outcome) == (0, "answered")
    town.wait_until("use in the books", lambda: in_the_books(town, bundle_id) == (STEP_S, STEP_S))
    call, theirs = connect(town, erin, LONDON, london)
    call.wait_ended()
    theirs.wait_ended()
    for phone, side in ((erin, call), (london, theirs)):
        assert received(phone, "BYE", sip_call_id=side.sip_call_id)
    row = records_of(town, call.sip_call_id, legs=2)[0]
    assert (row.billed_s, row.bundled_s, row.ended_by, row.cost_micros) == (3, 3, "credit", 0)
    assert 3000 <= row.duration_ms <= 4000
    assert erin.dial(town.uri(LONDON)).wait_ended().status == 402
    town.wait_until("use in the books", lambda: in_the_books(town, bundle_id) == (60, 60))
    shown = town.run_json("bundle", "show", str(bundle_id))
    assert (shown["bundle"]["left_s"], len(shown["uses"])) == (0, 2)
    assert town.query("SELECT FROM ledger JOIN accounts ON accounts.id = account_id WHERE name = 'bundled'") == []


def test_a_killed_switch_forgets_neither_what_was_used_nor_a_new_grant(
    town: Town, registered: Registered, carrier: Carrier
) -> None:
    town.add_subscriber("frank", account="crashed", credit="0")
    frank, london = registered("frank"), carrier("carrier_a")
    granted = town.run_json(
        "bundle", "grant", "crashed", "London 100", "--minutes", "100", "--prefix", "+4420", "--key", "order 1"
    )
    bundle_id = granted["terms"]["id"]
    town.wait_until("grant in the switch", lambda: left_s(town, "crashed") == [6000])
    call, theirs = connect(town, frank, LONDON, london)
    talk(3.0)
    kill_part(town, "switch", town.is_serving_without)
    call.wait_ended()
    theirs.wait_ended()
    row = records_of(town, call.sip_call_id, legs=2)[0]
    assert row.is_recovered
    assert 1 <= row.bundled_s == row.billed_s <= 5
    assert left_s(town, "crashed") == [6000 - row.bundled_s]
    town.wait_until("use in the books", lambda: in_the_books(town, bundle_id) == (row.bundled_s, row.bundled_s))
    again = town.run_json(
        "bundle", "grant", "crashed", "London 100", "--minutes", "100", "--prefix", "+4420", "--key", "order 1"
    )
    assert again["terms"]["id"] == bundle_id
    kill_part(town, "switch", town.is_serving_without)
    assert left_s(town, "crashed") == [6000 - row.bundled_s]
    town.run("bundle", "end", str(bundle_id))
    town.wait_until("end in the switch", lambda: left_s(town, "crashed") == [0])
    frank.register()
    assert frank.dial(town.uri(LONDON)).wait_ended().status == 402
    assert "ended" in town.run("bundle", "list", "crashed", "--all")
