"""Mails on their way: a file for each in DATA/voicemail/.mail/, sent one after the other, tried again while it fails.

A file is there before its message is, so that no crash loses the mail; a file whose message never came to be, or has
been deleted since, is dropped. A mail server that refuses for good (5xx) is not asked again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from datetime import tzinfo
from email.message import EmailMessage
from pathlib import Path
from typing import Final

import aiosmtplib
import msgspec
import structlog

from provisioning.utc import time_from_ms
from switch.conf_voicemail import StartTls, Voicemail, is_mail_address
from voicemail.counts import VoicemailCounts
from voicemail.files import StoreProblem, read_json, sync_folder, write_whole
from voicemail.mail import ATTACHED_BYTES_MAX, compose
from voicemail.mailbox import MS_PER_DAY, MS_PER_S, Message, Settings
from voicemail.recording_file import is_message_id
from voicemail.store import Store

FOLDER: Final = ".mail"
# A mail server that is away for a weekend, at ten messages a minute; each file has 150 bytes.
QUEUE_MAX: Final = 30_000
# RFC 5321 4.5.4.1: the give-up time generally needs to be at least 4-5 days.
GIVE_UP_MS: Final = 5 * MS_PER_DAY
RETRY_FIRST_S: Final = 15
RETRY_MAX_S: Final = 1800
LOOK_S: Final = 2.0
SEND_TIMEOUT_S: Final = 60.0

log = structlog.get_logger("voicemail.mail")


class QueuedMail(msgspec.Struct, frozen=True):
    """What stands in a file; its name is the message's id."""

    user: str
    message: str
    queued_ms: int
    attempts: int = 0
    due_ms: int = 0


class MailRefused(Exception):  # noqa: N818 - the mail server's no
    """It will never be taken."""


class MailAway(Exception):  # noqa: N818
    """The mail server cannot be reached or cannot take anything now; whatever comes next would fail, too."""


class MailFailed(Exception):  # noqa: N818
    """This mail was not taken now."""


Send = Callable[[EmailMessage, str, str], Awaitable[None]]


def retry_after_s(attempts: int) -> int:
    """15 s, 30 s, 1 min, ... 30 min."""
    return int(min(RETRY_FIRST_S * 2 ** min(attempts, 20), RETRY_MAX_S))


