"""JsSIP in a real Chromium registers, calls, holds, resumes and hangs up over secure WebSocket: the signalling."""

from pathlib import Path

import pytest

from sipp_scenarios.sipp import Sipp, SippRun, sipp_program
from tests.wire.browser.browser import Browser, BrowserPhone
from tests.wire.browser.conftest import Phones, WebTown
from tests.wire.phones.town import LINES


@pytest.mark.parametrize("hangs_up", ["caller", "callee"])
def test_two_browser_phones_talk_hold_and_hang_up(town: WebTown, phones: Phones, hangs_up: str) -> None:
    alice, bob = phones.start("alice"), phones.start("bob")
    [binding] = town.registrations("alice")
    assert binding["source"].startswith("wss:")
    alice.dial(town.uri("01632960002"))
    assert LINES["alice"] in bob.wait_for("arrived")["caller"]
    alice.wait_for("ringing")
    bob.answer()
    for phone in (alice, bob):
        phone.wait_for("confirmed")
    alice.hold()
    assert bob.wait_for("hold")["by"] == "remote"
    alice.resume()
    assert bob.wait_for("unhold")["by"] == "remote"
    bob.hold()
    assert alice.wait_for("hold")["by"] == "local"
    bob.resume()
    (alice if hangs_up == "caller" else bob).hang_up()
    for phone in (alice, bob):
        phone.wait_for("ended")


def test_a_browser_gives_up_while_it_rings(phones: Phones) -> None:
    alice, bob = phones.start("alice"), phones.start("bob")
    alice.dial("01632960002")
    bob.wait_for("arrived")
    alice.wait_for("ringing")
    alice.hang_up()
    for phone in (alice, bob):
        assert phone.wait_for("failed")["cause"] == "Canceled"


def test_a_browser_refuses_a_call(town: WebTown, phones: Phones) -> None:
    alice, bob = phones.start("alice"), phones.start("bob")
    alice.dial("01632960002")
    bob.wait_for("arrived")
    bob.hang_up()
    assert alice.wait_for("failed")["status"] == 480


@pytest.mark.skipif(sipp_program() is None, reason="SIPp is not installed (Debian package sip-tester)")
def test_a_browser_calls_a_carrier_over_udp(town: WebTown, phones: Phones, tmp_path: Path) -> None:
    """WSS and secured sound on one side, UDP and plain RTP on the other."""
    alice = phones.start("alice")
    carrier = Sipp(
        xml="carrier_answers_browser",
        user="carrier",
        folder=Path(__file__).parent,
        port=town.carrier_ports["carrier_a"],
        exchange_port=town.port,
    )
    with SippRun(carrier, tmp_path) as run:
        run.wait_until_bound()
        alice.dial(town.uri("02079460123"))
        alice.wait_for("confirmed")
        alice.hang_up()
        run.finish()


def test_plain_websocket_is_served_too(town: WebTown, phones: Phones) -> None:
    phones.start("alice", url=town.ws_url)
    [binding] = town.registrations("alice")
    assert binding["source"].startswith("ws:")


def test_a_page_of_another_origin_is_refused(town: WebTown, browser: Browser) -> None:
    """The same listener, asked by a page that the operator has not listed: `localhost` is not the address."""
    browser.evaluate("0")
    phone = BrowserPhone(
        browser,
        "stranger",
        url=town.wss_url.replace("/", "/elsewhere", 3),
        uri="sip:bob@127.0.0.1",
        password="x",
    )
    assert phone.wait_for("disconnected")["code"] == 1006
    phone.stop()
