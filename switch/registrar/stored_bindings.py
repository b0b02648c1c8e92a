"""The bindings of an AOR as the journal keeps them."""

from collections.abc import Iterable

import msgspec

from switch.registrar.bindings import Binding
from switch.sip.flow import Flow


class _Stored(msgspec.Struct, array_like=True):
    """A binding in the journal. New fields go to the end, with a default."""

    contact: str
    flow: tuple[str, str, int, str, int, str]
    q: float | None
    expires_ms: int
    call_id: str
    cseq: int
    user_agent: str
    instance: str
    registered_ms: int
    refreshed_ms: int
    is_behind_nat: bool
    # None: written by a release that kept it in `instance`, behind a ";".
    reg_id: int | None = None
    path: tuple[str, ...] = ()
    is_missed: bool = False


_decoder = msgspec.msgpack.Decoder(list[_Stored])
_encoder = msgspec.msgpack.Encoder()


def encode_bindings(bindings: Iterable[Binding], wall_offset_ms: int) -> bytes:
    """One AOR's bindings for the journal. `wall_offset_ms` is UTC less the monotonic clock."""
    return _encoder.encode(
        [
            _Stored(
                binding.contact,
                binding.flow,
                binding.q,
                int(binding.expires_at * 1000) + wall_offset_ms,
                binding.call_id,
                binding.cseq,
                binding.user_agent,
                binding.instance,
                int(binding.registered_at * 1000) + wall_offset_ms,
                int(binding.refreshed_at * 1000) + wall_offset_ms,
                binding.is_behind_nat,
                binding.reg_id,
                binding.path,
                binding.is_missed,
            )
            for binding in bindings
        ]
    )


def decode_bindings(user: str, data: bytes, wall_offset_ms: int) -> list[Binding]:
    """The inverse, with today's offset. Raises msgspec.DecodeError."""
    return [
        Binding(
            user=user,
            contact=stored.contact,
            flow=Flow(*stored.flow),
            q=stored.q,
            expires_at=(stored.expires_ms - wall_offset_ms) / 1000,
            call_id=stored.call_id,
            cseq=stored.cseq,
            user_agent=stored.user_agent,
            instance=stored.instance if stored.reg_id is not None else stored.instance.rpartition(";")[0],
            registered_at=(stored.registered_ms - wall_offset_ms) / 1000,
            refreshed_at=(stored.refreshed_ms - wall_offset_ms) / 1000,
            is_behind_nat=stored.is_behind_nat,
            reg_id=stored.reg_id or 0,
            path=stored.path,
            is_missed=stored.is_missed,
        )
        for stored in _decoder.decode(data)
    ]
