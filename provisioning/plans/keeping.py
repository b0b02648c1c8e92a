"""Plans in the books: imported, shown, deleted, given to numbers. Each function is one transaction.

What a plan names must be there when it is imported: its lines and the plans it leads to are of the same account, its
prompts are shipped with the exchange (a recording of the account's own is filed elsewhere and not asked for). Time sets
are the operator's file, which may be written later: the command warns of those that it does not find.
"""

from collections.abc import Collection, Mapping
from typing import Final

import asyncpg

from provisioning import store
from provisioning.model import Account
from provisioning.number_ranges import parse_range
from provisioning.plans import plan_rows
from provisioning.plans.plan import Plan, lines_of, plans_of, prompts_of
from provisioning.plans.plan_text import NAME_EXPECTED as PLAN_NAME_EXPECTED
from provisioning.plans.plan_text import PlanProblem, PlanProblems, examine_plan, is_plan_name
from provisioning.problems import InvalidValue, Refused, shown
from provisioning.storable import storable
from provisioning.views import NumberView, PlanView

# A plan for every number and season of a company. All of an account's are read when one is imported.
PLANS_PER_ACCOUNT_MAX: Final = 100


async def import_plan(
    db: asyncpg.Pool, account_name: str, name: str, text: str, *, prompts: Collection[str] | None = None
) -> PlanView:
    """A new plan, or what the plan of that name is from now on. Raises PlanProblems with all that is wrong.

    `prompts` are the shipped ones, None for not asking.
    """
    if not is_plan_name(name):
        raise InvalidValue("plan", name, PLAN_NAME_EXPECTED)
    plan, problems = examine_plan(text)
    if plan is None:
        raise PlanProblems(problems)
    async with db.acquire() as connection, connection.transaction():
        account = await _lock_account(connection, account_name)
        plans = await plan_rows.plans_of_account(connection, account.id)
        if name not in plans and len(plans) >= PLANS_PER_ACCOUNT_MAX:
            raise Refused(
                f"account {shown(account.name)} has {len(plans)} plans, which is as many as it may have"
            )
        plans[name] = plan
        users = await store.users_of_account(connection, account.id)
        problems += _missing(plan, users, plans, prompts) + _circles(name, plans)
        if problems:
            raise PlanProblems(problems)
        await plan_rows.write_plan(connection, account.id, name, storable(text), plan)
        return await _view(connection, account, name)


async def show_plan(db: asyncpg.Pool, account_name: str, name: str) -> PlanView:
    async with db.acquire() as connection:
        return await _view(connection, await _account(connection, account_name), name)


async def list_plans(db: asyncpg.Pool, account_name: str | None = None) -> list[PlanView]:
    """By account and name."""
    async with db.acquire() as connection:
        if account_name is None:
            return await plan_rows.plan_views(connection)
        return await plan_rows.plan_views(connection, (await _account(connection, account_name)).id)


async def delete_plan(db: asyncpg.Pool, account_name: str, name: str) -> PlanView:
    """What it was. Refused while numbers, other plans or diverts lead to it."""
    async with db.acquire() as connection, connection.transaction():
        account = await _lock_account(connection, account_name)
        view = await _view(connection, account, name)
        if view.numbers:
            raise Refused(
                f"plan {shown(name)} still has {_listed(view.numbers)}: `offhook plan assign NUMBER --none` first"
            )
        others = await plan_rows.plans_of_account(connection, account.id)
        leading = [other for other, plan in others.items() if other != name and name in plans_of(plan)]
        if leading:
            raise Refused(
                f"plan {shown(leading[0])} leads to plan {shown(name)}: import it without that first"
            )
        plan_id = await plan_rows.plan_id_of(connection, account.id, name)
        assert plan_id is not None, "the account is locked"
        diverting = await plan_rows.lines_diverting_to(connection, account.id, name)
        if diverting:
            raise Refused(f"line {shown(diverting[0])} diverts calls to plan {shown(name)}: `offhook divert list`")
        await plan_rows.delete_plan(connection, plan_id)
        return view


