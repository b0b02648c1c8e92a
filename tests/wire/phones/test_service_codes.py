"""Service codes dialled by a pjsua2 phone: what stands in PostgreSQL afterwards, also when that was slow or held."""

from collections.abc import Iterator

import msgspec
import psycopg
import pytest

from demo.phone import Phone
from demo.phone_messages import CallState
from sipp_scenarios.sipp import sipp_program
from tests.wire.phones.conftest import PhoneStarter
from tests.wire.phones.records import records_of
from tests.wire.phones.test_diverts import VoicemailTown
from tests.wire.phones.town import Town

pytestmark = pytest.mark.skipif(
    sipp_program() is None, reason="sipp is not installed: apt-get install sip-tester"
)


@pytest.fixture(scope="module")
def quarter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VoicemailTown]:
    town = VoicemailTown(tmp_path_factory.mktemp("codes"))
    try:
        town.start()
        town.populate()
        yield town
    finally:
        town.stop()


def dial(town: Town, phone: Phone, code: str) -> str:
    """Listens to what is said, hangs up, and returns the reason on the record of the leg that said it."""
    call = phone.dial(town.uri(code.replace("#", "%23")))
    call.wait_for(CallState.CONFIRMED, timeout_s=15)
    call.hang_up()
    call.wait_ended()
    caller, service = records_of(town, call.sip_call_id, legs=2)
    assert (caller.outcome, caller.cost_micros) == ("answered", 0)
    return service.leg_reason


def listed(town: Town) -> list[tuple[str, str, str, bool]]:
    """What `offhook divert list` says of alice."""
    diverts = msgspec.json.decode(town.run("divert", "list", "--line", "alice", "--json"))["diverts"]
    return [
        (each["condition"], each["kind"], each["destination"], each.get("is_enabled", True)) for each in diverts
    ]


def results(town: Town) -> dict[str, int]:
    found: dict[str, int] = town.status()["service_codes"]
    return found


def test_a_divert_is_set_asked_about_and_cancelled_from_the_phone(
    quarter: VoicemailTown, phone: PhoneStarter
) -> None:
    town = quarter
    alice = phone(town.settings("alice"))
    alice.register()
    with town.voicemail():
        assert dial(town, alice, "*21*07700900123#") == "service"
        rows = town.query("SELECT condition, kind, destination FROM diverts WHERE line = 'alice'")
        assert rows == [{"condition": "all", "kind": "number", "destination": "+447700900123"}]
        assert listed(town) == [("all", "number", "+447700900123", True)]
        dial(town, alice, "*#21#")
        dial(town, alice, "#21#")
        assert listed(town) == [("all", "number", "+447700900123", False)]
        dial(town, alice, "##21")
        assert listed(town) == []
        dial(town, alice, "*21*999#")
        dial(town, alice, "*43")
    assert listed(town) == []
    assert (results(town)["done"], results(town)["said"]) == (4, 2)
    assert town.query("SELECT settings FROM lines WHERE user_part = 'alice'") == [{"settings": {}}]


def test_a_change_that_takes_too_long_is_told_so_and_is_in_the_books_when_it_could_be_made(
    quarter: VoicemailTown, phone: PhoneStarter
) -> None:
    town = quarter
    alice = phone(town.settings("alice"))
    alice.register()
    done = results(town).get("done", 0)
    with town.voicemail(), psycopg.connect(town.data.dsn_file.read_text("utf-8")) as holder:
        holder.execute("SELECT 1 FROM lines WHERE user_part = 'alice' FOR UPDATE")
        call = alice.dial(town.uri("*67*07700900123%23"))
        call.wait_for(CallState.CONFIRMED, timeout_s=8)
        assert results(town)["too_late"] == 1
        holder.rollback()
        call.hang_up()
        call.wait_ended()
        town.wait_until("the divert is in the books", lambda: bool(listed(town)))
        town.wait_until("the exchange heard of it", lambda: "late_done" in results(town))
    assert listed(town) == [("busy", "number", "+447700900123", True)]
    assert results(town).get("done", 0) == done
