"""What becomes of phones' registrations goes on record, and a customer hears when his line is offline.

pjsua2 phones on an exchange of their own, with short times: they unregister, are killed, know a wrong password, and
lose their connection when the edge is killed. Mails go to an SMTP server (aiosmtpd) from the billing process.
"""

import email
import email.policy
import os
import signal
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from demo.exchange import HOST, ExchangeError
from demo.free_ports import free_port
from demo.phone import Phone
from demo.phone_messages import Transport
from tests.wire.phones.town import POLL_S, Town, kill_part

Starter = Callable[..., Phone]

CONF = Path(__file__).parents[3] / "conf"
OFFLINE_AFTER_S = 10
EVENTS_TIMEOUT_S = 60.0


class Inbox:
    """A mail server that keeps what it takes."""

    def __init__(self) -> None:
        self.port = free_port()
        self.mails: list[EmailMessage] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"

    @property
    def subjects(self) -> list[str]:
        return [mail["Subject"] for mail in self.mails]


@pytest.fixture(scope="module")
def inbox() -> Iterator[Inbox]:
    inbox = Inbox()
    controller = Controller(inbox, hostname=HOST, port=inbox.port)
    controller.start()
    yield inbox
    controller.stop()


@pytest.fixture(scope="module")
def running_town(tmp_path_factory: pytest.TempPathFactory, inbox: Inbox) -> Iterator[Town]:
    town = Town(tmp_path_factory.mktemp("history"))
    main = town.conf / "offhook.toml"
    short = f"[registrar]\nmin_expires_s = 5\noffline_after_s = {OFFLINE_AFTER_S}\n"
    main.write_text(main.read_text("utf-8").replace("[registrar]\n", short, 1), "utf-8")
    text = (CONF / "billing.toml").read_text("utf-8")
    for old, new in (
        ('name = ""\naddress = []', 'name = "Example Telephones Ltd"\naddress = ["1 Example Street"]'),
        ('host = ""\nport = 25', f'host = "{HOST}"\nport = {inbox.port}'),
        ('sender = ""', 'sender = "billing@example.co.uk"'),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    (town.conf / "billing.toml").write_text(text, "utf-8")
    try:
        town.start()
        town.populate()
        yield town
    finally:
        town.stop()


def events(town: Town, line: str, **where: str) -> list[dict[str, Any]]:
    """As PostgreSQL has them, oldest first."""
    found = town.query("SELECT * FROM registration_events WHERE line = %s ORDER BY at, id", line)
    return [row for row in found if all(row[name] == value for name, value in where.items())]


def told(town: Town, line: str, since: int = 0) -> list[str]:
    return [row["event"] for row in events(town, line)][since:]


def until(what: str, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + EVENTS_TIMEOUT_S
    while not is_so():
        assert time.monotonic() < deadline, f"no {what}"
        time.sleep(POLL_S)


def kill(phone: Phone) -> None:
    """It says nothing more, to nobody."""
    os.kill(phone.process_id, signal.SIGKILL)


def test_a_phone_registers_and_unregisters(town: Town, registered: Starter) -> None:
    alice = registered("alice")
    until("registered", lambda: told(town, "alice") == ["registered"])
    (row,) = events(town, "alice")
    assert row["source"] == alice.address and row["transport"] == "UDP"
    assert row["contact"] == f"sip:alice@{alice.address};ob"
    assert row["user_agent"] == "pjsua2 (alice)"
    assert row["via"].startswith("SIP/2.0/UDP ")
    alice.unregister()
    until("left", lambda: told(town, "alice") == ["registered", "left"])


def test_a_wrong_password_and_an_unknown_user_are_on_record_with_their_reasons(
    town: Town, phone: Starter
) -> None:
    stranger = phone(town.settings("dave", password="not-his-password"))
    assert not stranger.try_to_register().is_registered
    until("refusal", lambda: told(town, "dave") == ["refused"])
    (row,) = events(town, "dave")
    assert (row["reason"], row["claimed"], row["source"]) == ("wrong password", "", stranger.address)
    other = phone(town.settings("dvae", name="other", password="not-his-password"))
    assert not other.try_to_register().is_registered
    until("stranger", lambda: bool(events(town, "", claimed="dvae")))
    assert {row["reason"] for row in events(town, "", claimed="dvae")} == {"unknown user"}
    found = town.run_json("line", "registrations", "dave")
    assert [each["reason"] for each in found["events"]] == ["wrong password"]
    assert found["spans"] == []


def test_a_tcp_phone_that_is_killed_is_lost(town: Town, registered: Starter) -> None:
    bob = registered("bob", transport=Transport.TCP)
    until("registered", lambda: told(town, "bob") == ["registered"])
    kill(bob)
    until("lost", lambda: told(town, "bob")[:2] == ["registered", "lost"])
    first, second = events(town, "bob")[:2]
    assert (first["source"], first["transport"]) == (second["source"], "TCP")


def test_a_udp_phone_that_is_killed_expires_and_its_customer_hears_of_it_until_it_is_back(
    town: Town, phone: Starter, inbox: Inbox
) -> None:
    town.run("line", "set", "carol", "offline_mail=carol@example.com")
    carol = phone(town.settings("carol", register_for_s=8))
    carol.register()
    until("registered", lambda: told(town, "carol")[:1] == ["registered"])
    kill(carol)
    until("expired and offline", lambda: told(town, "carol") == ["registered", "expired", "offline"])
    until("mail", lambda: inbox.subjects == ["Line carol is offline"])
    again = phone(town.settings("carol", name="again"))
    again.register()
    until("online", lambda: told(town, "carol")[3:] == ["registered", "online"])
    until("second mail", lambda: inbox.subjects == ["Line carol is offline", "Line carol is back"])
    assert {mail["To"] for mail in inbox.mails} == {"carol@example.com"}
    found = town.run_json("line", "registrations", "carol")
    assert [span["ended_by"] for span in found["spans"]] == ["expired", ""]
    assert [gap["after"] for gap in found["gaps"]] == ["", "expired"]
    assert "carol" in town.run("line", "registrations", "carol")


def test_phones_are_lost_with_the_edge_and_back_and_a_restart_of_the_switch_tells_nothing(
    town: Town, registered: Starter
) -> None:
    udp, tcp = registered("both"), registered("sha", transport=Transport.TCP)
    until("registered", lambda: told(town, "both") == ["registered"] == told(town, "sha"))

    kill_part(town, "switch", town.is_serving_without)
    udp.register()
    tcp.register()
    assert (told(town, "both"), told(town, "sha")) == (["registered"], ["registered"])

    kill_part(town, "switch.edge", lambda killed: _edge_is_back(town, killed))
    until("lost", lambda: told(town, "sha")[:2] == ["registered", "lost"])
    tcp.register()
    until("back", lambda: "back" in told(town, "sha"))
    assert told(town, "both") == ["registered"]
    assert told(town, "sha") == ["registered", "lost", "back"]


def _edge_is_back(town: Town, killed: int) -> bool:
    try:
        return town.part_id("switch.edge") != killed and town.status()["edge"] == "connected"
    except ExchangeError:
        return False
