"""Mails about lines that are offline, back, or come and go, for lines that ask for it (setting `offline_mail`).

The exchange decides what is told (switch/registrar/line_presence.py) and when it is an outage of its own, in which no
line is told; here each of its records becomes one mail. "Back" goes only to whom "offline" went.
"""

import datetime
from typing import Final
from zoneinfo import ZoneInfo

import asyncpg

from billing.border import alone
from billing.conf import BillingConf
from billing.customers import find_customer
from billing.mail import queue_mail
from billing.payments.texts import long_date, rendered
from provisioning.mail_address import is_mail_address
from provisioning.settings import CUSTOMER

ZONE: Final = ZoneInfo("Europe/London")
# Older news is none: after a long stop of this process nobody wants to read of the night.
NEWS_HOURS: Final = 6
# Outages of a line in a day that are told; after that its customer knows that something is wrong.
OUTAGES_PER_DAY_MAX: Final = 10
BATCH_MAX: Final = 500

# From the few lines that ask for mails to their last events. A "back" is due where its "offline" was told.
_DUE: Final = """
    SELECT e.id, e.event, e.line, e.at, e.count, l.account_id, l.settings ->> 'offline_mail' AS wanted,
           coalesce(c.email, '') AS email,
           (SELECT max(o.at) FROM registration_events o
            WHERE o.line = e.line AND o.event = 'offline' AND o.at <= e.at) AS offline_at
    FROM lines l
    JOIN registration_events e ON e.line = l.user_part
    LEFT JOIN customers c ON c.account_id = l.account_id
    WHERE l.settings ? 'offline_mail' AND e.event IN ('offline', 'online', 'flapping')
      AND e.at > now() - make_interval(hours => $1)
      AND NOT EXISTS (SELECT FROM mails m WHERE m.key = 'line/' || e.id)
      AND (l.settings ->> 'offline_mail' <> $2 OR coalesce(c.email, '') <> '')
      AND (e.event <> 'online' OR EXISTS (
          SELECT FROM mails m WHERE m.key = 'line/' || (
              SELECT o.id FROM registration_events o
              WHERE o.line = e.line AND o.event = 'offline' AND o.at <= e.at ORDER BY o.at DESC, o.id DESC LIMIT 1)))
      AND (e.event <> 'offline' OR (
          SELECT count(*) FROM registration_events o
          WHERE o.line = e.line AND o.event = 'offline' AND o.at <= e.at AND o.at > e.at - interval '1 day') <= $3)
    ORDER BY e.at, e.id LIMIT $4
"""
_SUBJECTS: Final = {
    "offline": "Line {line} is offline",
    "online": "Line {line} is back",
    "flapping": "Line {line} keeps dropping off",
}


async def tell_of_lines(db: asyncpg.Pool, conf: BillingConf) -> list[str]:
    """Queue what is due; what was queued, a line each. Again until nothing is: an offline line may be back by now."""
    said: list[str] = []
    while found := await _tell_some(db, conf):
        said += found
    return said


async def _tell_some(db: asyncpg.Pool, conf: BillingConf) -> list[str]:
    rows = await db.fetch(_DUE, NEWS_HOURS, CUSTOMER, OUTAGES_PER_DAY_MAX, BATCH_MAX)
    found = [await alone(_tell(db, conf, row), what="line notice", number=row["account_id"]) for row in rows]
    return [line for line in found if line]


async def _tell(db: asyncpg.Pool, conf: BillingConf, row: asyncpg.Record) -> str:
    to = row["email"] if row["wanted"] == CUSTOMER else row["wanted"]
    if not is_mail_address(to):
        return ""  # somebody's hand in the table
    async with db.acquire() as connection, connection.transaction():
        customer = await find_customer(connection, row["account_id"]) if row["wanted"] == CUSTOMER else None
        text = rendered(
            f"line_{row['event']}.txt",
            name=customer.name if customer is not None else "",
            line=row["line"],
            when=_in_words(row["at"]),
            offline_since=_in_words(row["offline_at"]) if row["offline_at"] is not None else "",
            times=row["count"],
            seller=conf.seller.name,
        )
        is_new = await queue_mail(
            connection,
            key=f"line/{row['id']}",
            to=to,
            subject=_SUBJECTS[row["event"]].format(line=row["line"]),
            text=text,
        )
    return f"line {row['line']} is {row['event']}" if is_new else ""


def _in_words(at: datetime.datetime) -> str:
    """ "10:15 on 3 December 2026", as it was in London."""
    local = at.astimezone(ZONE)
    return f"{local:%H:%M} on {long_date(local)}"
