"""The journal's process on a disk whose sync fails: after SIGUSR1 the kernel answers every fsync with EIO.

Done with a seccomp filter, so that SQLite, Python and the C library are the real ones. Says `armed` or
`unavailable`.
"""

import ctypes
import errno
import os
import platform
import signal
import struct
import sys

from rating.journal.__main__ import main

SYNC_CALLS = {"x86_64": (74, 75), "aarch64": (82, 83)}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
BPF_LOAD_WORD, BPF_JUMP_EQUAL, BPF_RETURN = 0x20, 0x15, 0x06
SECCOMP_ALLOW, SECCOMP_ERRNO = 0x7FFF0000, 0x00050000


class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refuse_syncs(*_: object) -> None:
    fsync, fdatasync = SYNC_CALLS[platform.machine()]
    instructions = [
        (BPF_LOAD_WORD, 0, 0, 0),
        (BPF_JUMP_EQUAL, 2, 0, fsync),
        (BPF_JUMP_EQUAL, 1, 0, fdatasync),
        (BPF_RETURN, 0, 0, SECCOMP_ALLOW),
        (BPF_RETURN, 0, 0, SECCOMP_ERRNO | errno.EIO),
    ]
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    program = Program(len(instructions), code)
    refused = libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0
    )
    os.write(1, b"unavailable\n" if refused else b"armed\n")


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, refuse_syncs)
    sys.exit(main())
