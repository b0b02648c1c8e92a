"""[media] of offhook.toml."""

from msgspec import Struct


class Media(Struct, frozen=True):
    """How the sound goes."""

    relay: bool = True
    silence_timeout_s: int = 30
    bypass: bool = False
