"""One timer of the event loop for a whole queue of timers."""

import asyncio

from switch.transport.alarm import Alarm

NOW = 100.0
FAR = 1e6


def rings(*deadlines: float | None) -> int:
    """How often an alarm rings that is set to these in one turn."""

    async def ring() -> int:
        rung: list[None] = []
        alarm = Alarm(lambda: rung.append(None), now=lambda: NOW, slack_s=0.0)
        for deadline in deadlines:
            alarm.set(deadline)
        for _ in range(5):
            await asyncio.sleep(0)
        alarm.cancel()
        return len(rung)

    return asyncio.run(ring())


def test_it_rings_once_for_the_deadline_that_was_set_last() -> None:
    assert rings(NOW) == 1
    assert rings(NOW - 5) == 1, "a deadline that has passed is due at once"
    assert rings(NOW, NOW - 1, NOW) == 1
    assert rings(NOW, FAR) == 0
    assert rings(FAR, NOW) == 1
    assert rings(NOW, None) == 0


def test_it_can_be_set_again_to_the_same_deadline_when_it_has_rung() -> None:
    async def ring_twice() -> None:
        rung = asyncio.Event()
        alarm = Alarm(rung.set, now=lambda: NOW, slack_s=0.0)
        for _ in range(2):
            alarm.set(NOW)
            await asyncio.wait_for(rung.wait(), 5.0)
            rung.clear()

    asyncio.run(ring_twice())
