"""Refusing a broken journal with the exact place, instead of going on with half of it.

SQLite's write-ahead log carries checksums, but recovery treats the first bad frame as the end: right for a
commit that a power cut tore, wrong for a flipped bit with acknowledged commits behind it, which would
vanish without a word. So the log is read here first (its format: sqlite.org/fileformat2.html, section 4).
Rows carry their own checksum, because pages in the main file have none. What cannot be told from a torn
end: damage in the very last commit.
"""

import mmap
import re
import sqlite3
import struct
import zlib
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import quote

import msgspec

WAL_HEADER_BYTES: Final = 32
FRAME_HEADER_BYTES: Final = 24
_MAGIC_LITTLE_ENDIAN: Final = 0x377F0682
_MAGIC_BIG_ENDIAN: Final = 0x377F0683
_PAGE_BYTES_DEFAULT: Final = 4096
# Enough of a value to find it again in the file, and short enough to lie on one page with its key.
_NEEDLE_BYTES: Final = 64

Checksum = tuple[int, int]


class JournalDamagedError(Exception):
    """The file contradicts itself. The message names the file, the place and what was expected there."""


def epoch_checksum(epoch: str) -> int:
    return zlib.crc32(epoch.encode())


def state_checksum(key: str, value: bytes) -> int:
    return zlib.crc32(value, zlib.crc32(key.encode()))


def batch_checksum(batch: int, last_seq: int, at_ms: int, packed: bytes) -> int:
    return zlib.crc32(packed, zlib.crc32(b"%d %d %d" % (batch, last_seq, at_ms)))


class _Frame(msgspec.Struct):
    """One page in the log. `size_after` is not 0 in the last frame of a transaction."""

    size_after: int
    salts: bytes
    checksum: Checksum
    covered: bytes


class _WalHeader(msgspec.Struct):
    is_valid: bool
    word_order: str
    page_bytes: int
    salts: bytes
    checksum: Checksum


def check_write_ahead_log(path: Path) -> None:
    """Raise JournalDamagedError if acknowledged commits stand behind a broken place in the log of `path`."""
    log = Path(f"{path}-wal")
    try:
        file = log.open("rb")
    except FileNotFoundError:
        return
    with file:
        raw = file.read(WAL_HEADER_BYTES)
        if len(raw) == WAL_HEADER_BYTES:
            header = _read_header(raw, path)
            if header.is_valid:
                _check_frames(file, log, header)
            else:
                _check_headless(file, log, header)


def _read_header(raw: bytes, path: Path) -> _WalHeader:
    magic, _version, page_bytes = struct.unpack_from(">III", raw)
    word_order = ">" if magic == _MAGIC_BIG_ENDIAN else "<"
    stored: Checksum = struct.unpack_from(">II", raw, 24)
    is_valid = (
        magic in (_MAGIC_LITTLE_ENDIAN, _MAGIC_BIG_ENDIAN)
        and _checksum(raw[:24], (0, 0), word_order) == stored
    )
    if not is_valid:
        page_bytes = _page_bytes_of(path)
    return _WalHeader(is_valid, word_order, page_bytes, raw[16:24], stored)


def _page_bytes_of(path: Path) -> int:
    with path.open("rb") as file:
        field = file.read(18)[16:18]
    return int.from_bytes(field, "big") or _PAGE_BYTES_DEFAULT


