"""Memory of the switch with very many registered lines and live calls: resident bytes, from outside."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from bench.exchange import Exchange, running_exchange
from bench.phones import Registered, register_all
from bench.plan import Plan
from bench.ports import free_ports
from bench.program import BenchError
from bench.sipp import make_callers, run_callers, start_trunk
from bench.whole_job import call_load, make_desk

CALL_RATE = 200.0
TALK_AFTER_ALL_S = 6.0  # all calls are alive together for about this long
SAMPLE_S = 0.5


class MemoryFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Resident bytes by process: with lines only known, registered, and with calls alive."""

    lines: int
    registered: Registered
    live_calls: int
    failed_calls: int
    known_bytes: dict[str, int]
    registered_bytes: dict[str, int]
    live_bytes: dict[str, int]


def measure_memory(directory: Path, plan: Plan) -> MemoryFigures:
    """A fresh exchange with `plan.lines_max` lines."""
    callers = make_callers(plan.lines_max)
    port, metrics_port, trunk_port, caller_port = free_ports(4)
    desk = make_desk(directory, callers[: plan.live_calls], port=caller_port)
    with (
        start_trunk(trunk_port, directory),
        running_exchange(
            directory / "exchange",
            port=port,
            metrics_port=metrics_port,
            trunk_port=trunk_port,
            callers=callers,
        ) as exchange,
    ):
        known = exchange.resident_bytes()
        registered = register_all(callers, port=exchange.port)
        if registered.lines < len(callers) * 0.999:
            raise BenchError(f"only {registered.lines} of {len(callers)} lines could register: {registered}")
        time.sleep(SAMPLE_S)
        with_registrations = exchange.resident_bytes()
        talk_ms = int((plan.live_calls / CALL_RATE + TALK_AFTER_ALL_S) * 1000)
        load = call_load(exchange, desk, rate=CALL_RATE, total=plan.live_calls, talk_ms=talk_ms)
        with ThreadPoolExecutor(max_workers=1) as pool:
            running = pool.submit(run_callers, load, desk.callers, desk.directory)
            most_calls, most_bytes = 0, with_registrations
            while not running.done():
                most_calls, most_bytes = _sample(exchange, most_calls, most_bytes)
                time.sleep(SAMPLE_S)
        return MemoryFigures(
            lines=len(callers),
            registered=registered,
            live_calls=most_calls,
            failed_calls=running.result().failed,
            known_bytes=known,
            registered_bytes=with_registrations,
            live_bytes=most_bytes,
        )


def _sample(exchange: Exchange, calls: int, sizes: dict[str, int]) -> tuple[int, dict[str, int]]:
    now = exchange.resident_bytes()
    return max(calls, exchange.status().live_calls), {
        part: max(size, sizes.get(part, 0)) for part, size in now.items()
    }
