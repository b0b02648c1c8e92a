"""Specification as text: a table in a string becomes the parameters of a test, a row a case.

The first line begins with # and names the columns; "->" before the answer is for the eye. Cells are
separated by spaces, so a cell has none; "-" is an empty cell. Other lines that begin with # are remarks.
"""

import pytest
from _pytest.mark.structures import ParameterSet


def cases(table: str) -> list[ParameterSet]:
    """One pytest.param of strings per row, named after the row."""
    lines = [line.strip() for line in table.strip().splitlines()]
    columns = _cells(lines[0].removeprefix("#"))
    rows = [_cells(line) for line in lines[1:] if line and not line.startswith("#")]
    for row in rows:
        assert len(row) == len(columns), f"{row}: expected {columns}"
    return [pytest.param(*("" if cell == "-" else cell for cell in row), id=" ".join(row)) for row in rows]


def _cells(line: str) -> list[str]:
    return [cell for cell in line.split() if cell != "->"]
