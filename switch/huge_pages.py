"""The switch's memory in pages of 2 MiB, where the system leaves that to each program (madvise(2), Linux).

What a call touches lies all over a hundred megabytes. In pages of 4 KiB finding it took 5 % of the switch's CPU, on a
virtual machine (docs/bench.md). Python asks for its memory a mebibyte at a time, next to what it has: so the areas are
looked at again and again, by a thread of its own, as the advice is for what is there. How the system follows it, and
how much memory is in large pages by now, is in /proc/PID/smaps_rollup (AnonHugePages).
"""

import ctypes
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from errno import EINVAL
from pathlib import Path
from typing import Final

PAGE_BYTES: Final = 2 * 1024 * 1024
MADV_HUGEPAGE: Final = 14
EVERY_S: Final = 10.0
MAPS: Final = Path("/proc/self/maps")
# As one line of the maps names it: anonymous memory has no device, no file and no name.
_OURS: Final = ("", "[heap]")

# madvise(2): address, octets, advice; 0, or which error.
Advise = Callable[[int, int, int], int]


def start_advising() -> None:
    """Goes on beside the program until it ends."""
    threading.Thread(target=_keep_advising, name="huge pages", daemon=True).start()


def _keep_advising() -> None:
    advise = _madvise()
    while advise_once(advise, MAPS):
        time.sleep(EVERY_S)


def advise_once(advise: Advise, maps: Path) -> bool:
    """False where the system has no large pages. An area that is gone meanwhile needs none."""
    try:
        lines = maps.read_text("utf-8", "surrogateescape").split("\n")
    except OSError:
        return False
    return all(advise(start, octets, MADV_HUGEPAGE) != EINVAL for start, octets in areas(lines))


def areas(lines: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Address and octets of each piece of the program's own memory (proc_pid_maps(5)) that whole large pages fit in."""
    for line in lines:
        fields = line.split(maxsplit=5)
        if len(fields) < 5 or fields[1] != "rw-p" or fields[4] != "0" or "".join(fields[5:]) not in _OURS:
            continue
        start, end = (int(address, 16) for address in fields[0].split("-"))
        first = -(-start // PAGE_BYTES) * PAGE_BYTES
        octets = (end - first) // PAGE_BYTES * PAGE_BYTES
        if octets > 0:
            yield first, octets


def _madvise() -> Advise:
    function = ctypes.CDLL(None, use_errno=True).madvise
    function.argtypes = (ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int)
    function.restype = ctypes.c_int

    def advise(start: int, octets: int, advice: int) -> int:
        return 0 if function(start, octets, advice) == 0 else ctypes.get_errno()

    return advise
