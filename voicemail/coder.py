"""The codec of one call, both ways: a decoder and an encoder with their state (media/codecs.py)."""

from media.codecs import (
    BYTES_PER_SAMPLE,
    FRAMES_PER_SECOND,
    Codec,
    UndecodablePayload,
    decoder_of,
    encoder_of,
)


class Coder:
    """Samples are mono 16-bit at `sample_rate`, 20 ms of them in a packet."""

    __slots__ = ("_decoder", "_encoder", "clock_rate", "codec", "packet_bytes", "sample_rate")

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.sample_rate = codec.sample_rate
        self.clock_rate = codec.clock_rate
        self.packet_bytes = codec.pcm_bytes_per_frame
        self._encoder = encoder_of(codec)
        self._decoder = decoder_of(codec)

    def encode(self, samples: bytes) -> bytes:
        return self._encoder.encode(samples)

    def decode(self, payload: bytes) -> bytes:
        """b"" for what is not of the codec."""
        try:
            return self._decoder.decode(payload)
        except UndecodablePayload:
            return b""


__all__ = ("BYTES_PER_SAMPLE", "FRAMES_PER_SECOND", "Coder")
