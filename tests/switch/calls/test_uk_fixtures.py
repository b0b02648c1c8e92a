"""Calls of the UK, one row each, on a whole exchange with the tariff, the rules and the service codes that are shipped.

    999, 112, 18000, with 141 and 1470                free and allowed whatever is wrong: test_safety.py, worst_house
    *21*n#, *#21#, #21#                               test_service_codes.py, TABLE
    a divert to 09, 118, 999                          test_divert_matrix.py; set by a code: test_service_codes.py
    blocked unless the callee is an emergency service test_cli_policy.py; from lines below
    a top-up, a VAT invoice, interest, notices        tests/billing
"""

from pathlib import Path

import msgspec
import pytest

from provisioning.model import BundleBalance
from provisioning.settings import AccountSettings
from switch.conf_trunks import Origin
from switch.config import Conf, load_conf
from tests.switch.calls.test_bundle_calls import bundle
from tests.switch.calls.test_cli_policy import ABROAD, CARRIER
from tests.switch.house import DOMAIN, House, Phone, make_account, make_conf, make_line, make_trunk
from tests.tables import cases

SHIPPED = Path(__file__).parents[3] / "conf"
OWN = "+441632960001"


@pytest.fixture(scope="module")
def shipped() -> Conf:
    return load_conf(SHIPPED)


def town(
    shipped: Conf, *, balance: int = 10_000_000, opted_in: tuple[str, ...] = (), **more: object
) -> tuple[House, Phone, Phone]:
    trunks = [make_trunk("carrier", CARRIER), make_trunk("abroad", ABROAD, origin=Origin.INTERNATIONAL)]
    listed = msgspec.structs.replace(shipped.cli, listed=frozenset({"+441632960666"}))
    conf = msgspec.structs.replace(
        make_conf(trunks=trunks), tariffs=shipped.tariffs, cli=listed, safety=shipped.safety, services=shipped.services
    )
    house = House(
        conf=conf,
        lines=[make_line("alice")],
        accounts=[make_account(settings=AccountSettings(opted_in=opted_in))],
        numbers={OWN: "alice"},
        balances={1: balance},
        **more,
    )
    alice, carrier = house.phone("alice", "192.0.2.10"), house.phone("carrier", CARRIER)
    alice.register()
    return house, alice, carrier


def call(house: House, alice: Phone, dialled: str) -> None:
    """61 seconds, where it is answered."""
    is_uri = dialled.startswith(("sip:", "tel:"))
    alice.invite("" if is_uri else dialled, uri=dialled if is_uri else "")
    house.run(61.4)
    if alice.dialogs:
        alice.hang_up()
    house.run(40)
    house.assert_clean()


@pytest.mark.parametrize(
    ("dialled", "number", "name", "pence"),
    cases(
        """
        # dialled                                number         on_the_bill                pence_for_61_s
        01632960123                              +441632960123  UK~landline                1.22
        +441632960123                            +441632960123  UK~landline                1.22
        00441632960123                           +441632960123  UK~landline                1.22
        sip:01632960123@example.com;user=phone   +441632960123  UK~landline                1.22
        0169772345                               +44169772345   UK~landline                1.22
        0120462345                               +44120462345   UK~landline                1.22
        02079460123                              +442079460123  UK~landline                1.22
        01154960123                              +441154960123  UK~landline                1.22
        03069990123                              +443069990123  UK~wide~03                 1.22
        07700900123                              +447700900123  UK~mobile                  9.15
        07624123456                              +447624123456  Isle~of~Man~mobile         30.5
        07612345678                              +447612345678  UK~pager                   61
        07012345678                              +447012345678  UK~personal~number~070     61
        05601056056                              +445601056056  UK~VoIP~056                6.1
        08081570123                              +448081570123  UK~freephone               0
        116123                                   116123         Social~helpline~116        0
        """
    ),
)
def test_a_number_is_reached_and_costs_what_its_kind_costs(
    shipped: Conf, dialled: str, number: str, name: str, pence: str
) -> None:
    house, alice, carrier = town(shipped)
    call(house, alice, dialled)
    row = house.journal.cdrs()[0]
    assert (row.outcome, row.destination, row.destination_name) == ("answered", number, name.replace("~", " "))
    assert row.cost_micros == round(float(pence) * 10_000)
    assert carrier.requests_of("INVITE")[0].uri == f"sip:{number}@{CARRIER}:5060"


