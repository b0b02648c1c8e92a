"""Which memory is asked to be in large pages, and that the system takes the advice."""

import mmap
from errno import EINVAL, ENOMEM
from pathlib import Path

import pytest

from switch.huge_pages import MADV_HUGEPAGE, MAPS, PAGE_BYTES, advise_once, areas

HEAP = "55d1c0a00000-55d1c1000000 rw-p 00000000 00:00 0                          [heap]"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (HEAP, [(0x55D1C0A00000, 3 * PAGE_BYTES)]),
        ("7f0000000000-7f0000200000 rw-p 00000000 00:00 0 ", [(0x7F0000000000, PAGE_BYTES)]),
        # What begins or ends within a large page is left out.
        ("7f00000ff000-7f0000501000 rw-p 00000000 00:00 0 ", [(0x7F0000200000, PAGE_BYTES)]),
        ("7f0000100000-7f00002ff000 rw-p 00000000 00:00 0 ", []),
        ("7f0000000000-7f0000200000 r--p 00000000 00:00 0 ", []),
        ("7f0000000000-7f0000200000 rw-s 00000000 00:01 77 /dev/shm/shared", []),
        ("7f0000000000-7f0000200000 rw-p 00000000 08:01 77 /usr/lib/a library.so", []),
        ("7ffc00000000-7ffc00800000 rw-p 00000000 00:00 0                          [stack]", []),
        ("", []),
    ],
)
def test_whole_large_pages_of_the_programs_own_memory(line: str, found: list[tuple[int, int]]) -> None:
    assert list(areas([line])) == found


def test_each_area_is_advised_until_the_system_has_no_such_advice(tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    maps.write_text(f"{HEAP}\n7f0000000000-7f0000200000 rw-p 00000000 00:00 0 \n")
    asked: list[tuple[int, int, int]] = []

    def advise(start: int, octets: int, advice: int) -> int:
        asked.append((start, octets, advice))
        return 0

    assert advise_once(advise, maps)
    assert asked == [
        (0x55D1C0A00000, 3 * PAGE_BYTES, MADV_HUGEPAGE),
        (0x7F0000000000, PAGE_BYTES, MADV_HUGEPAGE),
    ]
    assert advise_once(lambda *_: ENOMEM, maps), "it was given back meanwhile"
    assert not advise_once(lambda *_: EINVAL, maps)


def test_without_proc_nothing_is_asked(tmp_path: Path) -> None:
    assert not advise_once(lambda *_: pytest.fail("nothing to ask for"), tmp_path / "maps")


def test_our_own_maps_are_read() -> None:
    with mmap.mmap(-1, 8 * PAGE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS):
        assert sum(octets for _, octets in areas(MAPS.read_text().split("\n"))) >= 7 * PAGE_BYTES
