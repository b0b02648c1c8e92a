"""Pages that name a test for each promise, conformance.md and obligations.md: every one of them must be there."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGES = [TESTS.parent / "docs" / name for name in ("conformance.md", "obligations.md")]
# A file, below tests/switch or tests, and a test of it; or a test alone, of the file that was named last.
NAMED = re.compile(r"`(?P<file>[\w/.]+\.py)?(?:::(?P<test>\w+))?`")


def proofs() -> list[tuple[str, str]]:
    """(file, test or "") for everything that a row of a page names."""
    found = []
    lines = [line for page in PAGES for line in page.read_text(encoding="utf-8").split("\n")]
    for line in lines:
        file = ""
        for match in NAMED.finditer(line):
            file = match["file"] or file
            if file.rpartition("/")[2].startswith("test_") and (match["file"] or match["test"]):
                found.append((file, match["test"] or ""))
    return sorted(set(found))


def test_the_page_names_hundreds() -> None:
    assert len(proofs()) > 200


@pytest.mark.parametrize(("file", "test"), proofs())
def test_what_the_page_names_is_there(file: str, test: str) -> None:
    path = next((path for path in (TESTS / "switch" / file, TESTS / file) if path.is_file()), None)
    assert path is not None, f"there is no {file}"
    assert not test or re.search(rf"(def|class) {test}\b", path.read_text(encoding="utf-8")), (
        f"{file} has no {test}"
    )
