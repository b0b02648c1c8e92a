"""Money is counted in integers on bills, too: read from the source itself. No float, no `/`, nothing that rounds.

Seconds may be floats, in a constant whose name ends in `_S`; a path may be joined with a piece of text. What else there
is stands below, by file, with what it is.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import billing

ROOT = Path(billing.__file__).parent
SOURCES = sorted(ROOT.rglob("*.py"))

ALLOWED = {
    ("conf.py", "folder / BILLING_FILE"): "a path",
    ("conf_fields.py", "float"): "what a TOML file may hold; it is read as text",
    ("counts.py", "0.0"): "a time",
    ("payments/live_credit.py", "SEEN_WITHIN_S / POLL_S"): "seconds",
    ("payments/live_credit.py", "round"): "how often to ask",
    ("pdf/render.py", "110.0"): "pixels of an inch",
    ("process.py", "conf_dir / name"): "a path",
    ("process.py", "float"): "seconds between two rounds",
    ("webhooks/limits.py", "0.0"): "requests",
    ("webhooks/limits.py", "1.0"): "requests",
    ("webhooks/limits.py", "100.0"): "requests",
    ("webhooks/limits.py", "400.0"): "requests",
    ("webhooks/limits.py", "float"): "requests, and seconds",
}


def faults(tree: ast.AST) -> Iterator[str]:
    """What is a float, or leads to one."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant()) if name.endswith("_S"):
                continue
            case ast.BinOp(op=ast.Div(), right=ast.Constant(value=str())):
                pass
            case (
                ast.Constant(value=float())
                | ast.BinOp(op=ast.Div())
                | ast.AugAssign(op=ast.Div())
                | ast.Name(id="float" | "round" | "truediv")
                | ast.Attribute(attr="timestamp" | "total_seconds" | "truediv" | "fsum")
            ):
                yield ast.unparse(node)
        yield from faults(node)


def found_in(source: Path) -> set[tuple[str, str]]:
    return {(str(source.relative_to(ROOT)), fault) for fault in faults(ast.parse(source.read_text("utf-8")))}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.relative_to(ROOT)))
def test_billing_has_no_float_and_nothing_that_leads_to_one(source: Path) -> None:
    assert found_in(source) <= ALLOWED.keys(), "say in ALLOWED what it is that is no money"


def test_nothing_that_is_allowed_is_gone() -> None:
    assert {fault for source in SOURCES for fault in found_in(source)} == ALLOWED.keys()


def test_the_search_itself_finds_what_it_looks_for() -> None:
    source = (
        "WAIT_S: Final = 2.5\nplace = here / 'conf'\nx = 1.5\ny = x / 2\nx /= 2\nz = float(y)\nw = round(z)\n"
    )
    assert list(faults(ast.parse(source))) == ["1.5", "x / 2", "x /= 2", "float", "round"]
