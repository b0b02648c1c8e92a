"""One supervised child process: restarted, told to stop, ended with its supervisor."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from offhook.exit_codes import CommandError, ExitCode
from offhook.supervisor.part import FAILURES_BEFORE_GIVING_UP, Part, PartPlan, exit_text

pytestmark = pytest.mark.wire

WAIT_S = 20.0


def plan(code: str, directory: Path, **more: object) -> PartPlan:
    fields = {
        "name": "child",
        "command": [sys.executable, "-c", code],
        "environment": dict(os.environ),
        "directory": str(directory),
        **more,
    }
    return PartPlan(**fields)  # type: ignore[arg-type]


async def until(path: Path) -> None:
    async with asyncio.timeout(WAIT_S):
        while not path.exists():
            await asyncio.sleep(0.01)


def test_a_part_that_dies_is_started_again(tmp_path: Path) -> None:
    code = """
import os, pathlib, time
second = pathlib.Path("first").exists()
pathlib.Path("second" if second else "first").touch()
time.sleep(60 if second else 0)
"""

    async def test() -> None:
        part = Part(plan(code, tmp_path))
        running = asyncio.create_task(part.run())
        await until(tmp_path / "second")
        assert part.starts == 2
        await part.stop()
        await running
        assert part.pid is None

    asyncio.run(test())


def test_a_part_that_never_serves_is_given_up_with_its_last_exit(tmp_path: Path) -> None:
    async def test() -> None:
        part = Part(plan("raise SystemExit(7)", tmp_path))
        with pytest.raises(
            CommandError, match=rf"ended {FAILURES_BEFORE_GIVING_UP} times.*exit 7"
        ) as given_up:
            await asyncio.wait_for(part.run(), WAIT_S)
        assert given_up.value.code is ExitCode.UNREACHABLE

    asyncio.run(test())


def test_a_part_that_has_served_is_never_given_up(tmp_path: Path) -> None:
    async def test() -> None:
        part = Part(plan("raise SystemExit(1)", tmp_path))
        part.mark_served()
        running = asyncio.create_task(part.run())
        async with asyncio.timeout(WAIT_S):
            while part.starts <= FAILURES_BEFORE_GIVING_UP:
                await asyncio.sleep(0.01)
        assert not running.done()
        await part.stop()
        await running

    asyncio.run(test())


def test_a_part_that_refuses_its_configuration_is_not_tried_again(tmp_path: Path) -> None:
    async def test() -> None:
        part = Part(plan("raise SystemExit(2)", tmp_path))
        with pytest.raises(CommandError, match="refuses to start") as refused:
            await part.run()
        assert refused.value.code is ExitCode.INVALID
        assert part.starts == 1

    asyncio.run(test())


def test_a_part_that_ignores_the_signal_is_ended_by_force(tmp_path: Path) -> None:
    code = """
import pathlib, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path("deaf").touch()
time.sleep(60)
"""

    async def test() -> None:
        part = Part(plan(code, tmp_path, stop_wait_s=0.2))
        running = asyncio.create_task(part.run())
        await until(tmp_path / "deaf")
        await asyncio.wait_for(part.stop(), WAIT_S)
        await running
        assert part.pid is None

    asyncio.run(test())


def test_stopping_does_not_wait_for_the_next_try(tmp_path: Path) -> None:
    async def test() -> None:
        part = Part(plan("raise SystemExit(1)", tmp_path))
        part.mark_served()
        running = asyncio.create_task(part.run())
        async with asyncio.timeout(WAIT_S):
            while part.starts < 4:
                await asyncio.sleep(0.01)
        started = time.monotonic()
        await part.stop()
        await asyncio.wait_for(running, WAIT_S)
        assert time.monotonic() - started < 5.0

    asyncio.run(test())


def test_the_kernel_ends_a_part_when_its_supervisor_is_killed(tmp_path: Path) -> None:
    supervisor = f"""
import asyncio, os, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from offhook.supervisor.part import Part, PartPlan
code = "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(60)"
plan = PartPlan(name="child", command=[sys.executable, "-c", code], environment=dict(os.environ), directory=".")
asyncio.run(Part(plan).run())
"""

    async def test() -> None:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", supervisor, cwd=tmp_path)
        await until(tmp_path / "pid")
        async with asyncio.timeout(WAIT_S):
            while not (text := (tmp_path / "pid").read_text()):
                await asyncio.sleep(0.01)
            process.kill()
            await process.wait()
            while _is_alive(int(text)):
                await asyncio.sleep(0.01)

    asyncio.run(test())


def test_exits_are_named_for_people() -> None:
    assert exit_text(3) == "exit 3"
    assert exit_text(-signal.SIGKILL) == "signal 9 (SIGKILL)"


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