def _checksum(data: bytes, seed: Checksum, word_order: str) -> Checksum:
    first, second = seed
    words = struct.unpack(f"{word_order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second


def _next_frame(file: BinaryIO, header: _WalHeader) -> _Frame | None:
    raw = file.read(FRAME_HEADER_BYTES + header.page_bytes)
    if len(raw) < FRAME_HEADER_BYTES + header.page_bytes:
        return None
    size_after = int.from_bytes(raw[4:8], "big")
    checksum: Checksum = struct.unpack_from(">II", raw, 16)
    return _Frame(size_after, raw[8:16], checksum, raw[:8] + raw[FRAME_HEADER_BYTES:])


def _check_frames(file: BinaryIO, log: Path, header: _WalHeader) -> None:
    seed = header.checksum
    index = 0
    while frame := _next_frame(file, header):
        computed = _checksum(frame.covered, seed, header.word_order)
        if frame.salts != header.salts or frame.checksum != computed:
            _check_behind(file, log, header, broken=frame, computed=computed, index=index)
            return
        seed = computed
        index += 1


def _check_behind(
    file: BinaryIO, log: Path, header: _WalHeader, *, broken: _Frame, computed: Checksum, index: int
) -> None:
    """The frame at `index` is bad. If a later transaction was begun on top of one that is now lost, refuse.

    A transaction begins only when the one before is synced, so a torn end has nothing built on it. A frame
    is built on another if its checksum continues that one's; `computed` stands in where the bad frame's own
    checksum was hit.
    """
    before, seeds = broken, [broken.checksum, computed]
    while frame := _next_frame(file, header):
        if before.size_after and frame.salts == header.salts:
            for seed in seeds:
                if _checksum(frame.covered, seed, header.word_order) == frame.checksum:
                    _refuse_log(log, header, index)
        before, seeds = frame, [frame.checksum] if frame.salts == header.salts else []


def _check_headless(file: BinaryIO, log: Path, header: _WalHeader) -> None:
    """The header is bad, so SQLite would ignore the whole log. Torn, it has no chain of frames behind it."""
    before = _next_frame(file, header)
    while before and (frame := _next_frame(file, header)):
        if frame.salts == before.salts:
            for word_order in "<>":
                if _checksum(frame.covered, before.checksum, word_order) == frame.checksum:
                    raise JournalDamagedError(
                        f"{log}: byte 0: the log's header is damaged and commits stand behind it"
                    )
        before = frame


def _refuse_log(log: Path, header: _WalHeader, index: int) -> None:
    offset = WAL_HEADER_BYTES + index * (FRAME_HEADER_BYTES + header.page_bytes)
    raise JournalDamagedError(
        f"{log}: byte {offset}: frame {index + 1} does not match its checksum,"
        " and acknowledged commits stand behind it"
    )


def damaged_row(path: Path, place: str, value: bytes) -> JournalDamagedError:
    """The error for a row whose checksum is wrong, with the byte where its value begins if that is found."""
    offset = _find(path, value[:_NEEDLE_BYTES])
    where = "" if offset is None else f"byte {offset}: "
    return JournalDamagedError(f"{path}: {where}{place} does not match its checksum")


def _find(path: Path, needle: bytes) -> int | None:
    if len(needle) < 8 or not path.stat().st_size:
        return None
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        offset = content.find(needle)
    return None if offset < 0 else offset


def damaged_page(path: Path, finding: str, *, page_bytes: int = _PAGE_BYTES_DEFAULT) -> JournalDamagedError:
    """The error for what SQLite's own check found; it names pages, an operator looks for bytes."""
    page = re.search(r"\b[Pp]age (\d+)", finding)
    where = f"byte {(int(page[1]) - 1) * page_bytes}: " if page else ""
    return JournalDamagedError(f"{path}: {where}{' '.join(finding.split())}")


def is_corruption(error: Exception) -> bool:
    """Whether the file's content is to blame, not its disk.

    A schema that was hit shows as a missing column; a flipped bit may also give a column another type or
    make its text undecodable before SQLite objects.
    """
    if not isinstance(error, sqlite3.Error):
        return isinstance(error, (TypeError, ValueError))
    primary_code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    return primary_code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


def locate_damage(path: Path, error: Exception) -> JournalDamagedError:
    """Reading failed on a malformed file; ask SQLite where. It reads the whole file: nothing waits for us."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
            findings = [str(row[0]) for row in connection.execute("PRAGMA quick_check(1)")]
    except (sqlite3.Error, ValueError):
        findings = []
    return damaged_page(path, next((line for line in findings if line != "ok"), str(error)))
