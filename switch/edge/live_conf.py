"""[tls], [websocket] and the files they name, as they change while the edge runs.

A look is cheap and comes once a second; files are read in a thread, as a disk that hangs must not hold up a message.
What was read is exchanged as a whole, for connections that come later; live ones keep what they began with. What
cannot be read leaves what was there before, with a line in the log and in the counts.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import structlog

from switch.conf_edge import MAIN_FILE, EdgeConf, load_edge_conf
from switch.conf_files import ConfProblems
from switch.edge.certificates import TlsIdentity, expiry_text, files_of, load_identity
from switch.edge.edge import Edge
from switch.edge.limits import FILES_LOOK_EVERY_S

Mark = tuple[tuple[int, int, int] | None, ...]

log = structlog.get_logger("switch.edge")


class LiveConf:
    """Keeps `edge.identity` and `edge.websocket` as the files say."""

    __slots__ = ("_conf", "_edge", "_folder", "_loaded_mark")

    def __init__(self, folder: Path, conf: EdgeConf, edge: Edge) -> None:
        self._folder = folder
        self._conf = conf
        self._edge = edge
        self._loaded_mark: Mark = ()

    async def load(self) -> None:
        """Read everything. A file that is not TOML any more leaves the sections as they were."""
        self._loaded_mark = await asyncio.to_thread(self._mark)
        conf, problems = await asyncio.to_thread(self._read_conf)
        if problems:
            log.error("edge_conf_refused", problems=problems)
        identity = await asyncio.to_thread(load_identity, conf.tls, self._folder, self._edge.identity)
        self._conf = conf
        self._edge.identity = identity
        self._edge.websocket = conf.websocket
        _say(identity)

    async def watch(self) -> None:
        """Until cancelled."""
        seen = self._loaded_mark
        while True:
            await asyncio.sleep(FILES_LOOK_EVERY_S)
            mark = await asyncio.to_thread(self._mark)
            if mark == seen != self._loaded_mark:
                await self.load()
            seen = mark

    def _read_conf(self) -> tuple[EdgeConf, Sequence[str]]:
        try:
            return load_edge_conf(self._folder), ()
        except ConfProblems as found:
            return self._conf, [str(problem) for problem in found.problems]

    def _mark(self) -> Mark:
        """Time, size and inode of every file; equal means unchanged."""
        return tuple(map(_mark_of, (self._folder / MAIN_FILE, *files_of(self._conf.tls, self._folder))))


def _mark_of(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _say(identity: TlsIdentity) -> None:
    for certificate in identity.certificates:
        log.info(
            "certificate_loaded",
            file=certificate.files.certificate,
            names=list(certificate.names),
            until=expiry_text(certificate.not_after_s),
        )
    for file, problem in identity.refused.items():
        log.error("tls_file_refused", file=file, problem=problem)