@pytest.mark.parametrize("dialled", ["01632960123", "03069990123"])
def test_03_uses_the_minutes_that_landlines_use(shipped: Conf, dialled: str) -> None:
    house, alice, _ = town(shipped, balance=0, bundles=[BundleBalance(bundle(groups=("uk_landline",)))])
    call(house, alice, dialled)
    row = house.journal.cdrs()[0]
    assert (row.outcome, row.bundled_s, row.cost_micros) == ("answered", 61, 0)


@pytest.mark.parametrize("dialled", ["08081570123", "116123"])
def test_what_is_free_is_free_without_credit(shipped: Conf, dialled: str) -> None:
    house, alice, _ = town(shipped, balance=0)
    call(house, alice, dialled)
    assert house.journal.cdrs()[0].outcome == "answered"
    call(house, alice, "01632960123")
    assert house.journal.cdrs()[2].outcome == "no_credit"


def test_premium_rate_has_to_be_asked_for_and_then_costs_no_more_than_the_law_allows(shipped: Conf) -> None:
    house, alice, _ = town(shipped)
    call(house, alice, "09098790123")
    assert house.journal.cdrs()[0].outcome == "not_opted_in"
    house, alice, _ = town(shipped, balance=100_000_000, opted_in=("premium",))
    call(house, alice, "09098790123")
    row = house.journal.cdrs()[0]
    assert row.outcome == "answered"
    assert 0 < row.service_charge_micros <= 6_000_000 + 3_660_000  # 6 pounds a call, and 3.60 a minute
    assert row.cost_micros == row.access_charge_micros + row.service_charge_micros


def test_directory_enquiries_cost_no_more_than_the_law_allows_for_90_seconds(shipped: Conf) -> None:
    house, alice, _ = town(shipped, balance=100_000_000)
    alice.invite("118500")
    house.run(90.4)
    alice.hang_up()
    house.run(40)
    row = house.journal.cdrs()[0]
    assert row.outcome == "answered"
    assert 0 < row.service_charge_micros <= 3_650_000


def test_a_range_that_nobody_has_is_no_number(shipped: Conf) -> None:
    house, alice, carrier = town(shipped)
    call(house, alice, "0500123456")
    row = house.journal.cdrs()[0]
    assert (row.sip_status, row.q850_cause, row.cost_micros) == (404, 1, 0)
    assert carrier.requests == []


def test_141_withholds_from_everybody_but_the_network(shipped: Conf) -> None:
    house, alice, carrier = town(shipped)
    call(house, alice, "14102079460123")
    (invite,) = carrier.requests_of("INVITE")
    assert invite.headers.get("from").startswith('"Anonymous" <sip:anonymous@anonymous.invalid>')
    assert invite.headers.get("p-asserted-identity") == f"<sip:{OWN}@{DOMAIN}>"
    assert invite.headers.get("privacy") == "id"


@pytest.mark.parametrize(
    ("trunk", "number", "status", "shown"),
    cases(
        """
        # trunk   number         status  shown
        abroad    +441632960123  403     -
        abroad    +447700900123  200     anonymous
        carrier   +447700900123  200     +447700900123
        carrier   +449098790123  403     -
        carrier   1234           403     -
        carrier   +441081234567  403     -
        carrier   +441632960666  403     -
        """
    ),
)
def test_a_carriers_number_is_believed_hidden_or_refused(
    shipped: Conf, trunk: str, number: str, status: str, shown: str
) -> None:
    house, alice, _ = town(shipped)
    peer = house.phone(trunk, ABROAD if trunk == "abroad" else CARRIER)
    host = peer.address[0]
    peer.invite(OWN, from_=f"<sip:{number}@{host}>", extra=[("p-asserted-identity", f"<sip:{number}@{host}>")])
    house.run(2)
    assert peer.statuses[-1] == int(status)
    if status == "403":
        assert "Q.850;cause=21" in peer.responses[-1].headers.get("reason")
        assert alice.requests == []
    else:
        assert alice.requests_of("INVITE")[0].from_.uri.startswith(f"sip:{shown}@")
