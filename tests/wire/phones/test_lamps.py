"""A console watches a line while pjsua2 phones call each other: its documents follow RFC 4235 and the call.

SIPp is the console: of the phones at hand (pjsua2, baresip, linphone) none subscribes to the dialog package.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.free_ports import free_port
from demo.phone import Phone
from sipp_scenarios.sipp import Sipp, SippRun, sipp_program
from tests.switch.events.dialog_info import DialogInfo, read_dialog_info
from tests.wire.phones.calling import connect, hang_up, header, received, ring
from tests.wire.phones.town import LINES, PASSWORD, Town

SCENARIOS = Path(__file__).parent / "lamps_sipp"

pytestmark = pytest.mark.skipif(
    sipp_program() is None, reason="sipp is not installed: apt-get install sip-tester"
)


def console(town: Town, watched: str, directory: Path) -> SippRun:
    sipp = Sipp(
        xml="watches_line",
        folder=SCENARIOS,
        port=free_port(),
        exchange_port=town.port,
        user="carol",
        password=PASSWORD,
        keys={"watched": watched},
    )
    return SippRun(sipp, directory)


def documents(directory: Path) -> list[DialogInfo]:
    """Each that came so far, repeats left out."""
    text = (directory / "watches_line.messages").read_text("utf-8")
    bodies = dict.fromkeys(re.findall(r"<\?xml.*?</dialog-info>", text, re.DOTALL))
    return [read_dialog_info(body.encode()) for body in bodies]


def wait_for(town: Town, directory: Path, state: str) -> DialogInfo:
    def is_so() -> bool:
        found = documents(directory)
        return bool(found) and [d.state for d in found[-1].dialogs.values()] == [state]

    town.wait_until(f"document with a dialog that is {state}", is_so)
    return documents(directory)[-1]


def test_a_console_sees_a_call_ring_answered_and_ended(
    town: Town, registered: Callable[..., Phone], tmp_path: Path
) -> None:
    alice, bob = registered("alice"), registered("bob")
    with console(town, "bob", tmp_path) as run:
        town.wait_until("subscription", lambda: bool(town.subscriptions("carol")))
        call, theirs = ring(town, alice, "01632960002", bob)
        [ringing] = wait_for(town, tmp_path, "early").dialogs.values()
        [invite] = received(bob, "INVITE", sip_call_id=theirs.sip_call_id)
        assert (ringing.direction, ringing.call_id) == ("recipient", header(invite, "Call-ID"))
        assert ringing.remote == f"sip:{LINES['alice']}@{town.address.partition(':')[0]}"
        assert f"tag={ringing.remote_tag}" in (header(invite, "From") or "")
        assert ringing.local_tag
        theirs.answer()
        wait_for(town, tmp_path, "confirmed")
        hang_up(call, theirs)
        run.finish()
    found = documents(tmp_path)
    assert [document.version for document in found] == list(range(len(found)))
    assert found[0].dialogs == {}
    assert found[-1].live == []
    assert town.subscriptions("carol") == []


def test_a_console_sees_who_makes_a_call(
    town: Town, registered: Callable[..., Phone], tmp_path: Path
) -> None:
    alice, bob = registered("alice"), registered("bob")
    with console(town, "01632960001", tmp_path) as run:
        town.wait_until("subscription", lambda: bool(town.subscriptions("carol")))
        call, theirs = connect(town, alice, "01632960002", bob)
        [dialog] = wait_for(town, tmp_path, "confirmed").dialogs.values()
        assert (dialog.direction, dialog.call_id) == ("initiator", "")
        assert dialog.remote.startswith(f"sip:{LINES['bob']}@")
        hang_up(call, theirs)
        run.finish()
    assert town.subscriptions("carol") == []

