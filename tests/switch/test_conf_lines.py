"""Where keys stand in a TOML text."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from switch.conf_lines import KeyLines

TEXT = '''\
# [not.a.table]
top = 1

[a] # with a remark
b = "x = 1"   # c = 2
"quoted key" = 'y'
d.e = [ # a list
  "[no.table]",
  "f = 1",
]
g = """
h = 1
[i]
"""
j = \'\'\'
k = 1\\\'\'\'
l = {m = 1, "n" = [1, 2]}

[a."x.y".z]
o = 1
  [ p . q ]
r = """ends in two quotes"""""
s = "an escaped \\" quote # and no remark"

[[t]]
u = 1
'''


def test_every_key_and_table_is_found_on_its_line() -> None:
    tomllib.loads(TEXT)
    lines = KeyLines(TEXT).find()
    assert lines == {
        ("top",): 2,
        ("a",): 4,
        ("a", "b"): 5,
        ("a", "quoted key"): 6,
        ("a", "d"): 7,
        ("a", "d", "e"): 7,
        ("a", "g"): 11,
        ("a", "j"): 15,
        ("a", "l"): 17,
        ("a", "x.y"): 19,
        ("a", "x.y", "z"): 19,
        ("a", "x.y", "z", "o"): 20,
        ("p",): 21,
        ("p", "q"): 21,
        ("p", "q", "r"): 22,
        ("p", "q", "s"): 23,
        ("t",): 25,
        ("t", "u"): 26,
    }


def test_windows_line_ends_count_once() -> None:
    assert KeyLines("a = 1\r\n\r\nb = 2\r\n").find() == {("a",): 1, ("b",): 3}


def test_text_without_keys_has_no_lines() -> None:
    assert KeyLines("").find() == {}
    assert KeyLines("# only\n\n# remarks").find() == {}


KEYS = st.text('abcXYZ-_09. é"', min_size=1, max_size=5)
VALUES = st.one_of(
    st.integers().map(str),
    st.lists(st.sampled_from(['"]"', "'['", "1", '"#"'])).map(
        lambda items: "[\n" + ",\n".join(items) + "\n]"
    ),
    st.sampled_from(['"""\nx = 1\n"""', "'''\n[y]\n'''", '"a = 1"', "{a = 1, b = [2]}", '"\\""']),
)


@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_lines_agree_with_what_was_written(entries: dict[str, str]) -> None:
    text, expected = "", {}
    for key, value in entries.items():
        expected[(key,)] = text.count("\n") + 1
        quoted = key.replace('"', '\\"')
        text += f'"{quoted}" = {value}\n'
    assert set(tomllib.loads(text)) == set(entries)
    assert KeyLines(text).find() == expected


@given(st.text(max_size=60))
def test_any_text_is_walked_to_its_end(text: str) -> None:
    KeyLines(text).find()
