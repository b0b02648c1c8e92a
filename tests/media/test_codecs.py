"""Choosing a codec, and each codec against captures, against FFmpeg's own, and against itself."""

import random
from itertools import pairwise

import av
import pytest

from media.codecs import (
    BYTES_PER_SAMPLE,
    CODECS,
    G722,
    OPUS,
    PCMA,
    PCMU,
    UndecodablePayload,
    choose,
    codec_named,
    decode_recording,
    decoder_of,
    encode_recording,
    encoder_of,
    pcm_of,
)
from media.relay.messages import Format
from switch.sdp.description import Codec as SdpCodec
from tests.media.captures import capture
from tests.media.spectrum import level_at, level_dbm0, samples_of, sine, strongest
from tests.tables import cases

OFFERS = """
# offered,_in_order                                          -> codec payload_type events clock
8/PCMA/8000                                                  -> PCMA  8  - 8000
0/PCMU/8000,8/PCMA/8000                                      -> PCMU  0  - 8000
18/G729/8000,8/PCMA/8000,101/telephone-event/8000            -> PCMA  8  101 8000
9/G722/8000,8/PCMA/8000,96/telephone-event/8000              -> G722  9  96 8000
96/opus/48000,97/telephone-event/8000,98/telephone-event/48000 -> opus 96 98 48000
96/OPUS/48000,97/Telephone-Event/8000                        -> opus  96 97 8000
# a codec under another clock is another codec
9/G722/16000,8/pcma/8000                                     -> PCMA  8  - 8000
18/G729/8000,101/telephone-event/8000                        -> -     -  - -
"""


@pytest.mark.parametrize(("offer", "codec", "payload_type", "events", "clock"), cases(OFFERS))
def test_the_first_of_the_offer_that_we_speak_is_chosen(offer, codec, payload_type, events, clock):
    fields = [text.split("/") for text in offer.split(",")]
    chosen = choose([Format(int(number), name, int(rate)) for number, name, rate in fields])
    if not codec:
        assert chosen is None
        return
    assert chosen is not None
    assert (chosen.codec.name, chosen.payload_type) == (codec, int(payload_type))
    assert (chosen.event_payload_type, chosen.event_clock_rate) == (
        int(events) if events else None,
        int(clock),
    )


def test_only_what_is_wanted_is_chosen():
    offered = [SdpCodec(9, "G722", 8000), SdpCodec(8, "PCMA", 8000)]
    chosen = choose(offered, among=(PCMA, PCMU))
    assert chosen is not None
    assert chosen.codec is PCMA
    assert choose(offered, among=(PCMU,)) is None
    assert choose([]) is None


