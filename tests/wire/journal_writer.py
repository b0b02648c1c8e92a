"""A switch as the journal sees one, in a process of its own so that it can be killed.

    python journal_writer.py JOURNAL

Says `ready SEQ` when the journal is open, then appends records that carry their own number as fast as the
loop turns, a few at a time, and says each number that became durable. `refused REASON` if the journal is
not for it.
"""

import asyncio
import os
import random
import sys
from pathlib import Path

from rating.journal.link import JournalLink, JournalRefusedError
from tests.rating.journal.files import number


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def lost() -> None:
    say("lost")


async def write(journal: Path) -> None:
    link = JournalLink(journal, on_durable=lambda seq: say(str(seq)), on_failed=say, on_lost=lost)
    try:
        ready = await link.start()
    except JournalRefusedError as refusal:
        say(f"refused {refusal}")
        return
    say(f"ready {ready.last_seq}")
    chance = random.Random()
    while True:
        for _ in range(chance.randrange(1, 5)):
            seq = link.last_seq + 1
            link.append([(f"key/{seq % 50}", b"%d" % seq)], [number(seq)], is_urgent=chance.random() < 0.3)
        link.flush()
        await asyncio.sleep(0.001)


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1])))
