"""G.711 against its reference program (ITU-T G.191), restated here line by line, and against the digital milliwatt."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.g711 import REFERENCE_PEAK, decode_alaw, decode_ulaw, encode_alaw, encode_ulaw

ALL_OCTETS = bytes(range(256))
ALL_SAMPLES = struct.pack("=65536h", *range(-32768, 32768))


def samples(pcm: bytes) -> tuple[int, ...]:
    return struct.unpack(f"={len(pcm) // 2}h", pcm)


def alaw_compress(sample: int) -> int:
    value = (~sample if sample < 0 else sample) >> 4
    if value > 15:
        exponent = 1
        while value > 16 + 15:
            value >>= 1
            exponent += 1
        value = value - 16 + (exponent << 4)
    return (value | (0x80 if sample >= 0 else 0)) ^ 0x55


def alaw_expand(octet: int) -> int:
    value = (octet ^ 0x55) & 0x7F
    exponent, mantissa = value >> 4, value & 0xF
    if exponent > 0:
        mantissa += 16
    mantissa = (mantissa << 4) + 8
    if exponent > 1:
        mantissa <<= exponent - 1
    return mantissa if octet > 127 else -mantissa


def ulaw_compress(sample: int) -> int:
    magnitude = min(((~sample if sample < 0 else sample) >> 2) + 33, 0x1FFF)
    segment, rest = 1, magnitude >> 6
    while rest:
        segment += 1
        rest >>= 1
    octet = (8 - segment) << 4 | 0xF - (magnitude >> segment & 0xF)
    return octet | (0x80 if sample >= 0 else 0)


def ulaw_expand(octet: int) -> int:
    sign = -1 if octet < 0x80 else 1
    mantissa = ~octet
    exponent = mantissa >> 4 & 0x7
    mantissa &= 0xF
    step = 4 << (exponent + 1)
    return sign * ((0x80 << exponent) + step * mantissa + step // 2 - 4 * 33)


def test_every_octet_is_decoded_as_the_reference_does():
    assert samples(decode_alaw(ALL_OCTETS)) == tuple(map(alaw_expand, ALL_OCTETS))
    assert samples(decode_ulaw(ALL_OCTETS)) == tuple(map(ulaw_expand, ALL_OCTETS))


def test_every_sample_is_encoded_as_the_reference_does():
    assert encode_alaw(ALL_SAMPLES) == bytes(map(alaw_compress, range(-32768, 32768)))
    assert encode_ulaw(ALL_SAMPLES) == bytes(map(ulaw_compress, range(-32768, 32768)))


def test_silence_is_the_octet_that_the_field_knows():
    assert encode_alaw(bytes(2)) == b"\xd5"
    assert encode_ulaw(bytes(2)) == b"\xff"


@pytest.mark.parametrize(
    ("decode", "octets"),
    [
        (decode_alaw, bytes.fromhex("34212134b4a1a1b4")),  # G.711 table 5
        (decode_ulaw, bytes.fromhex("1e0b0b1e9e8b8b9e")),  # G.711 table 6
    ],
)
def test_the_digital_milliwatt_is_a_sine_at_0_dbm0(decode, octets):
    """1000 Hz in eight samples, with the power of a sine of the reference peak, within what eight bits can say."""
    wave = samples(decode(octets))
    assert wave[:4] == tuple(-value for value in wave[4:])
    power = sum(value * value for value in wave) / 8
    assert power == pytest.approx(REFERENCE_PEAK**2 / 2, rel=0.02)


def test_an_octet_survives_decoding_and_encoding():
    assert encode_alaw(decode_alaw(ALL_OCTETS)) == ALL_OCTETS
    both_zeros_alike = ALL_OCTETS.replace(b"\x7f", b"\xff")  # u-law has a -0, linear PCM has not
    assert encode_ulaw(decode_ulaw(ALL_OCTETS)) == both_zeros_alike


@given(st.integers(-32768, 32767))
def test_an_error_is_at_most_half_a_step(sample):
    # The widest step is 1/32 of what it begins at; u-law overloads 644 below full scale.
    for encode, decode in ((encode_alaw, decode_alaw), (encode_ulaw, decode_ulaw)):
        (decoded,) = samples(decode(encode(struct.pack("=h", sample))))
        assert abs(decoded - sample) <= max(abs(sample) // 32 + 9, 0 if abs(sample) < 32124 else 644)


def test_half_a_sample_is_refused():
    for encode in (encode_alaw, encode_ulaw):
        with pytest.raises(ValueError, match="3 bytes"):
            encode(b"\0\0\0")
