"""Price lists of a size: what reading, packing and swapping one costs, how long calls wait, what a look-up takes.

    python -m bench.deck_size [prefixes]

A configuration with a deck, or a tariff, of so many prefixes (100,000) is loaded the way the switch reloads: packed by
a process of its own, then taken in a thread of an event loop, which looks every millisecond what it has waited for. On
a busy machine that is mostly other people's processes; so what counts is the CPU time that this process has spent
outside the loop between two looks: that long the loop could not run even on a machine of its own. The same with
everything read in that thread is beside it. Then a deck of a million prefixes is looked up.
"""

import asyncio
import gc
import random
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from rating.currency import ExchangeRates
from rating.deck import Deck, DeckPrice, pack_deck
from rating.price_table import PriceTable
from switch.config import Conf, load_conf
from switch.price_files import NO_PRICE_FILES, PriceFiles
from switch.price_packer import pack_apart

PREFIXES = 100_000
LOOKED_UP_IN = 1_000_000
LOOK_UPS = 300_000
TICK_S = 0.001
AT_MS = 1_790_000_000_000
HEADER = "prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until\n"
CONF = Path(__file__).parents[1] / "conf"


def prefixes(count: int, draw: random.Random) -> list[str]:
    found: set[str] = set()
    while len(found) < count:
        found.add(f"+{draw.randint(1, 10 ** draw.randint(4, 9))}")
    return sorted(found)


def make_conf(folder: Path, kind: str, count: int) -> None:
    """With one large price list, of the kind "deck" or "tariff"."""
    shutil.copytree(CONF, folder)
    rows = [
        f"{each},to {each[:4]},0,0.0{each[1:5]},1,1,2026-01-01,\n"
        for each in prefixes(count, random.Random(1))
    ]
    (folder / "decks" / "supplier.toml").write_text('prefix = "p"\nprice = "c"\n')
    name = "decks/supplier.csv" if kind == "deck" else "tariffs/retail.csv"
    (folder / name).write_text(HEADER + "".join(rows))


class Lateness:
    """What kept the loop: milliseconds late by the clock, and CPU time of other threads of this process meanwhile."""

    def __init__(self) -> None:
        self.late_ms = 0.0
        self.held_ms = 0.0
        self.ticks = 0

    async def watch(self, work: Awaitable[Conf]) -> Conf:
        """While the work goes on."""
        task = asyncio.ensure_future(work)
        while not task.done():
            due = time.monotonic() + TICK_S
            others = time.process_time() - time.thread_time()
            await asyncio.sleep(TICK_S)
            self.late_ms = max(self.late_ms, 1000 * (time.monotonic() - due))
            self.held_ms = max(self.held_ms, 1000 * (time.process_time() - time.thread_time() - others))
            self.ticks += 1
        return await task


async def reload(conf: Path, prices: Path) -> Conf:
    """As switch/process.py does."""
    await pack_apart(conf, prices)
    return await asyncio.to_thread(load_conf, conf, PriceFiles(prices))


async def reload_in_place(conf: Path, _prices: Path) -> Conf:
    """Everything in the thread."""
    return await asyncio.to_thread(load_conf, conf, NO_PRICE_FILES)


def measure(what: str, work: Callable[[Path, Path], Awaitable[Conf]], conf: Path, prices: Path) -> Conf:
    gc.collect()
    gc.freeze()
    gc.set_threshold(500_000, 20, 50)  # as switch/__main__.py
    lateness = Lateness()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = time.process_time()
    began = time.monotonic()
    loaded = uvloop.run(lateness.watch(work(conf, prices)))
    wall_s, own_s = time.monotonic() - began, time.process_time() - own
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    child_s = after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
    print(
        f"  {what}: CPU {own_s + child_s:.2f} s, of it {child_s:.2f} s apart, in {wall_s:.1f} s; longest hold of the"
        f" loop {lateness.held_ms:.1f} ms of CPU ({lateness.late_ms:.0f} ms late by the clock, in {lateness.ticks}"
        " looks)"
    )
    return loaded


def look_up(count: int) -> None:
    draw = random.Random(2)
    keys = prefixes(count, draw)
    began = time.process_time()
    block = pack_deck(DeckPrice(key, key, 0, 10_000_000, 1, 1, 0, None) for key in keys)
    packed_s = time.process_time() - began
    table = PriceTable(block)
    numbers = [f"{draw.choice(keys)}{draw.randint(0, 99_999)}"[:16] for _ in range(LOOK_UPS)]
    began = time.process_time()
    for number in numbers:
        table.find(number)
    find_us = 1e6 * (time.process_time() - began) / LOOK_UPS
    deck = Deck("d", version="", currency="GBP", table=table, exchange_rates=ExchangeRates({}))
    for number in numbers[:1000]:
        deck.rate_for(number, AT_MS)
    began = time.process_time()
    for _ in range(LOOK_UPS // 1000):
        for number in numbers[:1000]:
            deck.rate_for(number, AT_MS)
    known_us = 1e6 * (time.process_time() - began) / LOOK_UPS
    began = time.process_time()
    for number in numbers[1000:41_000]:
        deck.price_for(number, AT_MS)
    new_us = 1e6 * (time.process_time() - began) / 40_000
    print(
        f"{count:,} prefixes, {len(block) / 2**20:.0f} MiB, packed in {packed_s:.1f} s of CPU. A look-up of the prefix"
        f" {find_us:.2f} us; of the rate, of 1,000 numbers again and again {known_us:.2f} us; of a price that nobody"
        f" has asked for before {new_us:.2f} us"
    )


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else PREFIXES
    for kind in ("deck", "tariff"):
        with tempfile.TemporaryDirectory(prefix="offhook-bench-") as name:
            folder = Path(name)
            make_conf(folder / "conf", kind, count)
            print(f"a {kind} of {count:,} prefixes")
            measure("packed apart, then taken", reload, folder / "conf", folder / "prices")
            taken = measure("packed before", reload, folder / "conf", folder / "prices")
            read = measure("read in the thread", reload_in_place, folder / "conf", folder / "prices")
            assert [each.version for each in taken.versions] == [each.version for each in read.versions]
    look_up(LOOKED_UP_IN)


if __name__ == "__main__":
    main()