def test_what_sdp_and_rtp_say_of_each_codec():
    assert [codec.rtpmap for codec in CODECS] == ["PCMA/8000", "PCMU/8000", "G722/8000", "opus/48000/2"]
    assert [codec.ticks_per_frame for codec in CODECS] == [160, 160, 160, 960]
    assert [codec.pcm_bytes_per_frame for codec in CODECS] == [320, 320, 640, 640]
    assert codec_named("g722") is G722
    assert codec_named("G729") is None


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_a_sine_comes_back_at_its_frequency_and_level(codec):
    payloads = encode_recording(codec, sine(1000, codec.sample_rate, 1.0))
    assert len(payloads) == 50
    steady = decode_recording(codec, payloads)[codec.sample_rate // 5 * BYTES_PER_SAMPLE :][
        : codec.sample_rate
    ]
    assert level_at(steady, codec.sample_rate, 1000) == pytest.approx(-10.0, abs=0.5)
    assert level_dbm0(steady) == pytest.approx(-10.0, abs=0.5)


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_a_recording_that_ends_within_a_frame_is_filled_up_with_silence(codec):
    assert encode_recording(codec, b"") == []
    for size in (2, codec.pcm_bytes_per_frame, codec.pcm_bytes_per_frame + 2):
        payloads = encode_recording(codec, bytes(size))
        assert len(payloads) == 1 + (size > codec.pcm_bytes_per_frame)
        assert level_dbm0(decode_recording(codec, payloads)) < -60


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_a_long_silence_is_silent_and_what_follows_is_heard(codec):
    tone = sine(1000, codec.sample_rate, 0.5)
    payloads = encode_recording(codec, tone + bytes(20 * len(tone)) + tone)
    assert len(payloads) == 22 * 25
    assert len({id(payload) for payload in payloads}) < 150, "the settled silence is one payload"
    pcm = decode_recording(codec, payloads)
    size = len(tone)
    assert all(level_dbm0(pcm[at : at + size]) < -60 for at in range(2 * size, 20 * size, size))
    assert level_at(pcm[21 * size + size // 5 :][: size // 2], codec.sample_rate, 1000) == pytest.approx(
        -10, abs=0.5
    )


@pytest.mark.parametrize("codec", [PCMA, PCMU], ids=lambda codec: codec.name)
def test_our_g711_is_understood_by_ffmpeg(codec):
    name = {"PCMA": "pcm_alaw", "PCMU": "pcm_mulaw"}[codec.name]
    context = av.CodecContext.create(name, "r")
    context.sample_rate, context.layout = 8000, "mono"
    payload = bytes(range(256))
    (frame,) = context.decode(av.Packet(payload))
    assert samples_of(decoder_of(codec).decode(payload)) == samples_of(pcm_of(frame))


def test_the_milliwatt_that_freeswitch_sent_is_1004_hz_at_its_level():
    packets = capture("freeswitch_milliwatt_pcmu.pcap")
    assert {packet.payload_type for packet in packets} == {0}
    pcm = decode_recording(PCMU, [packet.payload for packet in packets])
    second = pcm[4000 * BYTES_PER_SAMPLE :][: 8000 * BYTES_PER_SAMPLE]
    found = strongest(second, 8000, range(990, 1020))
    assert found == 1004
    # FreeSWITCH's tone is not the full milliwatt; all there is, is in the one line of the spectrum.
    assert level_at(second, 8000, found) == pytest.approx(level_dbm0(second), abs=0.1)
    assert -10 < level_dbm0(second) < 0


def roughness(pcm: bytes) -> float:
    """How much neighbouring samples differ, to their size: about 0.3 for speech and music, 1.4 for noise."""
    samples = samples_of(pcm)
    return sum(abs(b - a) for a, b in pairwise(samples)) / sum(map(abs, samples))


@pytest.mark.parametrize(
    ("name", "codec"),
    [("saghul_g711a_long.pcap", PCMA), ("sipp_g711a.pcap", PCMA), ("saghul_g722.pcap", G722)],
)
def test_captured_sound_is_sound_by_its_own_codec_and_by_no_other(name, codec):
    payloads = [packet.payload for packet in capture(name) if packet.payload_type == codec.payload_type][
        :2000
    ]
    pcm = decode_recording(codec, payloads)
    assert len(pcm) == sum(map(len, payloads)) * (4 if codec is G722 else 2)
    frame = codec.pcm_bytes_per_frame
    levels = [level_dbm0(pcm[start : start + frame]) for start in range(0, len(pcm), frame)]
    assert min(levels) < -60, "silence is silent"
    assert -20 < max(levels) < 0
    assert roughness(pcm) < 0.4
    for other in {PCMA, PCMU, G722} - {codec}:
        wrong = decode_recording(other, payloads)
        assert roughness(wrong) > 0.5 or level_dbm0(wrong) > 0


@pytest.mark.parametrize("codec", [G722, OPUS], ids=lambda codec: codec.name)
def test_hostile_payloads_are_refused_or_decoded_and_the_stream_goes_on(codec):
    noise = random.Random(722)
    decoder = decoder_of(codec)
    good = encode_recording(codec, sine(1000, codec.sample_rate, 0.5))
    for payload in (
        b"",
        b"\xff",
        b"\x03\xff",
        bytes(5000),
        *(noise.randbytes(noise.randrange(400)) for _ in range(500)),
    ):
        try:
            assert len(decoder.decode(payload)) % BYTES_PER_SAMPLE == 0
        except UndecodablePayload as problem:
            assert "octets" in str(problem)
    pcm = b"".join(decoder.decode(payload) for payload in good)
    tail = pcm[-codec.sample_rate // 5 * BYTES_PER_SAMPLE :]
    assert level_at(tail, codec.sample_rate, 1000) == pytest.approx(-10.0, abs=1.0)


@pytest.mark.parametrize("codec", [G722, OPUS], ids=lambda codec: codec.name)
def test_an_encoder_takes_whole_frames_only(codec):
    with pytest.raises(ValueError, match="no frame of 20 ms"):
        encoder_of(codec).encode(bytes(codec.pcm_bytes_per_frame - 2))
