"""What is said of mailboxes and messages, and what the switch asks to be said, as names of prompts in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from media.prompts import speech
from provisioning.utc import time_from_ms
from voicemail.actions import Clip, ClipKind, prompt
from voicemail.mailbox import Message, State
from voicemail.words import Word, WordKind


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

    def clips(self, words: Iterable[Word]) -> tuple[Clip, ...]:
        """What the switch has asked for."""
        return tuple(clip for word in words for clip in self._clips(word))

    def _clips(self, word: Word) -> Iterator[Clip]:
        match word.kind:
            case WordKind.PROMPT:
                yield prompt(word.value)
            case WordKind.OWN:
                yield Clip(ClipKind.OWN, word.value)
            case WordKind.NUMBER:
                yield from map(prompt, speech.digits(word.value))
            case WordKind.COUNT:
                yield from map(prompt, speech.number(int(word.value)))
            case WordKind.MOMENT:
                now = self._now()
                at = time_from_ms(int(word.value)).astimezone(now.tzinfo)
                yield from map(prompt, speech.moment(at, now))
