"""Clips as payloads and samples to be played: prompts from the catalogue, messages and greetings from their files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog

from media.codecs import FRAME_MS, PCMA, PCMU, Codec
from media.music.library import MusicLibrary
from media.wav import WavProblem, load_wav
from voicemail.account_prompts import AccountPrompts
from voicemail.actions import Clip, ClipKind
from voicemail.files import StoreProblem
from voicemail.player import Piece, Samples, Silence
from voicemail.store import Store

# Ten minutes at 16 kHz: more than the longest message that can be left.
FILE_BYTES_MAX: Final = 20 * 1024 * 1024
# Names come from our own tables and from the switch.
MISSING_MAX: Final = 1000
OWN_PREFIX: Final = "own."
PREPARED: Final = (PCMA, PCMU)

log = structlog.get_logger("voicemail")


class Catalogue(Protocol):
    """Prompts and tones by name, encoded once for all calls (media/prompts)."""

    def frames(self, name: str, codec: Codec) -> Sequence[bytes] | None:
        """Payloads of 20 ms each; None where there is none of that name."""

    def prepare(self, codecs: Sequence[Codec] = ..., *, goes_on: Callable[[], bool] = ...) -> None:
        """Encode all for these codecs, so that none waits for it. Takes seconds."""


class Clips:
    """Turns clips into pieces for a player."""

    __slots__ = ("_catalogue", "_missing", "_music", "_own", "_prepared", "_store", "skipped")

    def __init__(self, catalogue: Catalogue, store: Store, *, music: MusicLibrary, own: AccountPrompts) -> None:
        """`own` are the prompts of accounts."""
        self._catalogue = catalogue
        self._store = store
        self._music = music
        self._own = own
        self.skipped = 0  # clips that there are none of; only grows
        self._prepared: tuple[Codec, ...] = ()
        self._missing: set[str] = set()  # said once each

    def prepare(self, goes_on: Callable[[], bool]) -> None:
        """In a thread. What phones speak most; the others' prompts are encoded when they are first heard."""
        self._catalogue.prepare(PREPARED, goes_on=goes_on)
        self._prepared = PREPARED
        for name in self._music.names():
            for codec in PREPARED:
                self._music.frames(name, codec)

    def at_once(self, clips: Sequence[Clip], codec: Codec) -> list[Piece] | None:
        """None where a file has to be read first, or a prompt to be encoded."""
        return self._without_files(clips, codec) if codec in self._prepared else None

    def _without_files(self, clips: Sequence[Clip], codec: Codec) -> list[Piece] | None:
        pieces: list[Piece] = []
        for clip in clips:
            if clip.kind is ClipKind.PROMPT:
                pieces.append(self._prompt(clip.name, codec))
            elif clip.kind is ClipKind.PAUSE:
                pieces.append(Silence(int(clip.name) // FRAME_MS))
            else:
                return None
        return pieces

    def load(
        self, clips: Sequence[Clip], *, codec: Codec, user: str, draft: Callable[[], bytes]
    ) -> list[Piece]:
        """The same with files; for a thread."""
        pieces: list[Piece] = []
        for clip in clips:
            try:
                pieces += self._pieces(clip, codec, user, draft)
            except (OSError, WavProblem, StoreProblem) as problem:
                self.skipped += 1
                log.error("voicemail_sound_missing", user=user, clip=clip.kind.value, problem=str(problem))
                if clip.other:
                    pieces.append(self._prompt(clip.other, codec))
        return pieces

    def _pieces(self, clip: Clip, codec: Codec, user: str, draft: Callable[[], bytes]) -> list[Piece]:
        match clip.kind:
            case ClipKind.MESSAGE:
                path = self._store.sound_file(user, clip.name)
            case ClipKind.GREETING:
                path = self._store.greeting_file(user)
            case ClipKind.DRAFT:
                return [Samples(draft())]
            case ClipKind.OWN:
                return [self._own_prompt(clip.name, codec)]
            case _:
                return self._without_files((clip,), codec) or []
        return [Samples(load_wav(path, codec.sample_rate, bytes_max=FILE_BYTES_MAX).pcm)]

    def music_at_once(self, name: str, codec: Codec) -> Sequence[bytes] | None:
        """One round; None where a file has to be read or encoded first."""
        if name.startswith(OWN_PREFIX) or not self._music.is_encoded(name, codec):
            return None
        return self._music.frames(name, codec)

    def music(self, name: str, codec: Codec) -> Sequence[bytes]:
        """The same for a thread. The house's, where an account has none of that name."""
        if name.startswith(OWN_PREFIX):
            account, _, own_name = name.removeprefix(OWN_PREFIX).partition(".")
            try:
                frames = self._own.frames(account, own_name, codec, loops=True)
            except (OSError, WavProblem) as problem:
                log.error("voicemail_sound_missing", clip=name, problem=str(problem))
                frames = None
            if frames:
                return frames
            self._skip(name)
        return self._music.frames(name, codec)

    def _prompt(self, name: str, codec: Codec) -> Piece:
        return self._catalogue.frames(name, codec) or self._skip(name)

    def _own_prompt(self, name: str, codec: Codec) -> Piece:
        account, _, own_name = name.partition(".")
        return self._own.frames(account, own_name, codec) or self._skip(f"{OWN_PREFIX}{name}")

    def _skip(self, name: str) -> Piece:
        self.skipped += 1
        if name not in self._missing and len(self._missing) < MISSING_MAX:
            self._missing.add(name)
            log.warning("voicemail_prompt_missing", prompt=name)
        return Silence(1)
