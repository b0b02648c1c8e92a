"""Icons for do not disturb and diverts: what a line's own phone is told when they are switched (as-feature-event)."""

from email import message_from_bytes
from xml.etree import ElementTree

import msgspec
import pytest

from provisioning.model import Divert, DivertCondition, DivertKind, Line, LineChanged
from provisioning.settings import LineSettings
from switch.sip.message import Request
from tests.switch.events.watcher import Watch, town
from tests.switch.house import House, make_line

CSTA = "{http://www.ecma-international.org/standards/ecma-323/csta/ed3}"
ALL, BUSY, NO_REPLY = DivertCondition.ALL, DivertCondition.BUSY, DivertCondition.NO_REPLY


def icons(notify: Request) -> dict[str, str]:
    """What a phone shows: a name of each feature, "" where it is off."""
    head = f"Content-Type: {notify.headers.get('content-type')}\r\n\r\n".encode()
    message = message_from_bytes(head + notify.body)
    assert message.is_multipart()
    found: dict[str, str] = {}
    for part in message.get_payload():
        assert part.get_content_type() == "application/x-as-feature-event+xml"
        root = ElementTree.fromstring(part.get_payload().strip())
        assert root.findtext(f"{CSTA}device") == "alice"
        if root.tag == f"{CSTA}DoNotDisturbEvent":
            found["dnd"] = {"true": "on", "false": ""}[root.findtext(f"{CSTA}doNotDisturbOn") or ""]
        else:
            assert root.tag == f"{CSTA}ForwardingEvent"
            is_on = {"true": True, "false": False}[root.findtext(f"{CSTA}forwardStatus") or ""]
            target = root.findtext(f"{CSTA}forwardTo") or ""
            assert bool(target) == is_on
            found[root.findtext(f"{CSTA}forwardingType") or ""] = target
    return found


NOTHING = {"dnd": "", "forwardImmediate": "", "forwardBusy": "", "forwardNoAns": ""}


def change(house: House, line: Line) -> None:
    house.exchange.apply_changes([LineChanged(line)], house.clock.now)
    house.run(2)


def test_the_icons_follow_the_settings() -> None:
    house = town()
    watch = Watch(house.phone("alice", "192.0.2.10"), "alice", "as-feature-event")
    assert icons(watch.notifies()[-1]) == NOTHING
    diverted = (Divert(ALL, DivertKind.NUMBER, "+447700900123"), Divert(BUSY, DivertKind.LINE, "bob"))
    change(house, make_line("alice", diverts=diverted, settings=LineSettings(does_not_disturb=True)))
    assert icons(watch.notifies()[-1]) == NOTHING | {
        "dnd": "on",
        "forwardImmediate": "+447700900123",
        "forwardBusy": "bob",
    }
    told = len(watch.notifies())
    change(
        house, make_line("alice", diverts=diverted, settings=LineSettings(does_not_disturb=True), cli="+1")
    )
    assert len(watch.notifies()) == told, "another change is none of the icons'"
    change(house, make_line("alice"))
    assert icons(watch.notifies()[-1]) == NOTHING


@pytest.mark.parametrize(
    ("divert", "shown"),
    [
        (Divert(NO_REPLY, DivertKind.NUMBER, "+447700900123", ring_s=20), {"forwardNoAns": "+447700900123"}),
        (Divert(NO_REPLY, DivertKind.VOICEMAIL, ring_s=20), {}),
        (Divert(ALL, DivertKind.VOICEMAIL), {"forwardImmediate": "voicemail"}),
        (Divert(ALL, DivertKind.NUMBER, "+447700900123", is_enabled=False), {}),
        (Divert(ALL, DivertKind.NUMBER, "+447700900123", sources=("+44*",)), {}),
        (Divert(ALL, DivertKind.NUMBER, "+447700900123", time_set="nights"), {}),
        (Divert(DivertCondition.UNREACHABLE, DivertKind.NUMBER, "+447700900123"), {}),
    ],
)
def test_which_diverts_are_worth_an_icon(divert: Divert, shown: dict[str, str]) -> None:
    house = town()
    watch = Watch(house.phone("alice", "192.0.2.10"), "alice", "as-feature-event")
    change(house, make_line("alice", diverts=(divert,)))
    assert icons(watch.notifies()[-1]) == NOTHING | shown


def test_a_phone_that_asks_for_a_change_is_told_how_it_is() -> None:
    house = town()
    phone = house.phone("alice", "192.0.2.10")
    watch = Watch(phone, "alice", "as-feature-event")
    assert watch.dialog is not None
    request = watch.dialog.create_request("SUBSCRIBE", contact=f"<{phone.contact}>")
    request.headers.add("event", "as-feature-event")
    request.headers.add("content-type", "application/x-as-feature-event+xml")
    request.body = b"<SetDoNotDisturb><doNotDisturbOn>true</doNotDisturbOn></SetDoNotDisturb>"
    phone.stack.send_request(request, phone.flow, phone, house.clock.now)
    house.run(1)
    assert phone.responses[-1].status == 200
    assert icons(watch.notifies()[-1]) == NOTHING
    assert not house.exchange.books.lines["alice"].settings.does_not_disturb


def test_nobody_else_sees_them() -> None:
    house = town()
    assert Watch(house.phone("bob", "192.0.2.20"), "alice", "as-feature-event").status == 403


def test_a_name_cannot_break_out() -> None:
    line = msgspec.structs.replace(
        make_line("alice"), diverts=(Divert(ALL, DivertKind.LINE, "</forwardTo>&--offhook-feature-boundary"),)
    )
    house = town()
    watch = Watch(house.phone("alice", "192.0.2.10"), "alice", "as-feature-event")
    change(house, line)
    assert icons(watch.notifies()[-1])["forwardImmediate"] == "</forwardTo>&--offhook-feature-boundary"
