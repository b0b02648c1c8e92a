"""Money is counted in integers, and rating has no idea what time it is: read from the source itself."""

import ast
from pathlib import Path

import pytest

import rating

SOURCES = sorted(Path(rating.__file__).parent.glob("*.py"))
OUTSIDE_WORLD = {"asyncio", "asyncpg", "random", "socket", "sqlite3", "threading", "time"}


def faults(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=float()) | ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                found.append(f"line {node.lineno}: a float")
            case ast.Name(id="float" | "round") | ast.Attribute(attr="timestamp" | "total_seconds"):
                found.append(f"line {node.lineno}: leads to a float")
            case ast.Attribute(attr="now" | "today" | "utcnow"):
                found.append(f"line {node.lineno}: reads a clock")
            case ast.Import(names=names):
                found += [
                    f"imports {name.name}" for name in names if name.name.split(".")[0] in OUTSIDE_WORLD
                ]
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in OUTSIDE_WORLD:
                found.append(f"imports {module}")
    return found


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_rating_has_no_float_no_clock_and_no_door_to_the_outside(source: Path) -> None:
    assert faults(ast.parse(source.read_text())) == []


def test_the_search_itself_finds_what_it_looks_for() -> None:
    source = "import time\nfrom socket import socket\nx = 1.5\ny = x / 2\nx /= 2\nz = float(y)\nw = d.now()\n"
    assert len(faults(ast.parse(source))) == 7
