"""Where a peer is, and who never gets its call."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.latch import (
    ACCEPTED,
    CANDIDATE_QUIET_S,
    CONFIRM_PACKETS,
    CONFIRM_PACKETS_UNREAD,
    ELSEWHERE,
    LATCHING,
    SILENT_S,
    STRANGER,
    WINDOW_S,
    Latch,
    SocketAddress,
    socket_address,
)
from media.quality import Stream

EXACT = ("192.0.2.10", 4000)
OTHER_PORT = ("192.0.2.10", 4444)
NAT = ("198.51.100.7", 31_000)
NAT_MOVED = ("198.51.100.7", 31_001)
NEIGHBOUR = ("198.51.100.7", 32_000)
STRANGE = ("203.0.113.66", 4000)
PRIVATE = ("192.168.1.10", 4000)


class Bench:
    """A latch with the stream of what it accepted; packets every 20 ms."""

    def __init__(self, *, is_unread: bool = False) -> None:
        self.latch = Latch(is_unread=is_unread)
        self.stream = Stream()
        self.now = 100.0
        self.version = 0

    def aim(
        self, exact: SocketAddress | None, *sources: str, is_mute: bool = False, is_new: bool = True
    ) -> None:
        self.latch.aim(exact, sources, is_mute=is_mute, is_new=is_new, now=self.now)

    def hear(self, source: SocketAddress, sequence: int, *, ssrc: int = 7, after_s: float = 0.02) -> str:
        self.now += after_s
        self.latch.tick(self.now)
        if source != self.latch.accepted:
            verdict = self.latch.heard(source, ssrc, sequence, self.now, self.stream)
            if verdict != ACCEPTED:
                return verdict
        self.stream.received(sequence, sequence * 160, ssrc, 172, self.now, is_timed=True)
        return ACCEPTED

    def hear_many(self, source: SocketAddress, first: int, count: int, *, ssrc: int = 7) -> list[str]:
        return [self.hear(source, first + index, ssrc=ssrc) for index in range(count)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_the_public_address_of_the_sdp_is_sent_to_before_it_was_heard_and_wins_at_once(bench: Bench) -> None:
    bench.aim(EXACT, EXACT[0])
    assert bench.latch.destination == EXACT
    assert bench.hear(EXACT, 1) == ACCEPTED
    assert (bench.latch.accepted, bench.latch.destination, bench.latch.is_exact) == (EXACT, EXACT, True)


def test_an_address_that_cannot_be_reached_gets_nothing(bench: Bench) -> None:
    bench.aim(PRIVATE, NAT[0])
    assert bench.latch.destination is None


def test_a_phone_behind_nat_is_found_by_a_run_of_packets(bench: Bench) -> None:
    bench.aim(PRIVATE, NAT[0])
    heard = bench.hear_many(NAT, 1, CONFIRM_PACKETS)
    assert heard == [LATCHING] * (CONFIRM_PACKETS - 1) + [ACCEPTED]
    assert bench.latch.destination == NAT


def test_nothing_is_sent_to_a_candidate_before_it_is_confirmed(bench: Bench) -> None:
    bench.aim(PRIVATE, NAT[0])
    for sequence in range(1, CONFIRM_PACKETS):
        bench.hear(NAT, sequence)
        assert bench.latch.destination is None


def test_a_run_is_of_one_ssrc_and_without_a_gap(bench: Bench) -> None:
    bench.aim(PRIVATE, NAT[0])
    assert set(bench.hear_many(NAT, 1, CONFIRM_PACKETS - 1)) == {LATCHING}
    assert set(bench.hear_many(NAT, CONFIRM_PACKETS + 1, CONFIRM_PACKETS - 1)) == {LATCHING}
    assert set(bench.hear_many(NAT, 2 * CONFIRM_PACKETS, CONFIRM_PACKETS - 1, ssrc=8)) == {LATCHING}
    assert bench.hear(NAT, 3 * CONFIRM_PACKETS - 1, ssrc=8) == ACCEPTED


def test_the_exact_address_takes_over_while_somebody_else_is_probed(bench: Bench) -> None:
    bench.aim(EXACT, EXACT[0])
    bench.hear_many(OTHER_PORT, 1, CONFIRM_PACKETS - 1)
    assert bench.hear(EXACT, 900, ssrc=9) == ACCEPTED
    assert set(bench.hear_many(OTHER_PORT, CONFIRM_PACKETS, 20)) == {ELSEWHERE}
    assert bench.latch.destination == EXACT


def test_the_exact_address_takes_over_within_the_window_from_one_that_was_confirmed(bench: Bench) -> None:
    bench.aim(EXACT, EXACT[0])
    bench.hear_many(OTHER_PORT, 1, CONFIRM_PACKETS)
    assert bench.latch.destination == OTHER_PORT
    assert bench.hear(EXACT, 900, ssrc=9) == ACCEPTED
    assert bench.latch.destination == EXACT


def test_after_the_window_the_exact_address_is_one_port_of_many(bench: Bench) -> None:
    bench.aim(EXACT, EXACT[0])
    bench.hear_many(OTHER_PORT, 1, CONFIRM_PACKETS + int(WINDOW_S / 0.02) + 1)
    assert bench.hear(EXACT, 900, ssrc=9) == ELSEWHERE


def test_strangers_are_never_looked_at(bench: Bench) -> None:
    bench.aim(EXACT, EXACT[0])
    assert set(bench.hear_many(STRANGE, 1, 50)) == {STRANGER}
    bench.hear(EXACT, 1)
    assert set(bench.hear_many(STRANGE, 2, 50)) == {STRANGER}
    assert bench.latch.destination == EXACT


def test_a_locked_stream_moves_to_no_other_port_not_even_when_it_falls_silent(bench: Bench) -> None:
    bench.aim(EXACT, EXACT[0])
    bench.hear(EXACT, 1)
    assert bench.hear(OTHER_PORT, 2) == ELSEWHERE
    bench.now += SILENT_S * 10
    assert set(bench.hear_many(OTHER_PORT, 3, 20)) == {ELSEWHERE}


def found_behind_nat() -> Bench:
    bench = Bench()
    bench.aim(PRIVATE, NAT[0])
    bench.hear_many(NAT, 1, 20)
    bench.now += WINDOW_S
    bench.hear(NAT, 21)
    return bench


def test_a_stream_that_goes_on_from_another_port_is_followed() -> None:
    bench = found_behind_nat()
    heard = bench.hear_many(NAT_MOVED, 22, CONFIRM_PACKETS)
    assert heard == [LATCHING] * (CONFIRM_PACKETS - 1) + [ACCEPTED]
    assert bench.latch.destination == NAT_MOVED


@pytest.mark.parametrize(("ssrc", "first"), [(8, 22), (7, 200), (7, 40_000)])
def test_a_neighbour_who_does_not_know_the_stream_is_not_followed(ssrc: int, first: int) -> None:
    bench = found_behind_nat()
    assert set(bench.hear_many(NEIGHBOUR, first, CONFIRM_PACKETS - 1, ssrc=ssrc)) == {ELSEWHERE}
    assert bench.latch.destination == NAT


def test_a_neighbour_who_knows_the_stream_is_not_followed_while_it_speaks() -> None:
    bench = found_behind_nat()
    for sequence in range(22, 222):
        assert bench.hear(NAT, sequence, after_s=0.01) == ACCEPTED
        assert bench.hear(NEIGHBOUR, sequence + 1, after_s=0.01) in (LATCHING, ELSEWHERE)
    assert bench.latch.destination == NAT


def test_a_neighbour_is_followed_only_after_the_silence() -> None:
    bench = found_behind_nat()
    bench.now += SILENT_S - 0.5
    assert bench.hear(NEIGHBOUR, 900, ssrc=8) == ELSEWHERE
    bench.now += 0.5
    assert bench.hear_many(NEIGHBOUR, 901, CONFIRM_PACKETS, ssrc=8)[-1] == ACCEPTED


def test_another_address_is_not_followed_even_if_it_was_one_of_the_sources() -> None:
    bench = Bench()
    bench.aim(EXACT, NAT[0], EXACT[0])
    bench.hear_many(NAT, 1, int(WINDOW_S / 0.02) + 5)
    bench.now += SILENT_S * 2
    assert set(bench.hear_many(EXACT, 900, 20, ssrc=8)) == {ELSEWHERE}


def test_of_two_candidates_the_more_trusted_one_comes_first(bench: Bench) -> None:
    bench.aim(PRIVATE, NAT[0], STRANGE[0])
    bench.hear_many(STRANGE, 1, CONFIRM_PACKETS - 1)
    assert bench.hear_many(NAT, 1, CONFIRM_PACKETS)[-1] == ACCEPTED
    assert bench.latch.destination == NAT


def test_a_candidate_is_not_put_off_by_another_of_its_rank(bench: Bench) -> None:
    bench.aim(PRIVATE, NAT[0])
    for sequence in range(1, CONFIRM_PACKETS + 1):
        bench.hear(NAT, sequence)
        bench.hear(NEIGHBOUR, 500 + sequence, ssrc=8)
    assert bench.latch.accepted == NAT


def test_a_candidate_that_falls_silent_makes_room(bench: Bench) -> None:
    bench.aim(PRIVATE, NAT[0])
    bench.hear(NEIGHBOUR, 1, ssrc=8)
    bench.now += CANDIDATE_QUIET_S
    assert bench.hear_many(NAT, 1, CONFIRM_PACKETS)[-1] == ACCEPTED


def test_a_new_description_is_followed_and_the_old_address_is_heard_until_then(bench: Bench) -> None:
    bench.aim(EXACT, EXACT[0])
    bench.hear(EXACT, 1)
    bench.aim(OTHER_PORT, EXACT[0])
    assert bench.latch.destination == OTHER_PORT
    assert bench.hear(EXACT, 2) == ACCEPTED
    assert bench.latch.destination == OTHER_PORT
    assert bench.hear(OTHER_PORT, 1, ssrc=9) == ACCEPTED
    assert bench.hear(EXACT, 3) == ELSEWHERE


def test_a_new_description_at_another_host_cuts_the_old_one_off(bench: Bench) -> None:
    bench.aim(EXACT, EXACT[0])
    bench.hear(EXACT, 1)
    bench.aim(STRANGE, STRANGE[0])
    assert bench.hear(EXACT, 2) == STRANGER
    assert bench.latch.destination == STRANGE


def test_a_phone_that_stays_where_it_was_after_a_new_description_is_sent_to_there_again(bench: Bench) -> None:
    bench.aim(EXACT, EXACT[0])
    bench.hear(EXACT, 1)
    bench.aim(OTHER_PORT, EXACT[0])
    for sequence in range(2, int(WINDOW_S / 0.02) + 5):
        bench.hear(EXACT, sequence)
    assert (bench.latch.destination, bench.latch.is_open) == (EXACT, False)


def test_a_neighbour_does_not_win_the_race_at_a_new_description() -> None:
    bench = found_behind_nat()
    bench.aim(("192.168.1.10", 4002), NAT[0])
    for sequence in range(22, 22 + 400):
        assert bench.hear(NAT, sequence, after_s=0.01) == ACCEPTED
        assert bench.hear(NEIGHBOUR, sequence, ssrc=8, after_s=0.01) != ACCEPTED
    assert bench.latch.destination == NAT


def test_a_description_of_the_same_address_opens_nothing(bench: Bench) -> None:
    bench.aim(EXACT, EXACT[0])
    bench.hear(EXACT, 1)
    bench.aim(EXACT, EXACT[0], is_new=False)
    assert not bench.latch.is_open
    bench.aim(EXACT, EXACT[0])
    assert not bench.latch.is_open


def test_port_0_is_sent_nothing_and_remembered(bench: Bench) -> None:
    bench.aim(PRIVATE, NAT[0])
    bench.hear_many(NAT, 1, CONFIRM_PACKETS)
    bench.aim(None, NAT[0], is_mute=True, is_new=False)
    assert bench.latch.destination is None
    bench.aim(PRIVATE, NAT[0], is_new=False)
    assert bench.latch.destination == NAT


def test_a_restored_peer_goes_on_without_a_window(bench: Bench) -> None:
    bench.aim(EXACT, EXACT[0], NAT[0])
    bench.latch.restore(NAT, bench.now)
    assert (bench.latch.destination, bench.latch.is_open) == (NAT, False)
    assert set(bench.hear_many(EXACT, 1, 20)) == {ELSEWHERE}
    assert bench.hear(NAT, 500) == ACCEPTED


def test_a_restored_peer_must_be_one_of_the_sources(bench: Bench) -> None:
    bench.aim(PRIVATE, NAT[0])
    bench.latch.restore(STRANGE, bench.now)
    assert bench.latch.accepted is None


def test_t38_is_found_without_sequence_numbers() -> None:
    bench = Bench(is_unread=True)
    bench.aim(PRIVATE, NAT[0])
    heard = [
        bench.latch.heard(NAT, 0, 0, 1.0 + index, bench.stream) for index in range(CONFIRM_PACKETS_UNREAD)
    ]
    assert heard == [LATCHING] * (CONFIRM_PACKETS_UNREAD - 1) + [ACCEPTED]


def test_an_ipv6_address_is_what_recvfrom_gives() -> None:
    assert socket_address("2001:db8::1", 4000) == ("2001:db8::1", 4000, 0, 0)
    assert socket_address("192.0.2.1", 4000) == ("192.0.2.1", 4000)


ADDRESSES = st.sampled_from([EXACT, OTHER_PORT, NAT, NAT_MOVED, NEIGHBOUR, STRANGE, PRIVATE])
STEPS = st.lists(
    st.one_of(
        st.tuples(ADDRESSES, st.integers(1, 12), st.integers(0, 60), st.sampled_from([7, 8])),
        st.tuples(
            st.sampled_from([EXACT, PRIVATE, NAT]), st.lists(st.sampled_from([EXACT[0], NAT[0]]), unique=True)
        ),
        st.floats(0.0, 10.0),
    ),
    max_size=40,
)


@given(STEPS)
def test_no_sequence_of_packets_and_descriptions_lets_a_stranger_in(
    steps: list[tuple[SocketAddress, int, int, int] | tuple[SocketAddress, list[str]] | float],
) -> None:
    bench = Bench()
    sources: list[str] = []
    for step in steps:
        if isinstance(step, float):
            bench.now += step
        elif len(step) == 2:
            exact, sources = step
            bench.aim(exact, *sources)
        else:
            source, count, first, ssrc = step
            for verdict in bench.hear_many(source, first, count, ssrc=ssrc):
                assert verdict != ACCEPTED or source[0] in sources
        for address in (bench.latch.accepted, bench.latch.destination):
            assert address is None or address[0] in sources


@given(
    st.lists(
        st.tuples(st.sampled_from([OTHER_PORT, STRANGE, NAT, NEIGHBOUR]), st.integers(1, 60)), max_size=60
    )
)
def test_a_public_address_in_use_is_never_left(others: list[tuple[SocketAddress, int]]) -> None:
    bench = Bench()
    bench.aim(EXACT, EXACT[0], NAT[0])
    bench.hear(EXACT, 1)
    for source, sequence in others:
        assert bench.hear(source, sequence) != ACCEPTED
        assert bench.latch.destination == EXACT
