"""Every case of the SIPp corpus (../shared/corpora/sipp) on a real exchange: messages, records and money.

The table says of each what is right, and why where that is not what its script expects.
"""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipp_scenarios.sipp import sipp_program
from tests.wire.sipp_cases.case import Case
from tests.wire.sipp_cases.page import PAGE, section
from tests.wire.sipp_cases.stage import CORPUS, CasesStage
from tests.wire.sipp_cases.table import CASES
from tests.wire.sipp_cases.verdict import problems_of

pytestmark = [
    pytest.mark.wire,
    pytest.mark.skipif(sipp_program() is None, reason="sipp is not installed: apt-get install sip-tester"),
    pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no SIPp corpus at {CORPUS}"),
]


def _param(case: Case) -> object:
    marks = [pytest.mark.xfail(reason=case.fails_until, strict=True)] if case.fails_until else []
    return pytest.param(case, id=case.name.replace(" ", "-"), marks=marks)


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest) -> Iterator[CasesStage]:
    """All chosen cases, played."""
    chosen = [
        item.callspec.params["case"]
        for item in request.session.items
        if item.path == request.path and hasattr(item, "callspec") and "case" in item.callspec.params
    ]
    with tempfile.TemporaryDirectory(prefix="offhook-cases-") as directory:
        opened = CasesStage(Path(directory), chosen)
        with opened.open():
            opened.play_all()
            yield opened


@pytest.mark.parametrize("case", [_param(case) for case in CASES])
def test_case_ends_as_the_table_says(case: Case, stage: CasesStage) -> None:
    played = next(played for played in stage.played if played.case is case)
    assert problems_of(played) == []


def test_nothing_is_left_and_no_bug_was_met(stage: CasesStage) -> None:
    assert stage.left_over() == {}
    assert stage.exchange.try_status()["bugs"] == 0
    assert "Traceback" not in stage.exchange.log.read_text(encoding="utf-8", errors="replace")
    assert stage.exchange.stop() == 0


def test_every_case_of_the_corpus_is_in_the_table() -> None:
    corpus = {case["id"] for case in json.loads((CORPUS / "cases.json").read_text(encoding="utf-8"))["cases"]}
    assert {case.id for case in CASES} == corpus


def test_the_conformance_page_has_every_case() -> None:
    assert section() in PAGE.read_text(encoding="utf-8"), (
        "python -m tests.wire.sipp_cases --page writes it anew"
    )


def test_each_play_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
