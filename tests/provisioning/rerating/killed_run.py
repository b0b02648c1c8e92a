"""A run in a process of its own, to be killed: `python -m tests.provisioning.rerating.killed_run DSN`.

It says "written" after each batch.
"""

import asyncio
import sys

from provisioning import service
from provisioning.rerating import run as running
from provisioning.rerating.run import rerate
from tests.provisioning.rerating.test_rerating import order


async def main(dsn: str) -> None:
    running.LEGS_AT_ONCE = 3  # type: ignore[misc]
    real = running._Run._write

    async def telling(run: running._Run, batch: list[running.PricedLeg]) -> None:
        await real(run, batch)
        print("written", flush=True)

    running._Run._write = telling  # type: ignore[method-assign]
    async with service.connect(dsn) as db:
        await rerate(db, order())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
