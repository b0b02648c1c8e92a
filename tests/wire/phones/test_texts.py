"""Texts to a phone that is away, across a killed switch, and by a carrier: pjsua2 and linphone write and read them."""

import shutil
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from demo.phone import Phone
from demo.phone_messages import SendText, TextArrived, TextSent
from offhook.control_client import ask
from tests.wire.phones.calling import header, received
from tests.wire.phones.linphone import Linphone
from tests.wire.phones.town import LINES, Town, kill_part, town_of_its_own

MICROS_PER_TEXT = 50_000
RECORD_TIMEOUT_S = 10.0


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """An exchange that suffers, with a carrier that takes texts at 5p each."""
    with town_of_its_own(tmp_path_factory.mktemp("texts")) as town:
        trunks = town.conf / "trunks.toml"
        written = trunks.read_text(encoding="utf-8")
        trunks.write_text(
            written.replace("[trunk.carrier_b]\n", "[trunk.carrier_b]\nmessages = true\n"), encoding="utf-8"
        )
        with (town.conf / "tariffs" / "retail.csv").open("a") as file:
            file.write("sms:+447,Text to a UK mobile,0.05,0,1,1,2020-01-01,\n")
        town.run("reload")
        yield town


def start(town: Town, user: str, started: list[Phone]) -> Phone:
    started.append(Phone.start(town.settings(user)))
    started[-1].register()
    return started[-1]


def waiting(town: Town) -> list[dict[str, Any]]:
    """What `offhook messages --json` prints."""
    rows: list[dict[str, Any]] = ask(town.data, "messages")
    return rows


def test_texts_wait_for_a_phone_and_outlive_the_switch(village: Town, started: list[Phone]) -> None:
    alice = start(village, "alice", started)
    texts = ["first, grüße", "second", "third"]
    for number, text in enumerate(texts, start=1):
        mark = alice.mark()
        alice.tell(SendText(village.uri("01632960002"), text))
        assert alice.wait_for(TextSent, "the answer to its text", after=mark).status == 202
        assert [(row["user"], row["waiting"]) for row in waiting(village)] == [("bob", number)]
    assert "first" not in village.run("messages")
    kill_part(village, "switch", village.is_serving_without)
    assert [(row["user"], row["waiting"]) for row in waiting(village)] == [("bob", 3)]
    bob = start(village, "bob", started)
    village.wait_until("delivery", lambda: not waiting(village))
    assert [arrived.text for arrived in bob.events_of(TextArrived)] == texts
    messages = received(bob, "MESSAGE")
    sent = [parsedate_to_datetime(header(message, "Date") or "") for message in messages]
    assert sent == sorted(sent)
    assert LINES["alice"] in (header(messages[0], "From") or "")


@pytest.mark.skipif(shutil.which("linphone-daemon") is None, reason="linphone-cli is not installed")
def test_linphone_is_handed_what_waited_for_it(village: Town, started: list[Phone]) -> None:
    """It cannot write itself: its daemon leaves the port out of the address that it writes to."""
    alice = start(village, "alice", started)
    alice.tell(SendText(village.uri("01632960003"), "are you there?"))
    assert alice.wait_for(TextSent, "the answer to its text").status == 202
    linphone = Linphone(village, "carol")
    linphone.start()
    try:
        linphone.register()
        village.wait_until("delivery", lambda: not waiting(village))
        assert linphone.has_received("are you there?")
        mark = alice.mark()
        alice.tell(SendText(village.uri("01632960003"), "now you are"))
        assert alice.wait_for(TextSent, "the answer to its text", after=mark).status == 200
    finally:
        linphone.stop()


def test_a_carrier_takes_a_text_and_sends_one(village: Town, started: list[Phone]) -> None:
    alice = start(village, "alice", started)
    carrier = village.start_carrier("carrier_b")
    started.append(carrier)
    before = village.balance("shop")
    alice.tell(SendText(village.uri("07700900123"), "to a mobile"))
    assert alice.wait_for(TextSent, "the answer to its text").status == 200
    assert carrier.wait_for(TextArrived, "the text").text == "to a mobile"
    [message] = received(carrier, "MESSAGE")
    assert message.text.startswith("MESSAGE sip:+447700900123@")
    assert LINES["alice"] in (header(message, "Remote-Party-ID") or "")
    village.wait_until("charge", lambda: village.balance("shop") == before - MICROS_PER_TEXT)
    rows = village.query("SELECT * FROM cdrs WHERE destination = %s ORDER BY leg", "+447700900123")
    assert [(row["leg_reason"], row["cost_micros"]) for row in rows] == [
        ("a message", MICROS_PER_TEXT),
        ("a message by trunk carrier_b", 0),
    ]
    carrier.tell(SendText(village.uri("+441632960001"), "from a mobile"))
    assert alice.wait_for(TextArrived, "a text").text == "from a mobile"
