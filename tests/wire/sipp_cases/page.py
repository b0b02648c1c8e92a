"""The table as docs/conformance.md shows it, case by case."""

import re
from pathlib import Path

from tests.wire.sipp_cases.case import Case
from tests.wire.sipp_cases.table import CASES

PAGE = Path(__file__).parents[3] / "docs" / "conformance.md"
TITLE = "## Other people's SIPp scenarios\n"
HEAD = f"""{TITLE}
Every case of the corpus (kept beside the repository) on a real exchange, by `wire/test_sipp_cases.py`: messages, exit
codes, records and money. Callers that are lines get a login, pauses are shortened, and domains are ours; what else is
changed, or answered in another way than the script expects, is said with its reason. `python -m tests.wire.sipp_cases
--page` writes this section.

| case | played | why |
| --- | --- | --- |
"""
ENDS_WELL = (0, 97)  # 97: by a command of its own


def section() -> str:
    """All of it."""
    return HEAD + "\n".join(_row(case) for case in CASES) + "\n"


def write_section() -> None:
    """Put it in place of the old one, or at the end of the page."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"{re.escape(TITLE)}.*?(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    before, after = (text[: found.start()], text[found.end() :]) if found else (text + "\n", "")
    PAGE.write_text(before + section() + (f"\n{after}" if after else ""), encoding="utf-8")


def _row(case: Case) -> str:
    name = f"{case.id}, {case.variant}" if case.variant else case.id
    words = [case.why]
    if case.leaves_out:
        words.append(f"{case.leaves_out}: sound has tests of its own")
    if case.fails_until:
        words.append(f"not yet: {case.fails_until}")
    why = "; ".join(filter(None, words)).replace("|", "\\|")
    return f"| {name} | {_played(case)} | {why} |" if why else f"| {name} | {_played(case)} | |"


def _played(case: Case) -> str:
    parts = [part for part in (case.caller, *case.callees, case.registrar) if part is not None]
    if case.is_otherwise or any(part.exits not in ENDS_WELL for part in parts):
        return "another answer"
    is_changed = any(part.edits or part.words for part in parts)
    return "mended" if case.why and is_changed else "as scripted"
