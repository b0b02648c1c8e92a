"""The mail that takes a message to its owner: composed here, purely, from what was checked when it was written down.

Nothing of the caller can leave its place: header values are one printable line, addresses are plain ones, the body is
text and the recording an attachment.
"""

from __future__ import annotations

from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from provisioning.printable import escape_control
from switch.conf_voicemail import is_mail_address
from voicemail.mailbox import Message

# The largest attachment that most mail servers take is 10 MB, and base64 makes four bytes of three. Five minutes at
# 8 kHz have 4.8 MB.
ATTACHED_BYTES_MAX: Final = 7_000_000
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def compose(
    message: Message, sound: bytes | None, *, user: str, sender: str, recipient: str, received: datetime
) -> EmailMessage:
    """`sound` is the WAV file, None where it is too large to be sent. `received` is in the owner's zone."""
    assert is_mail_address(sender) and is_mail_address(recipient), "checked where they were taken"
    mail = EmailMessage(policy=SMTP)
    caller = caller_text(message)
    mail["From"] = sender
    mail["To"] = recipient
    mail["Subject"] = f"Voicemail from {caller}"
    mail["Date"] = format_datetime(received)
    # The same for each try: a mail that arrives twice after a crash is shown once.
    mail["Message-ID"] = f"<{message.id}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834 5: nobody's holiday notice answers it
    mail.set_content(_text(message, caller, user, received, is_attached=sound is not None))
    if sound is not None:
        mail.add_attachment(sound, maintype="audio", subtype="x-wav", filename=f"voicemail-{message.id}.wav")
    return mail


def caller_text(message: Message) -> str:
    """For one line of a header, a page or a terminal."""
    if not message.caller:
        return "a withheld number"
    number, name = escape_control(message.caller), escape_control(message.name)
    return f"{name} ({number})" if name and name != number else number


def _text(message: Message, caller: str, user: str, received: datetime, *, is_attached: bool) -> str:
    seconds = max(message.duration_ms // 1000, 1)
    lines = [
        f"From:      {caller}",
        f"For:       {escape_control(message.called) or user}",
        f"Received:  {received.day} {_MONTHS[received.month - 1]} {received.year}, {received:%H:%M}",
        f"Length:    {seconds // 60}:{seconds % 60:02d}",
    ]
    if message.is_cut_short:
        lines.append("The recording was cut short by a fault.")
    if not is_attached:
        lines.append("The recording is too large for a mail. Dial your mailbox to hear it.")
    return "\n".join(lines) + "\n"
