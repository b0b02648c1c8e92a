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


# mypyc drops the keywords of a class statement: a compiled struct is without these, and who uses it would notice.
NEEDED = frozenset(("eq", "order", "tag", "array_like", "rename", "dict", "weakref"))


def lost_options(source: str) -> list[str]:
    """Structs with an option that makes a difference to who uses them. `frozen`, `kw_only` and `gc` make none to code
    that runs, and hold where it is not compiled."""
    return [
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ClassDef) and NEEDED & {keyword.arg for keyword in node.keywords}
    ]


def test_no_compiled_struct_needs_its_options() -> None:
    found = {name: lost for name in compiled_files() if (lost := lost_options((HOUSE / name).read_text()))}
    assert not found
    assert lost_options((HOUSE / "switch/registrar/bindings.py").read_text()) == ["Binding", "_Aor"]


# asyncio's types say what these return, uvloop returns None, and compiled code insists on what the type says.
UNTRUE_OF_UVLOOP = frozenset(("remove_reader", "remove_writer"))


def trusting_calls(source: str) -> list[str]:
    """Calls of such methods on anything but what is declared as Any, and a local name for it."""
    nodes = list(ast.walk(ast.parse(source)))
    declared = [(ast.unparse(node.target), node.annotation) for node in nodes if isinstance(node, ast.AnnAssign)]
    declared += [(node.arg, node.annotation) for node in nodes if isinstance(node, ast.arg) and node.annotation]
    untyped = {name for name, kind in declared if ast.unparse(kind) == "Any"}
    untyped |= {
        ast.unparse(node.targets[0])
        for node in nodes
        if isinstance(node, ast.Assign) and ast.unparse(node.value) in untyped
    }
    called = [node.func for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    return [
        ast.unparse(each)
        for each in called
        if each.attr in UNTRUE_OF_UVLOOP and ast.unparse(each.value) not in untyped
    ]


def test_compiled_code_does_not_trust_the_types_of_an_event_loop() -> None:
    found = {name: calls for name in compiled_files() if (calls := trusting_calls((HOUSE / name).read_text()))}
    assert not found
    typed = "def stop(loop: asyncio.AbstractEventLoop) -> None:\n    loop.remove_reader(3)\n"
    assert trusting_calls(typed) == ["loop.remove_reader"]
    assert trusting_calls(typed.replace("asyncio.AbstractEventLoop", "Any")) == []
