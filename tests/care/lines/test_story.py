"""What is gathered of a line from the books, and from the switch where it answers."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from care.lines import explain_line, gather_line
from care.lines.story import LiveBan, LivePhone, SwitchLines
from care.switch_asking import SwitchSilentError
from provisioning import service
from provisioning.problems import Refused
from provisioning.settings import Restriction
from switch.control import Control
from tests.provisioning.databases import add_prepaid, in_database
from tests.provisioning.test_registration_search import event, fill
from tests.switch.calls.office import Office
from tests.switch.test_operator_surface import Running

pytestmark = pytest.mark.wire

NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000


class Switch:
    """Nothing registered, nobody banned."""

    def __init__(self, *, is_silent: bool = False) -> None:
        self.is_silent = is_silent

    async def phones(self, line: str) -> list[LivePhone]:
        if self.is_silent:
            raise SwitchSilentError("the switch does not answer")
        return []

    async def bans(self) -> list[LiveBan]:
        return []


@in_database
async def test_a_phone_that_left_weeks_ago_and_a_name_that_was_misspelt_since(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    await service.add_line(db, "alice", account_name="Shop", realm="offhook", password="correct-horse-7")
    await fill(
        db,
        [
            event(NOW_MS - 900 * HOUR_MS, "registered"),
            event(NOW_MS - 800 * HOUR_MS, "left"),
            event(NOW_MS - HOUR_MS, "refused", "192.0.2.1:6000", line="", claimed="alcie"),
            event(NOW_MS - HOUR_MS, "refused", "203.0.113.9:6000", line="", claimed="admin"),
            event(NOW_MS - 30 * HOUR_MS, "refused", "192.0.2.1:6000", line="", claimed="alcei"),
        ],
    )
    story = await gather_line(db, "alice", live=Switch(), now_ms=NOW_MS)
    assert story.last_end is not None and story.last_end.event == "left"
    assert [each.claimed for each in story.misnamed] == ["alcie"]
    assert (story.phones, story.silent, story.restriction) == ([], "", Restriction.NONE)
    assert [finding.name for finding in explain_line(story).findings] == ["wrong-user-name"]
    await db.execute("""UPDATE accounts SET settings = '{"restriction": "ceased"}'""")
    story = await gather_line(db, "alice", live=Switch(is_silent=True), now_ms=NOW_MS)
    assert (story.phones, story.silent) == (None, "the switch does not answer")
    assert explain_line(story).findings[0].name == "account-closed"
    with pytest.raises(Refused, match="no line"):
        await gather_line(db, "nobody", live=Switch(), now_ms=NOW_MS)


def test_the_control_socket_tells_what_is_registered_and_banned(tmp_path: Path) -> None:
    office = Office()
    lines = SwitchLines(tmp_path / "control.sock")

    async def ask() -> None:
        with pytest.raises(SwitchSilentError):
            await lines.phones("alice")
        control = Control(Running(office.house))  # type: ignore[arg-type]
        await control.start(tmp_path / "control.sock")
        try:
            (phone,) = await lines.phones("alice")
            assert (phone.user, phone.source, phone.is_dead) == ("alice", "udp:192.0.2.10:5060", False)
            office.house.exchange.door.ban("203.0.113.9", 60, office.house.clock.now)
            (ban,) = await lines.bans()
            assert (ban.source, ban.line, ban.reason) == ("203.0.113.9", "", "the operator")
        finally:
            await control.stop()

    asyncio.run(ask())
