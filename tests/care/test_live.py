"""The running switch tells of a call that is up, over its control socket."""

import asyncio
from pathlib import Path

import pytest

from care.live import SwitchCalls
from care.switch_asking import SwitchSilentError
from switch.control import Control
from tests.switch.calls.office import Office
from tests.switch.test_operator_surface import Running

pytestmark = pytest.mark.wire


def test_a_call_that_is_up_is_told_over_the_control_socket(tmp_path: Path) -> None:
    office = Office()
    office.call(office.alice, "01632960002")
    path = tmp_path / "control.sock"
    live = SwitchCalls(path)

    async def ask() -> None:
        with pytest.raises(SwitchSilentError, match="does not answer"):
            await live.records()
        control = Control(Running(office.house))  # type: ignore[arg-type]
        await control.start(path)
        try:
            ((caller, callee),) = await live.records(texts=["alice"], since_ms=-5)
            assert (caller.line, callee.line, caller.outcome) == ("alice", "bob", "open")
            assert await live.records(call_id=caller.call_id) == [[caller, callee]]
            assert await live.records(texts=["nobody"]) == []
            assert await live.media(caller.call_id) == []
        finally:
            await control.stop()

    asyncio.run(ask())
