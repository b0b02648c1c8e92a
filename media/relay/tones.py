"""The tones that the relay plays into calls. Speech is voicemail's: encoding it would hold up everybody's packets."""

from collections.abc import Sequence
from typing import Final

from media.codecs import PCMA, PCMU
from media.prompts.catalogue import Catalogue
from media.tones import TONES

ALMOST_ALL_CALLS: Final = (PCMA, PCMU)


class RelayTones:
    """By name and codec; those of G.711 from the start, of another codec when they are first asked for."""

    __slots__ = ("_catalogue",)

    def __init__(self) -> None:
        self._catalogue = Catalogue()
        for name in TONES:
            for codec in ALMOST_ALL_CALLS:
                self._catalogue.frames(name, codec)

    def frames(self, name: str, codec: str) -> Sequence[bytes] | None:
        """None: there is no such tone, or we do not speak the codec."""
        return self._catalogue.frames(name, codec) if name in TONES else None
