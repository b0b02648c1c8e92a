"""The switch dies, or the relay does, in the middle of calls."""

import time
from pathlib import Path

import pytest

from media.relay.messages import Bridge, Figures, Granted, Hello, Open, Refused, Release
from tests.wire.media.relays import HOST, Call, Peer, RelayProcess, Switch, relay_and_switch, until

pytestmark = pytest.mark.wire


def test_calls_go_on_without_the_switch_and_end_when_the_next_one_releases_them(tmp_path: Path) -> None:
    with relay_and_switch(tmp_path) as (_relay, switch):
        call = Call(switch)
        call.aim()
        call.talk(3)
        switch.disconnect()
        call.talk(20)
        successor = Switch(_relay, epoch="e2")
        call.talk(20)
        later = Call(successor)
        later.aim()
        later.talk(3)
        successor.say(Release())
        successor.figures(later.a)
        call.caller.send(call.a_address, 5)  # nobody has the port
        later.talk(3)
        assert call.callee.received() == []
        assert not [one for one in successor.heard if isinstance(one, Figures)]
        successor.disconnect()
        call.close()
        later.close()


def test_the_same_switch_finds_its_calls_again_and_hears_what_it_missed(tmp_path: Path) -> None:
    with relay_and_switch(tmp_path) as (relay, switch):
        call = Call(switch, ("127.0.0.2", "127.0.0.3"))
        call.aim_behind_nat()
        switch.disconnect()
        call.caller.send(call.a_address, 10)
        call.callee.send(call.b_address, 10)
        call.caller.receive(1)
        again = Switch(relay, epoch=switch.epoch)
        assert again.latched(call.a).port == call.caller.address[1]
        again.wait_seen(call.a, 10)
        again.wait_seen(call.b, 10)
        call.caller.received()
        call.callee.received()
        call.talk(5)
        again.say(Open(call.a, *call.a_address, "told again"))
        assert again.figures(call.a).packets > 0
        assert not [one for one in again.heard if isinstance(one, Refused)]
        again.disconnect()
        call.close()


def test_the_newest_switch_wins(tmp_path: Path) -> None:
    with relay_and_switch(tmp_path) as (relay, switch):
        newest = Switch(relay, epoch="e2")
        newest.hear(Granted)
        until(lambda: not switch.listen(0.05), "the old one to be cut off")
        newest.disconnect()


def test_ports_that_were_granted_to_a_dead_switch_rest(tmp_path: Path) -> None:
    with relay_and_switch(tmp_path, pairs=600) as (relay, switch):
        before = {port for _ in range(3) for port in switch.hear(Granted).ports}
        switch.disconnect()
        successor = Switch(relay, epoch="e2")
        after = {port for _ in range(3) for port in successor.hear(Granted).ports}
        assert not before & after
        successor.disconnect()


def test_a_killed_relay_is_told_of_its_calls_again_and_sound_is_back_at_once(tmp_path: Path) -> None:
    relay = RelayProcess(tmp_path)
    relay.start()
    try:
        switch = Switch(relay)
        call = Call(switch)
        call.aim()
        call.talk(3)
        epoch = switch.hear(Hello).epoch
        relay.kill()
        until(lambda: not switch.listen(0.05), "the link to end")
        relay.start()
        again = Switch(relay, epoch=switch.epoch, first_number=10)
        assert again.hear(Hello).epoch != epoch
        started = time.monotonic()
        again.say(
            Open(call.a, *call.a_address, "a"), Open(call.b, *call.b_address, "b"), Bridge(call.a, call.b)
        )
        call.switch = again
        again.aim(call.a, call.caller.address, latched=(*call.caller.address, 0))
        again.aim(call.b, call.callee.address, latched=(*call.callee.address, 0))
        call.settle()
        call.talk(3)
        print(f"sound was back {time.monotonic() - started:.3f} s after the relay was")
        fresh = Peer()
        number, address = again.open()
        assert address[1] not in (call.a_address[1], call.b_address[1])
        assert again.figures(number).packets == 0
        fresh.close()
        again.disconnect()
        switch.disconnect()
        call.close()
    finally:
        relay.stop()
    assert HOST in relay.log.read_text()
