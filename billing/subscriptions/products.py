"""What can be sold: products with their terms and their dated prices."""

import datetime
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import asyncpg
import msgspec

from billing.conf_fields import MICROS_PER_PENNY
from billing.customers import CustomerKind
from billing.subscriptions.grants import check_included
from billing.subscriptions.months import words
from billing.subscriptions.rows import from_json, to_json
from billing.subscriptions.terms import Terms, check_terms
from provisioning.problems import InvalidValue, Refused, shown
from rating.money import VatMode, format_pounds

NAME_CHARS_MAX: Final = 40
TITLE_CHARS_MAX: Final = 80  # one line of an invoice
PRICE_MICROS_MAX: Final = 100_000_000_000  # a hundred thousand pounds a period is a slip of the finger
QUANTITY_MAX: Final = 100_000  # as the schema


class Amounts(msgspec.Struct, frozen=True):
    """A price as it is quoted: with VAT, without, or both ways; None is not offered that way."""

    inc_vat_micros: int | None = None
    ex_vat_micros: int | None = None

    def of(self, vat: VatMode) -> int | None:
        return self.inc_vat_micros if vat is VatMode.INC_VAT else self.ex_vat_micros


class DatedPrice(msgspec.Struct, frozen=True):
    """What one costs for a whole period, when it is sold from that day on."""

    first: datetime.date
    price: Amounts


class Product(msgspec.Struct, frozen=True):
    """`prices` in the order of their days. `setup`: once, with the first period."""

    id: int
    name: str
    title: str
    family: str
    terms: Terms
    setup: Amounts
    is_withdrawn: bool
    prices: tuple[DatedPrice, ...]

    def price_at(self, day: datetime.date, vat: VatMode) -> int | None:
        """Micros; None where it has no price on that day, or none in that mode."""
        found = [dated for dated in self.prices if dated.first <= day]
        return found[-1].price.of(vat) if found else None

    def price_or_refuse(self, day: datetime.date, vat: VatMode) -> int:
        price = self.price_at(day, vat)
        if price is None:
            how = "with VAT" if vat is VatMode.INC_VAT else "without VAT"
            raise Refused(f"product {shown(self.name)} has no price {how} on {words(day)}")
        return price

    def prices_after(self, day: datetime.date, vat: VatMode) -> list[tuple[datetime.date, int]]:
        """What is published for later: a sale states it, with its dates."""
        later = [(dated.first, dated.price.of(vat)) for dated in self.prices if dated.first > day]
        return [(first, price) for first, price in later if price is not None]


async def add_product(
    db: asyncpg.Connection,
    name: str,
    *,
    title: str,
    family: str = "",
    terms: Terms,
    price: DatedPrice,
    setup: Amounts | None = None,
) -> Product:
    """A new product with its first price."""
    check_terms(terms)
    check_included(terms.included, 1)
    _check_name("product", name)
    _check_text("title", title, TITLE_CHARS_MAX)
    if family:
        _check_name("family", family)
    setup = _check_amounts("set-up fee", setup) if setup is not None else Amounts()
    _check_price(price)
    try:
        async with db.transaction():
            product_id = await db.fetchval(
                "INSERT INTO products (name, title, family, terms, setup_inc_vat_micros, setup_ex_vat_micros)"
                " VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
                name,
                title,
                family,
                to_json(terms),
                setup.inc_vat_micros,
                setup.ex_vat_micros,
            )
            await _insert_price(db, product_id, price)
    except asyncpg.UniqueViolationError:
        raise Refused(f"product {shown(name)} exists already") from None
    return await find_product(db, name)


async def set_price(db: asyncpg.Connection, name: str, price: DatedPrice, today: datetime.date) -> Product:
    """Another price for what is sold from a day on. What is sold already keeps its own."""
    _check_price(price)
    product = await find_product(db, name)
    if price.first < today:
        raise Refused(f"a price cannot begin on {words(price.first)}: that day is past")
    await _insert_price(db, product.id, price)
    return await find_product(db, name)


