"""Where a switch keeps and finds things."""

from pathlib import Path

import msgspec


class SwitchPaths(msgspec.Struct, frozen=True):
    """Where this switch keeps and finds things."""

    data: Path
    conf: Path
    edge_socket: Path | None
    relay_socket: Path | None = None
    browser_socket: Path | None = None
    traces_socket: Path | None = None

    @property
    def journal(self) -> Path:
        return self.data / "journal" / "journal.db"

    @property
    def checkpoint(self) -> Path:
        return self.data / "journal" / "checkpoint"

    @property
    def prices(self) -> Path:
        """Packed price lists: a cache of conf/."""
        return self.data / "prices"

    @property
    def control(self) -> Path:
        return self.data / "control.sock"
