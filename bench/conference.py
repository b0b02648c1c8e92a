"""`python -m bench.conference`: CPU time of a conference for each party, RTP left out; all of them speak.

What the sockets and the packets of a call cost comes on top, as for every other call.
"""

import time

from media.codecs import G722, OPUS, PCMA, Codec, encoder_of
from media.tones import Burst, Tone, tone_pcm
from voicemail.conference import Conference, Party
from voicemail.mixing import PARTIES_MAX

BEATS = 500
BEAT_S = 0.02


def cost(codec: Codec, parties: int, speaking: int) -> float:
    """CPU seconds for each second of the conference."""
    conference = Conference("bench", 0.0)
    pcm = tone_pcm(Tone((Burst(1000, ((400, -13.0),)),)), codec.sample_rate)
    size = codec.pcm_bytes_per_frame
    encoder = encoder_of(codec)
    payloads = [encoder.encode(pcm[at : at + size]) for at in range(0, len(pcm), size)]
    joined: list[Party] = [conference.join(codec, lambda _: None, 0.0) for _ in range(parties)]
    began = time.process_time()
    for beat in range(BEATS):
        for party in joined[:speaking]:
            payload = payloads[beat % len(payloads)]
            party.buffer.receive(source=1, sequence=beat, timestamp=0, payload=payload, now=0.0)
        conference.beat(0.0)
    return (time.process_time() - began) / (BEATS * BEAT_S)


def main() -> None:
    for codec in (PCMA, G722, OPUS):
        for parties, speaking in ((3, 3), (PARTIES_MAX, 1), (PARTIES_MAX, PARTIES_MAX)):
            share = 100 * cost(codec, parties, speaking)
            print(
                f"{codec.name}: {parties} parties, {speaking} speaking: {share:.2f} % of a processor,"
                f" {share / parties:.2f} % each"
            )


if __name__ == "__main__":
    main()
