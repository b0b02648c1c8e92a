"""The tones that the relay plays into calls, and the music for who is on hold.

Speech is voicemail's: encoding it would hold up everybody's packets. The music is encoded for G.711 before the first
call, for other codecs by a thread, once; until that is done their calls hear none.
"""

from collections.abc import Sequence
from pathlib import Path
from threading import Thread
from typing import Final

from media.codecs import CODECS, PCMA, PCMU, Codec, codec_named, encode_recording
from media.music.library import DEFAULT as SHIPPED_PIECE
from media.music.library import MusicLibrary
from media.prompts.catalogue import Catalogue, Frames
from media.tones import TONES
from media.wav import WavProblem, load_wav

ALMOST_ALL_CALLS: Final = (PCMA, PCMU)
LATER: Final = tuple(codec for codec in CODECS if codec not in ALMOST_ALL_CALLS)
# As the switch calls it (switch/calls/hold_music.py), whatever is played.
HOLD_MUSIC: Final = "hold-music"
# Ten minutes, as all codecs, have 25 MB; nobody is to wait longer without a person.
MUSIC_SECONDS_MAX: Final = 600.0


class MusicProblem(Exception):  # noqa: N818 - what is wrong with a file, not with us
    """Why the operator's file is not played, in words that complete "the file ..."."""


class RelayTones:
    """By name and codec; those of G.711 from the start, of another codec when they are first asked for."""

    __slots__ = ("_catalogue", "_encoding", "_music")

    def __init__(self) -> None:
        self._catalogue = Catalogue()
        for name in TONES:
            for codec in ALMOST_ALL_CALLS:
                self._catalogue.frames(name, codec)
        self._music: dict[Codec, Frames] = {}
        self._encoding: Thread | None = None

    def load_music(self, own: Path | None) -> None:
        """The operator's file; without one, or when it cannot be used, the shipped piece. Raises MusicProblem when it
        is the shipped one that will be heard."""
        problem = ""
        if own is not None:
            problem = music_problem(own)
            own = None if problem else own
        self._encode(own, ALMOST_ALL_CALLS)
        self._encoding = Thread(target=self._encode, args=(own, LATER), name="music", daemon=True)
        self._encoding.start()
        if problem:
            raise MusicProblem(problem)

    def wait(self) -> None:
        """Until every codec has its music."""
        if self._encoding is not None:
            self._encoding.join()

    def frames(self, name: str, codec: str) -> Sequence[bytes] | None:
        """None: there is no such tone, or we do not speak the codec, or not yet."""
        if name == HOLD_MUSIC:
            spoken = codec_named(codec)
            return None if spoken is None else self._music.get(spoken)
        return self._catalogue.frames(name, codec) if name in TONES else None

    def _encode(self, own: Path | None, codecs: Sequence[Codec]) -> None:
        for codec in codecs:
            frames = self._own(own, codec) if own is not None else MusicLibrary().frames(SHIPPED_PIECE, codec)
            if frames:
                self._music[codec] = frames

    def _own(self, file: Path, codec: Codec) -> Frames | None:
        try:
            return tuple(encode_recording(codec, load_wav(file, codec.sample_rate).pcm))
        except (WavProblem, OSError):  # changed since it was looked at
            return None


def music_problem(file: Path) -> str:
    """Why a file is not played, in words that complete "the file ..."; "" for one that is."""
    try:
        seconds = load_wav(file, PCMA.sample_rate).duration_s
    except WavProblem as problem:
        return str(problem)
    except OSError as problem:
        return f"cannot be read: {problem.strerror or problem}"
    if not 0 < seconds <= MUSIC_SECONDS_MAX:
        return f"is {seconds:.0f} s long; at most {MUSIC_SECONDS_MAX:.0f} are played"
    return ""
