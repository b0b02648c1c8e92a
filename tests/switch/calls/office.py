"""An office with three lines on one account, two people outside it on accounts of their own, and a carrier.

alice and dora are accounts 1 and 3; bob, ben and boss are account 2. Calls between lines cost a penny and 3 a minute
begun, so that it shows who pays for what.
"""

from collections import Counter

from provisioning.settings import LineSettings
from rating.records import Cdr
from rating.tariff import load_tariff
from switch.calls.routing import make_routing
from switch.sip.dialog import Dialog
from switch.sip.message import Response
from tests.link import Link
from tests.switch.house import (
    DOMAIN,
    TARIFF_CSV,
    House,
    Phone,
    make_account,
    make_conf,
    make_line,
    make_trunk,
)
from tests.switch.voicemail_stand_in import StandIn, voicemail_conf

NUMBERS = {
    "+441632960001": "alice",
    "+441632960002": "bob",
    "+441632960003": "ben",
    "+441632960004": "boss",
    "+441632960005": "dora",
}
STRANGER = "+442079460123"
TARIFF = load_tariff("retail", TARIFF_CSV + "on-net,On-net,0.01,0.03,60,60,2020-01-01,\n", "inc_vat")
BALANCE = 5_000_000
DESK = LineSettings(pickup_group="desk")


class Office:
    def __init__(
        self,
        *,
        link: Link | None = None,
        with_media_server: bool = True,
        state: dict[str, bytes] | None = None,
    ) -> None:
        routing = make_routing({"+": ("out",)}, version="routing1", emergency_trunks=("out",))
        trunks = [make_trunk("in", "192.0.2.50"), make_trunk("out", "192.0.2.60")]
        conf = make_conf(trunks=trunks, tariff=TARIFF, routing=routing)
        self.house = House(
            conf=voicemail_conf(conf) if with_media_server else conf,
            lines=[
                make_line("alice", 1),
                make_line("bob", 2, settings=DESK),
                make_line("ben", 2, settings=DESK),
                make_line("boss", 2),
                make_line("dora", 3, settings=DESK),
            ],
            accounts=[make_account(number) for number in (1, 2, 3)],
            numbers=NUMBERS,
            balances=dict.fromkeys((1, 2, 3), BALANCE),
            link=link,
            state=state,
        )
        self.voicemail = StandIn(self.house) if with_media_server else None
        hosts = ("alice", "bob", "ben", "boss", "dora")
        self.phones = {user: self.house.phone(user, f"192.0.2.{10 + n}") for n, user in enumerate(hosts)}
        self.alice, self.bob, self.ben, self.boss, self.dora = (self.phones[user] for user in hosts)
        self.stranger = self.house.phone("in", "192.0.2.50")
        self.mobile = self.house.phone("out", "192.0.2.60")
        for phone in self.phones.values():
            phone.register()

    def run(self, seconds: float) -> None:
        self.house.run(seconds)

    def call(self, phone: Phone, dialled: str) -> Dialog:
        """A call that is answered; its dialog."""
        phone.invite(dialled)
        self.run(2)
        assert phone.statuses[-1] == 200, phone.statuses
        return phone.dialogs[-1]

    def status_of(self, phone: Phone, dialled: str, **settings: object) -> int:
        """The last answer to an INVITE of this phone."""
        before = len(phone.statuses)
        phone.invite(dialled, **settings)
        self.run(2)
        return next((status for status in phone.statuses[before:] if status >= 200 and status != 407), 0)

    def refer(self, phone: Phone, target: str, dialog: Dialog | None = None) -> Response:
        dialog = dialog or phone.dialogs[-1]
        request = dialog.create_request("REFER", contact=f"<{phone.contact}>")
        request.headers.add("refer-to", target if "<" in target else f"<sip:{target}@{DOMAIN}>")
        phone.responses.clear()
        phone.stack.send_request(request, phone.flow, phone, self.house.clock.now)
        self.run(0.1)
        return next(response for response in phone.responses if response.cseq.method == "REFER")

    def conversations(self) -> list[list[str]]:
        """Who talks with whom, by name."""
        found = []
        for call in self.house.exchange.board.calls.values():
            ends = [*call.talkers, *([call.joined] if call.joined is not None else [])]
            names = sorted(leg.target.name if leg.index else leg.line_user or leg.trunk.name for leg in ends)
            if names and names not in found:
                found.append(names)
        return sorted(found)

    def rows(self) -> list[Cdr]:
        return self.house.journal.cdrs()

    def assert_money_adds_up(self) -> dict[int, int]:
        """By account: what its rows say is what its balance lost and what the ledger has."""
        costs: Counter[int] = Counter()
        for row in self.rows():
            if row.cost_micros:
                assert row.payer_account_id is not None
                costs[row.payer_account_id] += row.cost_micros
        ledger: Counter[int] = Counter()
        for entry in self.house.journal.usage():
            ledger[entry.account_id] -= entry.amount_micros
        assert ledger == costs
        assert {number: BALANCE - self.house.balance(number) for number in (1, 2, 3)} == {
            number: costs[number] for number in (1, 2, 3)
        }
        return costs

    def end(self, phone: Phone) -> None:
        phone.hang_up()
        self.run(2)
        self.assert_over()

    def assert_over(self) -> None:
        self.house.assert_clean()
        assert self.house.exchange.counts.bugs == 0
        assert self.house.exchange.timers is not None
        assert [row.outcome for row in self.rows() if row.outcome == "open"] == []


def names_dialog(phone: Phone, dialog: Dialog | None = None) -> list[tuple[str, str]]:
    """The Replaces that names a dialog of this phone with us, as we know it."""
    dialog = dialog or phone.dialogs[-1]
    value = f"{dialog.call_id};to-tag={dialog.remote_tag};from-tag={dialog.local_tag}"
    return [("replaces", value)]


def names_ringing(phone: Phone) -> list[tuple[str, str]]:
    """The same of a call that rings there."""
    transaction = phone._ringing[-1]
    request = transaction.request
    value = f"{request.call_id};to-tag={request.from_tag};from-tag={transaction.user_data};early-only"
    return [("replaces", value)]


def notified(phone: Phone) -> list[str]:
    return [notify.body.decode().strip() for notify in phone.requests_of("NOTIFY")]
