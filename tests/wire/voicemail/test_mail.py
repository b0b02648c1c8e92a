"""Mail to owners through a real SMTP server that comes and goes."""

import email
import email.policy
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from typing import Any

import msgspec
import pytest
from aiosmtpd.controller import Controller

from demo.free_ports import free_port
from media.wav import read_wav
from tests.wire.voicemail.caller import HOST, calling, tone
from tests.wire.voicemail.server import VoicemailServer
from tests.wire.voicemail.test_calls import at_the_tone

pytestmark = pytest.mark.wire


class Inbox:
    """An SMTP server that can be switched off, and that refuses some."""

    def __init__(self) -> None:
        self.port = free_port()
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self._controller: Controller | None = None

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if address.startswith("nobody@"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append((envelope.rcpt_tos, mail))
        return "250 OK"

    def open(self) -> None:
        self._controller = Controller(self, hostname=HOST, port=self.port)
        self._controller.start()

    def close(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def wait_mail(self, count: int = 1, timeout_s: float = 30.0) -> list[tuple[list[str], EmailMessage]]:
        deadline = time.monotonic() + timeout_s
        while len(self.mails) < count:
            assert time.monotonic() < deadline, "no mail came"
            time.sleep(0.05)
        return self.mails


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    inbox = Inbox()
    yield inbox
    inbox.close()


@pytest.fixture
def server(make_voicemail: Callable[..., VoicemailServer], inbox: Inbox) -> VoicemailServer:
    server = make_voicemail(
        settings=f'smtp_host = "{HOST}"\nsmtp_port = {inbox.port}\nsmtp_from = "voicemail@example.co.uk"'
    )
    server.start()
    return server


def with_email(server: VoicemailServer, user: str, address: str, **more: bool) -> None:
    server.store.change(user, lambda settings: msgspec.structs.replace(settings, email=address, **more))


def leave(server: VoicemailServer, user: str, from_: str = "<sip:01632960111@example.org>") -> None:
    with calling(server.switch, f"deposit.{user}@", from_=from_) as caller:
        at_the_tone(caller)
        caller.speak(tone(1004, 2.5))
        caller.press("#")
        caller.wait_ended()


def queue(server: VoicemailServer) -> list[str]:
    return [path.name for path in (server.data / "voicemail" / ".mail").glob("*.json")]


def test_the_recording_is_attached_and_says_who_called_and_when(
    server: VoicemailServer, inbox: Inbox
) -> None:
    inbox.open()
    with_email(server, "alice", "ann@example.co.uk")
    leave(server, "alice", from_='"Bob\\r\\nBcc: all@example.org" <sip:01632960111@example.org>')
    ((recipients, mail),) = inbox.wait_mail()
    assert recipients == ["ann@example.co.uk"]
    assert mail["Bcc"] is None
    assert "01632960111" in mail["Subject"]
    (attached,) = mail.iter_attachments()
    recording = read_wav(attached.get_content(), 8000)
    assert recording.duration_s > 2.4
    assert "For:       01632960222" in mail.get_body().get_content()  # type: ignore[union-attr]
    time.sleep(0.3)
    assert queue(server) == []


def test_a_mail_waits_while_the_mail_server_is_away_and_while_the_process_is_dead(
    server: VoicemailServer, inbox: Inbox
) -> None:
    with_email(server, "alice", "ann@example.co.uk")
    leave(server, "alice")
    deadline = time.monotonic() + 10
    while "voicemail_mail_server_away" not in server.log:
        assert time.monotonic() < deadline, server.log
        time.sleep(0.05)
    assert len(queue(server)) == 1
    server.kill()
    server.start()
    assert len(queue(server)) == 1
    inbox.open()
    inbox.wait_mail()
    time.sleep(3)
    assert len(inbox.mails) == 1
    assert queue(server) == []


def test_a_mail_that_is_refused_for_good_is_dropped_and_the_others_are_sent(
    server: VoicemailServer, inbox: Inbox
) -> None:
    inbox.open()
    with_email(server, "alice", "nobody@example.co.uk")
    with_email(server, "bob", "bob@example.co.uk", deletes_after_email=True)
    leave(server, "alice")
    leave(server, "bob")
    ((recipients, _),) = inbox.wait_mail()
    assert recipients == ["bob@example.co.uk"]
    assert len(server.wait_messages("alice", 1)) == 1
    server.wait_messages("bob", 0)
    deadline = time.monotonic() + 10
    while queue(server):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_who_wants_no_mail_gets_none(server: VoicemailServer, inbox: Inbox) -> None:
    inbox.open()
    with_email(server, "alice", "ann@example.co.uk", is_notified=False)
    leave(server, "alice")
    leave(server, "bob")
    time.sleep(3)
    assert inbox.mails == []
    assert queue(server) == []
