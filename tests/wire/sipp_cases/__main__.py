"""`python -m tests.wire.sipp_cases [NAME...]`: play cases and show what went over the wire and on record.

With --page alone it writes the section of docs/conformance.md anew.
"""

import sys
import tempfile
from pathlib import Path

from tests.wire.sipp_cases.page import write_section
from tests.wire.sipp_cases.stage import CasesStage, PartPlayed, Played
from tests.wire.sipp_cases.table import CASES
from tests.wire.sipp_cases.verdict import problems_of


def main() -> int:
    names = set(sys.argv[1:])
    if names == {"--page"}:
        write_section()
        return 0
    chosen = [case for case in CASES if not names or case.name in names or case.id in names]
    with tempfile.TemporaryDirectory(prefix="offhook-cases-") as directory:
        stage = CasesStage(Path(directory), chosen)
        with stage.open():
            stage.play_all()
            for played in stage.played:
                show(played, is_long=bool(names))
            print("left over:", stage.left_over(), "bugs:", stage.exchange.try_status().get("bugs"))
            print(stage.exchange.log_tail())
            stage.exchange.stop()
    return 0


def show(played: Played, *, is_long: bool) -> None:
    problems = problems_of(played)
    print(f"\n=== {played.case.name}: {'; '.join(problems) or 'as expected'}")
    for name, part in [
        ("registrar", played.registrar),
        ("caller", played.caller),
        *((f"callee {n}", p) for n, p in enumerate(played.callees)),
    ]:
        if part is not None:
            show_part(name, part, is_long=is_long)
    print(f"  bound: {[row['contact'] for row in played.bound]} balance: {played.balance_micros}")
    for row in played.records:
        wanted = (
            "leg",
            "outcome",
            "sip_status",
            "q850_cause",
            "ended_by",
            "duration_ms",
            "billed_s",
            "rate_prefix",
        )
        print("  record:", {name: row[name] for name in wanted}, row["reason"], row["dialled"])


def show_part(name: str, part: PartPlayed, *, is_long: bool) -> None:
    print(f"  {name}: exit {part.exit} {part.said[-300:] if part.exit else ''}")
    for message in part.messages:
        arrow = "->" if message.is_sent else "<-"
        print(f"    {arrow} {message.start_line[:90]}   CSeq {message.field('CSeq')}")
        if is_long:
            print("\n".join(f"          {line}" for line in message.text.split("\r\n")))


if __name__ == "__main__":
    sys.exit(main())
