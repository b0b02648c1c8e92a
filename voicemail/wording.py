"""What the menu says of mailboxes and messages, as names of prompts (media/prompts/speech.py puts them in order)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from media.prompts import speech
from provisioning.utc import time_from_ms
from voicemail.mailbox import Message, State


class Wording:
    """`now()` is the moment of listening, in the listener's zone, which is also that of the times that are spoken."""

    __slots__ = ("_now",)

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def counts(self, messages: Sequence[Message]) -> tuple[str, ...]:
        """You have two new messages and one saved message."""
        new = sum(message.state is State.NEW for message in messages)
        return speech.counts(new, len(messages) - new)

    def details(self, message: Message) -> tuple[str, ...]:
        """Received today at ten fifteen a.m. from 020 7946 0123."""
        now = self._now()
        received = speech.moment(time_from_ms(message.received_ms).astimezone(now.tzinfo), now)
        caller = speech.digits(message.caller) or ("unknown-number" if message.caller else "withheld-number",)
        return ("received", *received, "from", *caller)
