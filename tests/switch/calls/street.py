"""alice calls bob; one of them sends the other on to carol, to a mobile by the carrier, or to carol's voicemail.

alice, bob and carol are accounts 1, 2 and 3.
"""


from collections import Counter

from provisioning.model import Divert, DivertKind
from rating.records import Cdr
from rating.tariff import load_tariff
from switch.calls.routing import make_routing
from switch.sip.dialog import Dialog
from switch.sip.message import Response
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
from tests.switch.voicemail_stand_in import ALL, StandIn, voicemail_conf

ALICE, BOB, CAROL = "+441632960001", "+441632960002", "+441632960003"
MOBILE, STRANGER = "+447700900123", "+442079460123"
MORE_RATES = "on-net,On-net,0.01,0.03,60,60,2020-01-01,\n101,Police,0,0,1,1,2020-01-01,\n"
TARIFF = load_tariff("retail", TARIFF_CSV + MORE_RATES, "inc_vat")
BALANCE = 5_000_000


class Street:
    def __init__(self, *, carol: tuple[Divert, ...] = ()) -> None:
        routing = make_routing({"+": ("out",), "101": ("out",)}, version="routing1", emergency_trunks=("out",))
        trunks = [make_trunk("in", "192.0.2.50"), make_trunk("out", "192.0.2.60")]
        self.house = House(
            conf=voicemail_conf(make_conf(trunks=trunks, tariff=TARIFF, routing=routing)),
            lines=[make_line("alice", 1), make_line("bob", 2), make_line("carol", 3, diverts=carol)],
            accounts=[make_account(number) for number in (1, 2, 3)],
            numbers={ALICE: "alice", BOB: "bob", CAROL: "carol"},
            balances=dict.fromkeys((1, 2, 3), BALANCE),
        )
        self.voicemail = StandIn(self.house)
        self.alice = self.house.phone("alice", "192.0.2.10")
        self.bob = self.house.phone("bob", "192.0.2.20")
        self.carol = self.house.phone("carol", "192.0.2.30")
        self.stranger = self.house.phone("in", "192.0.2.50")
        self.mobile = self.house.phone("out", "192.0.2.60")
        for phone in (self.alice, self.bob, self.carol):
            phone.register()

    def talk(self, seconds: float = 10) -> None:
        self.house.run(seconds)

    def answer(self, phone: Phone, dialled: str) -> Dialog:
        """A call by this phone that is answered; its dialog."""
        phone.invite(dialled)
        self.house.run(2)
        assert phone.statuses[-1] == 200
        return phone.dialogs[-1]

    def refer(self, phone: Phone, target: str, dialog: Dialog | None = None) -> Response:
        dialog = dialog or phone.dialogs[-1]
        request = dialog.create_request("REFER", contact=f"<{phone.contact}>")
        request.headers.add("refer-to", target)
        phone.responses.clear()
        phone.stack.send_request(request, phone.flow, phone, self.house.clock.now)
        self.house.run(0.1)
        return next(response for response in phone.responses if response.cseq.method == "REFER")

    def conversations(self) -> list[set[str]]:
        """Who talks with whom, by name."""
        found = []
        for call in self.house.exchange.board.calls.values():
            ends = [*call.talkers, *([call.joined] if call.joined is not None else [])]
            names = {leg.target.name if leg.index else _name(call) for leg in ends if leg.call is call}
            names |= {
                leg.target.name if leg.index else _name(leg.call) for leg in ends if leg.call is not call
            }
            if names not in found:
                found.append(names)
        return found

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
        self.house.run(2)
        self.house.assert_clean()
        assert self.house.exchange.counts.bugs == 0


def _name(call: object) -> str:
    caller = call.caller
    return caller.line.user if hasattr(caller, "line") else caller.trunk.name


def notified(phone: Phone) -> list[str]:
    return [notify.body.decode().strip() for notify in phone.requests_of("NOTIFY")]


TARGETS = ("line", "trunk", "voicemail")
WHERE = {
    "line": f"<sip:carol@{DOMAIN}>",
    "trunk": f"<sip:07700900123@{DOMAIN}>",
    "voicemail": f"<sip:carol@{DOMAIN}>",
}
NAME = {"line": "carol", "trunk": "out", "voicemail": "voicemail"}


def street_for(target: str) -> Street:
    return Street(carol=(Divert(ALL, DivertKind.VOICEMAIL),) if target == "voicemail" else ())
