"""What Debian's tshark reads out of a capture, by no option but the names of fields: somebody else's word for it."""

import shutil
import subprocess
from pathlib import Path

import pytest

FIELDS = ("_ws.col.Protocol", "frame.time_epoch", "_ws.col.Source", "_ws.col.Destination", "sip.Method",
          "sip.Status-Code", "sip.Call-ID", "sip.CSeq", "udp.srcport", "tcp.srcport", "exported_pdu.src_port",
          "frame.comment")  # fmt: skip

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


def run(*arguments: str) -> str:
    done = subprocess.run(["tshark", *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(path: Path, *more: str, fields: tuple[str, ...] = FIELDS, show: str = "sip") -> list[dict[str, str]]:
    """One for each frame that `show` lets through."""
    asked = [part for field in fields for part in ("-e", field)]
    out = run("-n", "-r", str(path), "-Y", show, "-T", "fields", "-E", "separator=/t", *asked, *more)
    return [dict(zip(fields, line.split("\t"), strict=True)) for line in out.split("\n") if line]
