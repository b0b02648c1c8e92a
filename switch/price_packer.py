"""The process that reads large price lists, so that calls do not wait for it.

    python -m switch.price_packer --conf CONF --prices DATA/prices

A CSV of a hundred thousand rows takes more than a second to read; in the switch that second would be taken from calls,
thread or no thread. So before the switch loads a configuration with a large CSV in it, this process loads the same
configuration and leaves what comes of it in packed files (price_files.py), which the switch then takes.
"""

import argparse
import asyncio
import contextlib
import os
import sys
import time
from pathlib import Path
from typing import Final

import structlog

from switch.config import ConfProblems, load_conf
from switch.price_files import BIG_BYTES, PriceFiles

PACKING_S_MAX: Final = 300.0  # a million rows take a tenth of it on a quiet machine

log = structlog.get_logger(__name__)


def has_big_prices(conf: Path) -> bool:
    """Whether some CSV is large enough to be packed by a process of its own."""
    with contextlib.suppress(OSError):
        files = [path for folder in ("tariffs", "decks") for path in (conf / folder).glob("*.csv")]
        return any(path.stat().st_size >= BIG_BYTES for path in files)
    return False


async def pack_apart(conf: Path, prices: Path) -> None:
    """Have the price lists of a configuration packed, if any is large. What fails here is found again by loading."""
    if not has_big_prices(conf):
        return
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "switch.price_packer", "--conf", str(conf), "--prices", str(prices),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(PACKING_S_MAX):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
        log.error("packing_prices_took_too_long", limit_s=PACKING_S_MAX)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m switch.price_files", description="Pack large price lists."
    )
    parser.add_argument("--conf", type=Path, required=True)
    parser.add_argument("--prices", type=Path, required=True)
    arguments = parser.parse_args()
    with contextlib.suppress(OSError):
        os.nice(10)  # calls go before
    prices = PriceFiles(arguments.prices, packs=True)
    arguments.prices.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        load_conf(arguments.conf, prices)
    except ConfProblems:
        return 2  # the switch says what is wrong
    prices.delete_unused(time.time())
    return 0


if __name__ == "__main__":
    sys.exit(main())
