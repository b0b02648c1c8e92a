"""The mail to an owner: what a caller writes stays in its place, and tries become rarer."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.conf_voicemail import is_mail_address
from voicemail.mail import compose
from voicemail.mail_queue import retry_after_s
from voicemail.mailbox import Message

RECEIVED = datetime(2026, 7, 1, 9, 30, tzinfo=ZoneInfo("Europe/London"))


def mail_of(caller: str, name: str, sound: bytes | None = b"RIFF") -> bytes:
    message = Message("1790000000000-00000001", 1_790_000_000_000, 65_000, caller=caller, name=name)
    mail = compose(
        message,
        sound,
        user="alice",
        sender="vm@example.co.uk",
        recipient="ann@example.co.uk",
        received=RECEIVED,
    )
    return mail.as_bytes()


def test_a_mail_says_who_when_and_how_long() -> None:
    text = mail_of("01632960111", "Ann Other").decode()
    assert "Subject: Voicemail from Ann Other (01632960111)\r\n" in text
    assert "Date: Wed, 01 Jul 2026 09:30:00 +0100\r\n" in text
    assert "Message-ID: <1790000000000-00000001@example.co.uk>\r\n" in text
    assert "Received:  1 July 2026, 09:30" in text
    assert "Length:    1:05" in text
    assert 'filename="voicemail-1790000000000-00000001.wav"' in text


def test_a_withheld_number_and_a_recording_too_large_are_said_in_words() -> None:
    text = mail_of("", "", sound=None).decode()
    assert "Voicemail from a withheld number" in text
    assert "too large for a mail" in text
    assert "filename" not in text


@given(st.text(max_size=80), st.text(max_size=80))
def test_whatever_a_caller_calls_himself_no_header_is_added(caller: str, name: str) -> None:
    head = mail_of(caller, name).partition(b"\r\n\r\n")[0]
    names = {line.partition(b":")[0] for line in head.split(b"\r\n") if line[:1] not in (b" ", b"\t")}
    assert names == {
        b"From", b"To", b"Subject", b"Date", b"Message-ID", b"Auto-Submitted", b"MIME-Version", b"Content-Type"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("ann@example.co.uk", True),
        ("ann+vm@example.co.uk", True),
        ("ann", False),
        ("@example.co.uk", False),
        ("ann@", False),
        ("ann@exam ple", False),
        ("ann@example.co.uk\r\nBcc: all@example.org", False),
        ("<ann@example.co.uk>", False),
        ('"ann"@example.co.uk', False),
        ("ann@-example", False),
        ("ann@example.co.uk," + "x" * 250, False),
        ("änn@example.co.uk", False),
    ],
)
def test_only_plain_addresses_are_taken(text: str, is_one: bool) -> None:
    assert is_mail_address(text) is is_one


def test_tries_become_rarer_up_to_half_an_hour() -> None:
    assert [retry_after_s(attempts) for attempts in (0, 1, 2, 7, 100)] == [15, 30, 60, 1800, 1800]
