"""The durable log of calls and money: one SQLite file, written by a child process of the switch.

Reading order: `frames` (what the two processes say to each other), `group_commit` (when what arrived
becomes one transaction; pure), `store` (the file), `lock` (only one writer), `damage` (refusing a broken
file with its exact place), `__main__` (the child's loop), `link` (the switch's side), `replay` (reading the
file back).

A process may be killed at any moment: what was acknowledged as durable is in the file exactly once, in order.
"""