async def assign_plan(db: asyncpg.Pool, numbers: str, name: str | None) -> list[NumberView]:
    """Let calls to a number, or to a range, go by a plan of the account that owns it; None: to its line again."""
    wanted = parse_range(numbers)
    async with db.acquire() as connection, connection.transaction():
        views = await store.number_views(connection, wanted)
        missing = sorted(set(wanted).difference(view.e164 for view in views))
        if missing:
            raise Refused(
                f"{missing[0]} is not assigned: `offhook number assign {missing[0]} --line USER` first"
            )
        accounts = {view.account for view in views}
        if len(accounts) > 1:
            raise Refused(f"these numbers are of {len(accounts)} accounts, and a plan is of one")
        account = await _lock_account(connection, accounts.pop())
        plan_id = None
        if name is not None:
            plan_id = await plan_rows.plan_id_of(connection, account.id, name) if is_plan_name(name) else None
            if plan_id is None:
                raise Refused(
                    f"account {shown(account.name)} has no plan {shown(name)}: `offhook plan list` shows them"
                )
        await plan_rows.set_plan_of_numbers(connection, wanted, plan_id)
        return await store.number_views(connection, wanted)


async def plans_naming(connection: asyncpg.Connection, account_id: int, user: str) -> list[str]:
    """The plans of the account that ring this line or take messages for it."""
    plans = await plan_rows.plans_of_account(connection, account_id)
    return [name for name, plan in plans.items() if user in lines_of(plan)]


def _missing(
    plan: Plan, users: Collection[str], plans: Mapping[str, Plan], prompts: Collection[str] | None
) -> list[PlanProblem]:
    known = set(users)
    problems = [
        PlanProblem(node, "", f"line {shown(user)}", "a line of the account")
        for user, node in lines_of(plan).items()
        if user not in known
    ]
    problems += [
        PlanProblem(node, "plan", shown(other), "another plan of the account, imported before")
        for other, node in plans_of(plan).items()
        if other not in plans
    ]
    return problems + [
        PlanProblem(node, "", f"the prompt {shown(prompt)}", 'a prompt of the exchange, or "own.NAME"')
        for prompt, node in prompts_of(plan).items()
        if prompts is not None and prompt not in prompts
    ]


def _circles(name: str, plans: Mapping[str, Plan]) -> list[PlanProblem]:
    """Plans that lead back to this one."""
    seen: set[str] = set()
    ways: list[tuple[str, ...]] = [(name,)]
    while ways:
        way = ways.pop()
        plan = plans.get(way[-1])
        for other, node in plans_of(plan).items() if plan is not None else ():
            if other == name:
                found = "plans that lead back to this one: " + " to ".join((*way, name))
                return [PlanProblem(node if len(way) == 1 else "", "", found, "plans that come to an end")]
            if other not in seen:
                seen.add(other)
                ways.append((*way, other))
    return []


async def _account(connection: asyncpg.Connection, name: str, *, is_locked: bool = False) -> Account:
    account = await store.find_account(connection, name, is_locked=is_locked) if name.isprintable() else None
    if account is None:
        raise Refused(f"there is no account {shown(name)}")
    return account


async def _lock_account(connection: asyncpg.Connection, name: str) -> Account:
    """Plans of one account are changed one after the other: what they say of each other stays true."""
    return await _account(connection, name, is_locked=True)


async def _view(connection: asyncpg.Connection, account: Account, name: str) -> PlanView:
    views = await plan_rows.plan_views(connection, account.id, name) if is_plan_name(name) else []
    if not views:
        raise Refused(f"account {shown(account.name)} has no plan {shown(name)}")
    return views[0]


def _listed(numbers: list[str]) -> str:
    first = ", ".join(numbers[:3])
    return first if len(numbers) <= 3 else f"{first} and {len(numbers) - 3} more"