async def withdraw(db: asyncpg.Connection, name: str) -> Product:
    """Not sold any more. What was sold goes on."""
    product = await find_product(db, name)
    await db.execute("UPDATE products SET is_withdrawn = true WHERE id = $1", product.id)
    return await find_product(db, name)


async def find_product(db: asyncpg.Connection, name: str) -> Product:
    """By its name as people type it. Raises Refused."""
    found = await _read(db, "WHERE lower(name) = lower($1)", name) if name.isprintable() else []
    if not found:
        raise Refused(f"there is no product {shown(name)}")
    return found[0]


async def list_products(db: asyncpg.Connection) -> list[Product]:
    """By name, also what is withdrawn."""
    return await _read(db, "")


def best_offers(
    products: Sequence[Product],
    product: Product,
    kind: CustomerKind,
    vat: VatMode,
    day: datetime.date,
    months_max: int,
) -> list[Product]:
    """What of the same family somebody new of this kind could buy today, the cheapest by month first."""
    offers = [
        (Fraction(price, other.terms.billing_period.months), other.name, other)
        for other in products
        if not other.is_withdrawn
        and other.family == product.family
        and (price := other.price_at(day, vat)) is not None
        and (kind is not CustomerKind.CONSUMER or other.terms.min_term_months <= months_max)
    ]
    return [other for _, _, other in sorted(offers, key=lambda offer: offer[:2])]


async def _read(db: asyncpg.Connection, where: str, *values: object) -> list[Product]:
    # S608: `where` is one of this file's constants
    rows = await db.fetch(f"SELECT * FROM products {where} ORDER BY lower(name)", *values)  # noqa: S608
    prices: dict[int, list[DatedPrice]] = {row["id"]: [] for row in rows}
    for row in await db.fetch(
        "SELECT * FROM product_prices WHERE product_id = ANY($1) ORDER BY product_id, from_day", list(prices)
    ):
        price = Amounts(row["inc_vat_micros"], row["ex_vat_micros"])
        prices[row["product_id"]].append(DatedPrice(row["from_day"], price))
    return [
        Product(
            id=row["id"],
            name=row["name"],
            title=row["title"],
            family=row["family"],
            terms=from_json(row["terms"], Terms),
            setup=Amounts(row["setup_inc_vat_micros"], row["setup_ex_vat_micros"]),
            is_withdrawn=row["is_withdrawn"],
            prices=tuple(prices[row["id"]]),
        )
        for row in rows
    ]


async def _insert_price(db: asyncpg.Connection, product_id: int, price: DatedPrice) -> None:
    await db.execute(
        "INSERT INTO product_prices (product_id, from_day, inc_vat_micros, ex_vat_micros) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (product_id, from_day) DO UPDATE"
        " SET inc_vat_micros = excluded.inc_vat_micros, ex_vat_micros = excluded.ex_vat_micros",
        product_id,
        price.first,
        price.price.inc_vat_micros,
        price.price.ex_vat_micros,
    )


def _check_price(price: DatedPrice) -> None:
    amounts = _check_amounts("price", price.price)
    if amounts.inc_vat_micros is None and amounts.ex_vat_micros is None:
        raise InvalidValue("price", "none", "one with VAT, one without, or both")


def _check_amounts(what: str, amounts: Amounts) -> Amounts:
    for micros in (amounts.inc_vat_micros, amounts.ex_vat_micros):
        if micros is not None and (micros % MICROS_PER_PENNY or not 0 <= micros <= PRICE_MICROS_MAX):
            most = format_pounds(PRICE_MICROS_MAX)
            raise InvalidValue(what, format_pounds(micros), f"pounds and whole pence, at most {most}")
    return amounts


def _check_name(what: str, name: str) -> None:
    is_sound = 0 < len(name) <= NAME_CHARS_MAX and name.isprintable() and name == name.strip()
    if not is_sound:
        raise InvalidValue(what, name, f"a name of 1 to {NAME_CHARS_MAX} characters")


def _check_text(what: str, text: str, most: int) -> None:
    if not text.strip() or len(text) > most or not text.isprintable():
        raise InvalidValue(what, text, f"one line of 1 to {most} characters")
