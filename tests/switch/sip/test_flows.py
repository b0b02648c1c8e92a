"""The call flows of RFC 3665, RFC 3261 section 24 and others: every message is read and prints back equal."""

from pathlib import Path

import pytest

from switch.sip.errors import SipParseError
from switch.sip.framing import StreamFramer
from switch.sip.message import Request, format_message
from switch.sip.parser import parse_message
from switch.sip.validate import door_refusal, response_problem
from tests.switch.sip.samples import assert_prints_back_equal, corpus, with_true_length

FLOWS = corpus("flows", "*.sip")

# What the door refuses, and rightly: messages that their RFCs print shortened, or with a slip.
REFUSED = {
    "cc-transfer-06/5.1/05_F5_INVITE.sip": "CSeq names another method",
    "cc-transfer-06/5.2/04_F4_NOTIFY.sip": "CSeq names another method",
    "cc-transfer-06/5.2/05_F5_INVITE.sip": "CSeq names another method",
    "cc-transfer-06/5.2/06_F6_NOTIFY.sip": "CSeq names another method",
    "cc-transfer-06/6.5/03_F3_REFER.sip": "markup of the draft inside the head",
    "cc-transfer-06/6.5/08_F3_REFER.sip": "markup of the draft inside the head",
    "cc-transfer-06/6.5/10_F5_REFER.sip": "markup of the draft inside the head",
    "cc-transfer-06/7/01_F5_REFER.sip": "markup of the draft inside the head",
    "rfc3428/10/04_x_200.sip": "two semicolons before the From tag",
    "rfc3581/6/01_x_INVITE.sip": "only the Vias are shown",
    "rfc3581/6/02_x_200.sip": "only the Vias are shown",
    "rfc3581/6/03_x_200.sip": "only the Vias are shown",
    "rfc3891/1/01_x_INVITE.sip": "no Via is shown",
    "rfc3891/1/02_x_200.sip": "no Via is shown",
    "rfc3891/7.1/01_x_INVITE.sip": "no Via is shown",
    "rfc3891/7.1/02_x_180.sip": "no Via is shown",
    "rfc3891/7.1/03_x_200.sip": "no Via is shown",
    "rfc3891/7.1/04_x_CANCEL.sip": "no Via is shown",
    "rfc3891/7.1/05_x_200.sip": "no Via is shown",
    "rfc3891/7.1/06_x_487.sip": "no Via is shown",
    "rfc4538/10/01_x_INVITE.sip": "markup of the RFC inside the head",
}


def name_of(file: Path) -> str:
    return str(Path(*file.parts[-3:]))


@pytest.mark.parametrize("file", FLOWS)
def test_a_message_of_a_flow_prints_back_equal(file: Path) -> None:
    assert_prints_back_equal(with_true_length(file.read_bytes()))


@pytest.mark.parametrize("file", FLOWS)
def test_a_message_of_a_flow_enters_unless_its_rfc_left_something_out(file: Path) -> None:
    message = parse_message(with_true_length(file.read_bytes()))
    problem = door_refusal(message) if isinstance(message, Request) else response_problem(message)
    assert (problem is not None) == (name_of(file) in REFUSED), problem


@pytest.mark.parametrize("file", FLOWS)
def test_a_message_of_a_flow_is_one_frame_of_a_stream(file: Path) -> None:
    message = parse_message(with_true_length(file.read_bytes()))
    data = format_message(message)
    assert StreamFramer().feed(data) == [data]


@pytest.mark.parametrize("file", FLOWS)
def test_as_printed_a_message_is_read_or_its_content_length_is_at_fault(file: Path) -> None:
    try:
        parse_message(file.read_bytes())
    except SipParseError as error:
        assert "Content-Length" in error.reason


@pytest.mark.parametrize("file", FLOWS)
def test_what_is_added_and_taken_away_again_leaves_a_message_as_it_was(file: Path) -> None:
    message = parse_message(with_true_length(file.read_bytes()))
    before = format_message(message)
    message.headers.prepend("via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKown")
    message.headers.add("x-own", "1")
    assert format_message(message) != before
    message.headers.remove_first_field("via")
    message.headers.remove("x-own")
    assert format_message(message) == before