class MailQueue:
    """`enqueue` in threads, `run` in the loop."""

    __slots__ = ("_counts", "_executor", "_folder", "_send", "_sender", "_store", "_zone", "changed")

    def __init__(
        self,
        store: Store,
        *,
        send: Send,
        sender: str,
        zone: tzinfo,
        counts: VoicemailCounts,
        executor: Executor,
        changed: Callable[[str], None],
    ) -> None:
        """`changed(user)` is told when a mail took its message with it."""
        self._store = store
        self._send = send
        self._sender = sender
        self._zone = zone
        self._counts = counts
        self._executor = executor
        self._folder = store.root / FOLDER
        self.changed = changed

    def enqueue(self, user: str, message: Message) -> None:
        """If the owner wants mail. Raises OSError: then the message is not taken, either."""
        settings = self._store.settings(user)
        if not wants_mail(settings):
            return
        if self._counts.mail_queue >= QUEUE_MAX:
            self._counts.mail("dropped")
            log.error("voicemail_mail_queue_full", limit=QUEUE_MAX)
            return
        self._folder.mkdir(mode=0o700, exist_ok=True)
        queued = QueuedMail(user, message.id, self._store.now_ms())
        write_whole(self._folder / f"{message.id}.json", msgspec.json.encode(queued))
        sync_folder(self._folder)
        self._counts.mail_queue += 1

    async def run(self) -> None:
        """For ever."""
        loop = asyncio.get_running_loop()
        while True:
            due = await loop.run_in_executor(self._executor, self._due)
            for queued in due:
                try:
                    await self._deliver(queued)
                except MailAway as problem:
                    log.warning(
                        "voicemail_mail_server_away", problem=str(problem), queued=self._counts.mail_queue
                    )
                    break
                except MailFailed as problem:
                    log.warning("voicemail_mail_deferred", user=queued.user, problem=str(problem))
            await asyncio.sleep(LOOK_S)

    async def _deliver(self, queued: QueuedMail) -> None:
        loop = asyncio.get_running_loop()
        try:
            made = await loop.run_in_executor(self._executor, self._compose, queued)
            if made is None:
                await loop.run_in_executor(self._executor, self._forget, queued)
                return
            mail, recipient, settings = made
            await self._send(mail, self._sender, recipient)
        except MailRefused as problem:
            self._counts.mail("refused")
            log.error("voicemail_mail_refused", user=queued.user, problem=str(problem))
        except (MailAway, MailFailed):
            self._counts.mail("deferred")
            await loop.run_in_executor(self._executor, self._defer, queued)
            raise
        else:
            self._counts.mail("sent")
            if settings.deletes_after_email:
                await loop.run_in_executor(self._executor, self._store.delete, queued.user, (queued.message,))
                self.changed(queued.user)
        await loop.run_in_executor(self._executor, self._forget, queued)

    # In threads

    def _due(self) -> list[QueuedMail]:
        """What is to be tried now, oldest first."""
        now_ms = self._store.now_ms()
        found = []
        try:
            names = [entry.name for entry in os.scandir(self._folder)]
        except FileNotFoundError:
            names = []
        queued_count = 0
        for name in sorted(names):
            if not name.endswith(".json") or not is_message_id(name[:-5]):
                continue
            queued_count += 1
            try:
                queued = read_json(self._folder / name, QueuedMail)
            except StoreProblem as problem:
                log.error("voicemail_mail_unreadable", problem=str(problem))
                (self._folder / name).unlink(missing_ok=True)
                continue
            if queued is not None and queued.due_ms <= now_ms:
                found.append(queued)
        self._counts.mail_queue = queued_count
        return found

    def _compose(self, queued: QueuedMail) -> tuple[EmailMessage, str, Settings] | None:
        """None where there is nothing to send any more."""
        store = self._store
        try:
            settings = store.settings(queued.user)
            message = store.message(queued.user, queued.message)
            if message is None:
                # Its draft is still there while it is made; a minute later nobody is making it.
                is_coming = store.now_ms() - queued.queued_ms < 60 * MS_PER_S and queued.attempts == 0
                if is_coming:
                    raise MailFailed("its message is not there yet")
                return None
            if not wants_mail(settings) or store.now_ms() - queued.queued_ms > GIVE_UP_MS:
                self._counts.mail("dropped")
                return None
            sound = _attached(store.sound_file(queued.user, queued.message))
        except (StoreProblem, OSError) as problem:
            raise MailFailed(str(problem)) from None
        received = time_from_ms(message.received_ms).astimezone(self._zone)
        mail = compose(
            message,
            sound,
            user=queued.user,
            sender=self._sender,
            recipient=settings.email,
            received=received,
        )
        return mail, settings.email, settings

    def _defer(self, queued: QueuedMail) -> None:
        later = msgspec.structs.replace(
            queued,
            attempts=queued.attempts + 1,
            due_ms=self._store.now_ms() + retry_after_s(queued.attempts) * MS_PER_S,
        )
        with contextlib.suppress(OSError):  # a full disk: it is tried again sooner than it would be
            write_whole(self._folder / f"{queued.message}.json", msgspec.json.encode(later))

    def _forget(self, queued: QueuedMail) -> None:
        (self._folder / f"{queued.message}.json").unlink(missing_ok=True)


def wants_mail(settings: Settings) -> bool:
    return settings.is_notified and is_mail_address(settings.email)


def _attached(path: Path) -> bytes | None:
    return None if path.stat().st_size > ATTACHED_BYTES_MAX else path.read_bytes()


class SmtpSender:
    """Sends by the house's mail server (RFC 5321), a connection for each mail."""

    __slots__ = ("_conf",)

    def __init__(self, conf: Voicemail) -> None:
        self._conf = conf

    async def __call__(self, mail: EmailMessage, sender: str, recipient: str) -> None:
        """Raises MailRefused, MailAway, MailFailed."""
        conf = self._conf
        start_tls = {StartTls.NEVER: False, StartTls.OPTIONAL: None, StartTls.REQUIRED: True}[
            conf.smtp_starttls
        ]
        try:
            await aiosmtplib.send(
                mail,
                sender=sender,
                recipients=[recipient],
                hostname=conf.smtp_host,
                port=conf.smtp_port,
                start_tls=start_tls,
                validate_certs=conf.smtp_starttls is StartTls.REQUIRED,
                username=conf.smtp_user or None,
                password=str(conf.smtp_password) or None,
                timeout=SEND_TIMEOUT_S,
            )
        except aiosmtplib.SMTPRecipientsRefused as problem:
            code = problem.recipients[0].code if problem.recipients else 0
            raise (MailRefused if code >= 500 else MailFailed)(_said(problem)) from None
        except aiosmtplib.SMTPAuthenticationError as problem:
            raise MailAway(_said(problem)) from None
        except (aiosmtplib.SMTPDataError, aiosmtplib.SMTPSenderRefused) as problem:
            raise (MailRefused if problem.code >= 500 else MailFailed)(_said(problem)) from None
        except (aiosmtplib.SMTPException, OSError) as problem:
            raise MailAway(_said(problem)) from None


def _said(problem: Exception) -> str:
    """One line, and not a long one."""
    return f"{type(problem).__name__}: {problem}"[:200]
