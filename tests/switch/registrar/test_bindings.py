"""The location service: who can be reached where, until when, and what survives a restart."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.registrar.bindings import (
    EXPIRY_BATCH,
    EXPIRY_SLOT_S,
    Binding,
    Bindings,
    RegistrarLimits,
)
from switch.registrar.stored_bindings import decode_bindings, encode_bindings
from switch.sip.flow import UDP, Flow
from tests.switch.registrar.phones import CONNECTION, HOME_URI, OTHER_PHONE, PHONE, WORK_URI, binding

LIMITS = RegistrarLimits()


def made(*bindings: Binding) -> Bindings:
    table = Bindings(LIMITS)
    for each in bindings:
        table.add(each)
    return table


def test_a_binding_is_there_until_its_expiry_and_not_a_moment_longer() -> None:
    table = made(binding(expires_at=100.0))
    assert [each.contact for each in table.contacts_for("alice", 99.9)] == [HOME_URI]
    assert table.contacts_for("alice", 100.0) == []
    assert table.of("alice", 100.0) == []
    assert table.contacts_for("bob", 0.0) == []


def test_contacts_come_by_q_and_then_the_latest_refreshed_first() -> None:
    table = made(
        binding("sip:low@h", q=0.2, refreshed_at=9.0),
        binding("sip:none@h", refreshed_at=1.0),
        binding("sip:full@h", q=1.0, refreshed_at=5.0),
        binding("sip:half@h", q=0.5, refreshed_at=8.0),
    )
    assert [each.contact for each in table.contacts_for("alice", 10.0)] == [
        "sip:full@h",
        "sip:none@h",
        "sip:half@h",
        "sip:low@h",
    ]


def test_a_dead_phone_is_passed_over_while_another_one_is_alive() -> None:
    home, work = binding(HOME_URI), binding(WORK_URI, flow=OTHER_PHONE)
    table = made(home, work)
    home.is_dead = True
    assert table.contacts_for("alice", 1.0) == [work]
    work.is_dead = True
    assert set(table.contacts_for("alice", 1.0)) == {home, work}
    assert table.of("alice", 1.0) == [home, work]


@pytest.mark.parametrize(
    ("contact", "is_callable"),
    [
        ("sip:a@h", True),
        ("SIPS:a@h", True),
        ("tel:+441632960001", False),
        ("mailto:a@h", False),
        ("sipx:a@h", False),
    ],
)
def test_only_sip_contacts_are_called_but_all_are_listed(contact: str, is_callable: bool) -> None:
    table = made(binding(contact))
    assert bool(table.contacts_for("alice", 1.0)) is is_callable
    assert len(table.of("alice", 1.0)) == 1


def test_expired_bindings_are_forgotten_and_their_users_reported() -> None:
    table = made(
        binding(HOME_URI, expires_at=10.0),
        binding(WORK_URI, expires_at=1000.0),
        binding(user="bob", flow=OTHER_PHONE, expires_at=500.0),
    )
    assert table.expire(9.0) == []
    assert table.expire(10.0 + EXPIRY_SLOT_S) == ["alice"]
    assert table.count == 2
    assert table.expire(10.0 + EXPIRY_SLOT_S) == []
    assert table.expire(2000.0) in (["alice", "bob"], ["bob", "alice"])
    assert (table.count, table.aors_count) == (0, 0)


def test_the_first_of_several_to_expire_is_forgotten_first_whatever_the_order_they_came_in() -> None:
    table = made(*(binding(f"sip:{at}@h", expires_at=at) for at in (300.0, 100.0, 200.0)))
    for at in (100.0, 200.0, 300.0):
        assert table.expire(at - 1.0) == []
        assert table.expire(at + EXPIRY_SLOT_S) == ["alice"]
    assert table.count == 0


def test_a_refreshed_binding_outlives_its_first_expiry() -> None:
    phone = binding(expires_at=60.0)
    table = made(phone)
    table.refresh(phone, binding(expires_at=120.0))
    assert table.expire(80.0) == []
    assert table.contacts_for("alice", 100.0) == [phone]
    assert table.expire(120.0 + EXPIRY_SLOT_S) == ["alice"]


def test_a_binding_that_is_shortened_expires_early() -> None:
    phone = binding(expires_at=3600.0)
    table = made(phone)
    table.refresh(phone, binding(expires_at=60.0))
    assert table.expire(60.0 + EXPIRY_SLOT_S) == ["alice"]


def test_a_crowd_that_expires_together_is_forgotten_in_portions() -> None:
    table = Bindings(LIMITS)
    for number in range(2 * EXPIRY_BATCH + 1):
        flow = Flow(UDP, "203.0.113.7", 1024 + number, "198.51.100.1", 5060)
        table.add(binding(user=f"u{number}", flow=flow, expires_at=60.0))
    sizes = [len(table.expire(70.0)) for _ in range(4)]
    assert sizes == [EXPIRY_BATCH, EXPIRY_BATCH, 1, 0]
    assert table.count == 0


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "refresh", "remove", "wait"]),
            st.sampled_from(["alice", "bob", "carol"]),
            st.integers(0, 2),
            st.integers(1, 40),
        ),
        max_size=80,
    )
)
def test_whatever_happens_the_tables_agree_with_a_plain_list(steps: list[tuple[str, str, int, int]]) -> None:
    table = Bindings(LIMITS)
    flows = [PHONE, OTHER_PHONE, CONNECTION]
    plain: list[Binding] = []
    now = 0.0
    for action, user, number, seconds in steps:
        mine = [each for each in plain if each.user == user and each.expires_at > now]
        fresh = binding(f"sip:{seconds}@h", user=user, flow=flows[number], expires_at=now + seconds)
        if action == "add":
            table.add(fresh)
            plain.append(fresh)
        elif action == "refresh" and mine:
            table.refresh(mine[number % len(mine)], fresh)
        elif action == "remove" and mine:
            table.remove(mine[number % len(mine)])
        else:
            now += seconds
            table.expire(now)
        plain = [each for each in plain if each.expires_at > now]
        for name in ("alice", "bob", "carol"):
            assert table.of(name, now) == [each for each in plain if each.user == name]
        for flow in flows:
            here = {each.user for each in plain if each.flow == flow}
            found = table.user_at(flow, "nobody", now)
            assert (found in here) if here else (found is None)
        # What has expired is still held for a slot at most.
        assert len(plain) <= table.count == len(list(table))
    table.expire(now + 100.0)
    assert (table.count, table.aors_count, table.flows_count) == (0, 0, 0)
    assert all(table.user_at(flow, "alice", now) is None for flow in flows)


def test_the_user_of_a_flow_is_the_one_claimed_if_bound_there_or_else_another_one() -> None:
    table = made(binding(user="alice"), binding(user="bob"), binding(user="carol", flow=OTHER_PHONE))
    assert table.user_at(PHONE, "bob", 1.0) == "bob"
    assert table.user_at(PHONE, "carol", 1.0) == "alice"
    assert table.user_at(PHONE, "anonymous", 1.0) == "alice"
    assert table.user_at(CONNECTION, "alice", 1.0) is None
    assert table.user_at(PHONE, "bob", 3600.0) is None


def test_thousands_of_lines_may_register_over_one_flow() -> None:
    """A border controller, or a load generator. Quadratic work for it would stop the exchange."""
    table = Bindings(LIMITS)
    for number in range(30_000):
        table.add(binding(user=f"u{number}", expires_at=60.0))
    assert table.user_at(PHONE, "u29999", 1.0) == "u29999"
    while table.expire(100.0):
        pass
    assert table.user_at(PHONE, "u29999", 1.0) is None


def test_a_lost_connection_makes_its_phones_dead_and_a_refresh_brings_them_back() -> None:
    phone, other = binding(flow=CONNECTION), binding(WORK_URI, flow=PHONE)
    table = made(phone, other)
    assert table.flow_lost(CONNECTION) == [phone]
    assert table.flow_lost(CONNECTION) == []
    assert table.contacts_for("alice", 1.0) == [other]
    table.refresh(phone, binding(flow=OTHER_PHONE))
    assert set(table.contacts_for("alice", 1.0)) == {phone, other}
    assert table.user_at(OTHER_PHONE, "alice", 1.0) == "alice"
    assert table.user_at(CONNECTION, "alice", 1.0) is None


def test_a_removed_line_leaves_nothing_behind() -> None:
    phone = binding()
    table = made(phone, binding(WORK_URI))
    assert table.remove_user("alice")
    assert not table.remove_user("alice")
    assert table.count == 0
    assert phone.expires_at == 0.0
    assert table.expire(10_000.0) == []


# Restart


def test_bindings_come_back_from_the_journal_as_they_were() -> None:
    before = [binding(q=0.25, refreshed_at=50.0), binding(WORK_URI, flow=CONNECTION, is_behind_nat=False)]
    data = encode_bindings(before, wall_offset_ms=1_700_000_000_000)
    after = decode_bindings("alice", data, wall_offset_ms=1_700_000_000_000)
    assert [msgspec.structs.asdict(each) for each in after] == [
        msgspec.structs.asdict(each) for each in before
    ]
    assert all(isinstance(each.flow, Flow) for each in after)


def test_an_expiry_is_kept_as_a_time_of_day_since_the_monotonic_clock_starts_anew() -> None:
    data = encode_bindings([binding(expires_at=5000.0)], wall_offset_ms=1_700_000_000_000)
    # The machine was restarted: 1000 s after the binding was written its clock says 20.
    (after,) = decode_bindings("alice", data, wall_offset_ms=1_700_000_000_000 + 4_980_000)
    assert after.expires_at == pytest.approx(20.0)


def test_what_expired_while_we_were_down_is_not_restored() -> None:
    table = Bindings(LIMITS)
    kept = table.restore([binding(HOME_URI, expires_at=99.0), binding(WORK_URI, expires_at=101.0)], now=100.0)
    assert [each.contact for each in kept] == [WORK_URI]
    assert table.contacts_for("alice", 100.0) == kept


def test_a_wall_clock_that_was_set_back_makes_no_binding_eternal() -> None:
    table = Bindings(LIMITS)
    table.restore([binding(expires_at=1e9)], now=100.0)
    assert table.expire(100.0 + LIMITS.max_expires_s + EXPIRY_SLOT_S) == ["alice"]


def test_what_is_no_record_of_ours_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_bindings("alice", b"\xc1", 0)
    with pytest.raises(msgspec.ValidationError):
        decode_bindings("alice", msgspec.msgpack.encode([["contact only"]]), 0)


@given(
    st.builds(
        binding,
        st.text(st.characters(codec="utf-8")),
        expires_at=st.floats(0, 1e8),
        q=st.sampled_from([None, 0.0, 0.333, 1.0]),
        is_behind_nat=st.booleans(),
    ),
    st.integers(0, 2**43),
)
def test_encoding_and_decoding_are_inverse_to_the_millisecond(phone: Binding, wall_offset_ms: int) -> None:
    (after,) = decode_bindings("alice", encode_bindings([phone], wall_offset_ms), wall_offset_ms)
    assert after.expires_at == pytest.approx(phone.expires_at, abs=0.002)
    assert (after.contact, after.flow, after.q) == (phone.contact, phone.flow, phone.q)
