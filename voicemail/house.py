"""What every call of the server shares. Made once in `__main__`'s process, handed to each session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

from voicemail.clips import Clips
from voicemail.conference import Conferences
from voicemail.counts import VoicemailCounts
from voicemail.front_door import FrontDoor
from voicemail.mailbox import Message
from voicemail.rtp_port import RtpCounts
from voicemail.store import Store


class House:
    """Collaborators and settings; no state of its own."""

    __slots__ = (
        "before_message",
        "clips",
        "conferences",
        "counts",
        "door",
        "executor",
        "loop",
        "mailbox_changed",
        "message_max_s",
        "now",
        "random_bytes",
        "rtp_counts",
        "store",
        "turn_over",
    )

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        executor: Executor,
        store: Store,
        clips: Clips,
        door: FrontDoor,
        counts: VoicemailCounts,
        rtp_counts: RtpCounts,
        message_max_s: int,
        now: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        before_message: Callable[[str], Callable[[Message], None]],
        mailbox_changed: Callable[[str], None],
        turn_over: Callable[[], None],
        conferences: Conferences,
    ) -> None:
        """`before_message(user)` gives what is done, in a thread, just before a message of that user exists;
        `turn_over` sends what SIP has to send.
        """
        self.loop = loop
        self.executor = executor
        self.store = store
        self.clips = clips
        self.door = door
        self.counts = counts
        self.rtp_counts = rtp_counts
        self.message_max_s = message_max_s
        self.now = now
        self.random_bytes = random_bytes
        self.before_message = before_message
        self.mailbox_changed = mailbox_changed
        self.turn_over = turn_over
        self.conferences = conferences
