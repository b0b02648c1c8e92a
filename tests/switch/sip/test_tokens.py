"""Tokens: long enough, never twice, only from the randomness that was passed in."""

from random import Random

from switch.sip.tokens import Tokens


def test_tokens_carry_at_least_64_bits_in_characters_of_a_token() -> None:
    tokens = Tokens(Random(1).randbytes)
    branch = tokens.branch()
    assert branch.startswith("z9hG4bK")
    for word in (branch[7:], tokens.tag(), tokens.call_id()):
        assert len(bytes.fromhex(word)) >= 8


def test_no_token_comes_twice() -> None:
    tokens = Tokens(Random(1).randbytes)
    words = [make() for _ in range(20_000) for make in (tokens.branch, tokens.tag, tokens.call_id)]
    assert len(set(words)) == len(words)


def test_the_same_randomness_gives_the_same_tokens() -> None:
    one, other = Tokens(Random(7).randbytes), Tokens(Random(7).randbytes)
    assert [one.branch(), one.tag(), one.call_id()] == [other.branch(), other.tag(), other.call_id()]


def test_every_bit_of_a_tag_is_used() -> None:
    """Each of the 64 bits is set in about half of the tags."""
    tokens = Tokens(Random(3).randbytes)
    numbers = [int(tokens.tag(), 16) for _ in range(4000)]
    for bit in range(64):
        assert 1700 < sum(number >> bit & 1 for number in numbers) < 2300


def test_randomness_is_drawn_in_large_pieces() -> None:
    drawn = []

    def random_bytes(count: int) -> bytes:
        drawn.append(count)
        return bytes(range(256)) * (count // 256)

    tokens = Tokens(random_bytes)
    for _ in range(100):
        tokens.branch()
    assert drawn == [4096]


def test_a_call_id_names_the_host_only_when_asked() -> None:
    tokens = Tokens(Random(1).randbytes)
    assert "@" not in tokens.call_id()
    assert tokens.call_id("example.com").endswith("@example.com")
