"""The control for event-loop lag: a loop with nothing else to do, measuring its own lag as the switch does.

    python -m bench.idle_loop

Runs until SIGTERM, then prints the lags in milliseconds as one JSON list. What this loop suffers is the machine's
doing and not the exchange's.
"""

import asyncio
import json
import signal
import time

import uvloop

PROBE_S = 0.1  # as the switch probes itself


async def measure() -> list[float]:
    loop = asyncio.get_running_loop()
    lags_ms: list[float] = []
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)

    def probe(due: float) -> None:
        now = time.monotonic()
        lags_ms.append(max(0.0, now - due) * 1000)
        loop.call_later(PROBE_S, probe, now + PROBE_S)

    loop.call_later(PROBE_S, probe, time.monotonic() + PROBE_S)
    await stop.wait()
    return lags_ms


if __name__ == "__main__":
    print(json.dumps(uvloop.run(measure())))
