"""What mypyc would compile wrongly, found in the source: building takes minutes, so the tests do not build."""

import ast
import importlib
import tomllib
from pathlib import Path

HOUSE = Path(__file__).parents[1]


def compiled_files() -> list[str]:
    """Those that `make fast` compiles, by the build's own patterns."""
    settings = tomllib.loads((HOUSE / "pyproject.toml").read_text())
    hook = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["mypyc"]
    excluded = {pattern.lstrip("/") for pattern in hook["exclude"]}
    found = {path for pattern in hook["include"] for path in HOUSE.glob(pattern.lstrip("/"))}
    names = sorted(str(path.relative_to(HOUSE)) for path in found if path.name not in excluded)
    return [name for name in names if name not in excluded]


def bare_finals(source: str) -> list[str]:
    """Constants of a module whose type mypyc infers."""
    return [
        node.target.id
        for node in ast.parse(source).body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.annotation, ast.Name)
        and node.annotation.id == "Final"
        and isinstance(node.target, ast.Name)
    ]


def is_tuple_of_floats(value: object) -> bool:
    return isinstance(value, tuple) and bool(value) and all(type(item) is float for item in value)


def test_no_constant_is_a_tuple_of_nothing_but_floats_by_inference() -> None:
    """mypyc takes such a tuple for one that was never set: its first use fails. It wants Final[tuple[float, ...]]."""
    found = []
    files = compiled_files()
    for name in files:
        names = bare_finals((HOUSE / name).read_text())
        module = importlib.import_module(name.removesuffix(".py").replace("/", "."))
        found += [f"{name}: {constant}" for constant in names if is_tuple_of_floats(getattr(module, constant))]
    assert not found
    assert "switch/trunks/endings.py" in files and "switch/calls/recovery.py" not in files


def test_such_a_constant_is_found() -> None:
    source = "A: Final = (0.5, 1.0)\nB: Final[tuple[float, ...]] = (0.5,)\nC: Final = 2.0\n"
    assert bare_finals(source) == ["A", "C"]
    assert is_tuple_of_floats((0.5, 1.0)) and not is_tuple_of_floats((1, 1.0)) and not is_tuple_of_floats(())
