"""Money that comes in while the exchange runs: `offhook up` with its billing process, Stripe's library against a fake
of its API, and phones that can call again (M15 and N16). On an exchange of its own."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo.exchange import ExchangeError
from demo.free_ports import free_port
from demo.phone import Phone
from tests.billing.payments import fake_stripe
from tests.billing.payments.fake_server import served
from tests.billing.payments.fake_stripe import FakeStripe
from tests.wire.phones.calling import connect, hang_up
from tests.wire.phones.town import Town, kill_part

Registered = Callable[..., Phone]
Carrier = Callable[..., Phone]

LONDON = "02079460123"
WAIT_S = 30.0
POLL_S = 0.05
PENCE = 10_000


class Till:
    """The town's door for webhooks, and Stripe behind it."""

    def __init__(self, fake: FakeStripe, port: int, metrics_port: int) -> None:
        self.fake = fake
        self.metrics = f"http://127.0.0.1:{metrics_port}/metrics"
        self._door = f"http://127.0.0.1:{port}"

    def is_open(self) -> bool:
        try:
            return httpx.get(f"{self._door}/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def tell(self, intent: str, *, event_id: str = "") -> int:
        headers, body = self.fake.event(
            "payment_intent.succeeded", {"id": intent, "object": "payment_intent"}, event_id=event_id
        )
        return httpx.post(f"{self._door}/webhooks/stripe", content=body, headers=headers).status_code


@pytest.fixture(scope="module")
def till() -> Iterator[Till]:
    fake = FakeStripe()
    with served(fake.app) as address:
        found = Till(fake, free_port(), free_port())
        fake.address = address  # type: ignore[attr-defined]
        yield found


@pytest.fixture(scope="module")
def running_town(tmp_path_factory: pytest.TempPathFactory, till: Till) -> Iterator[Town]:
    town = Town(tmp_path_factory.mktemp("payments"))
    text = (Path(__file__).parents[3] / "conf" / "billing.toml").read_text(encoding="utf-8")
    door, metrics = till._door.removeprefix("http://"), till.metrics.split("/")[2]
    text = text.replace('webhook_listen = ""', f'webhook_listen = "{door}"')
    text = text.replace('metrics_listen = ""', f'metrics_listen = "{metrics}"')
    text = text.replace('return_url = ""', 'return_url = "https://www.example.co.uk/paid"')
    text = text.replace(
        'name = ""\naddress = []', 'name = "Example Telephones Ltd"\naddress = ["1 Example Street"]'
    )
    (town.conf / "billing.toml").write_text(
        f'{text}\n[stripe]\napi = "{till.fake.address}"\n', encoding="utf-8"
    )  # type: ignore[attr-defined]
    secrets = town.conf / "billing_secrets.toml"
    secrets.touch(mode=0o600)
    secrets.write_text(
        f'[stripe]\nsecret_key = "{fake_stripe.SECRET_KEY}"\nwebhook_secret = "{fake_stripe.WEBHOOK_SECRET}"\n',
        encoding="utf-8",
    )
    try:
        town.start()
        town.populate()
        until(till.is_open, "the door for webhooks")
        yield town
    finally:
        town.stop()


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(POLL_S)


def live(town: Town, account: str) -> dict[str, Any]:
    found: dict[str, Any] = town.run_json("account", "show", account)["live"]
    return found


def pay(town: Town, till: Till, account: str, amount: str) -> str:
    """The customer opens the page and pays. The intent."""
    town.run("payment", "request", account, amount)
    return till.fake.pay(max(till.fake.sessions, key=lambda name: int(name.removeprefix("cs_"))))


def test_a_payment_lets_a_line_without_credit_call_within_seconds(
    town: Town, till: Till, registered: Registered, carrier: Carrier
) -> None:
    """M15: calls need a positive balance; N16: the top-up counts once, and at once."""
    town.add_subscriber("erin", account="empty", credit="0.001")
    erin, london = registered("erin"), carrier("carrier_a")
    refused = erin.dial(town.uri(LONDON))
    assert refused.wait_ended().status == 402
    intent = pay(town, till, "empty", "12.00")
    assert [till.tell(intent, event_id="evt_erin") for _ in range(3)] == [200, 200, 200]
    until(lambda: live(town, "empty")["balance_micros"] > 0, "the payment")
    assert live(town, "empty")["balance_micros"] == 12_000_000 + 1_000
    call, theirs = connect(town, erin, LONDON, london)
    hang_up(call, theirs)
    assert till.tell(intent) == 200  # another event of the same payment
    payments = town.run_json("payment", "list", "--account", "empty")
    assert [each["payment"]["state"] for each in payments] == ["received"]
    text = httpx.get(till.metrics).text
    assert "offhook_billing_news_stored_total" in text
    assert 'offhook_billing_webhook_answers_total{status="200"}' in text


def test_a_payment_taken_in_by_a_process_that_was_killed_is_credited_by_the_next(
    town: Town, till: Till
) -> None:
    town.add_subscriber("frank", account="killed", credit="0.001")
    intent = pay(town, till, "killed", "5.00")
    assert till.tell(intent) == 200

    def serves(killed: int) -> bool:
        with contextlib.suppress(ExchangeError):  # between two lives
            return town.part_id("billing") != killed and till.is_open()
        return False

    kill_part(town, "billing", serves)
    until(lambda: live(town, "killed")["balance_micros"] == 5_001_000, "the payment")
    assert till.tell(intent) == 200
    assert town.balance("killed") == 5_001_000


def test_money_that_a_call_holds_is_not_refunded_and_afterwards_it_is(
    town: Town, till: Till, registered: Registered, carrier: Carrier
) -> None:
    town.add_subscriber("grace", account="refunded", credit="0.001")
    assert till.tell(pay(town, till, "refunded", "1.00")) == 200
    until(lambda: live(town, "refunded")["balance_micros"] == 1_001_000, "the payment")
    [payment] = [each["payment"]["id"] for each in town.run_json("payment", "list", "--account", "refunded")]
    grace, london = registered("grace"), carrier("carrier_a")
    call, theirs = connect(town, grace, LONDON, london)
    assert live(town, "refunded")["reserved_micros"] > 1_000
    with pytest.raises(ExchangeError, match="held by calls"):
        town.run("payment", "refund", str(payment), "--reason", "asked")
    assert till.fake.refunds == {}
    assert town.balance("refunded") == 1_001_000, "given back"
    hang_up(call, theirs)
    until(lambda: live(town, "refunded")["reserved_micros"] == 0, "the call's end")
    town.run("payment", "refund", str(payment), "--amount", "0.50", "--reason", "asked")
    assert [each["amount"] for each in till.fake.refunds.values()] == [50]
    until(lambda: live(town, "refunded")["balance_micros"] < 501_000, "the refund at the switch")


def test_cheques_statements_and_the_daily_work_by_command(town: Town, tmp_path: Path) -> None:
    town.run("account", "add", "ledger", "--prepaid")
    first = town.run("payment", "record", "ledger", "12.00", "--method", "cheque", "--reference", "000123")
    again = town.run("payment", "record", "ledger", "12.00", "--method", "cheque", "--reference", "000123")
    assert ("recorded." in first, "before" in again) == (True, True)
    assert town.balance("ledger") == 12_000_000
    folder = town.conf / "statements"
    folder.mkdir()
    (folder / "mybank.toml").write_text('[statement]\ndate = "Date"\namount = "Amount"\ntexts = ["Text"]\n')
    file = tmp_path / "statement.csv"
    file.write_text("Date,Text,Amount\n03/11/2026,WHO KNOWS,7.00\n", encoding="utf-8")
    for new in (1, 0):
        told = town.run_json("payment", "import-statement", str(file), "--mapping", "mybank")
        assert (told["lines"], told["new"], told["unmatched"]) == (1, new, 1)
    [line] = town.run_json("payment", "unmatched")
    town.run("payment", "match", str(line["id"]), "--account", "ledger")
    assert town.balance("ledger") == 19_000_000
    town.run("bill", "due", "--on", "2026-12-01")
    assert town.run_json("payment", "events") == []
    town.run_json("bill", "mails")
    with pytest.raises(ExchangeError, match="credit check"):
        town.run("account", "add", "later", "--postpaid", "--inc-vat", "--credit-limit", "100")
    town.run(
        "account",
        "add",
        "later",
        "--postpaid",
        "--inc-vat",
        "--credit-limit",
        "100",
        "--credit-check",
        "Agency 1",
    )
    with pytest.raises(ExchangeError, match="good for"):
        town.run("account", "set", "later", "--credit-limit", "200")
    town.run("account", "set", "later", "--credit-limit", "200", "--override", "the owner knows them")
    assert town.run_json("account", "show", "later")["view"]["account"]["credit_limit_micros"] == 200_000_000
    checks = town.run_json("account", "check-credit", "later")
    assert [each["result"] for each in checks] == ["override", "positive"]
