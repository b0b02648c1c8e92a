"""The plans that docs/plans.md shows are valid, and it speaks of every kind of node."""

import re
from pathlib import Path

from provisioning.plans.node_text import KINDS
from provisioning.plans.plan_text import read_plan, unused_nodes

PAGE = (Path(__file__).parents[3] / "docs" / "plans.md").read_text(encoding="utf-8")


def test_the_example_is_valid_and_every_node_of_it_is_reached() -> None:
    (text,) = re.findall("```toml\n(.*?)```", PAGE, re.DOTALL)
    assert unused_nodes(read_plan(text)) == []


def test_every_kind_of_node_is_explained() -> None:
    for kind in KINDS:
        assert f"| `{kind} = " in PAGE
