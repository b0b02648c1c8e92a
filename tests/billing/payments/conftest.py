"""The fakes of the providers, each on the loopback and each with a provider of ours that speaks to it."""

from collections.abc import Iterator

import msgspec
import pytest

from billing.conf_payments import GoCardlessConf, PayPalConf, StripeConf
from billing.payments.gocardless_provider import GoCardlessProvider
from billing.payments.paypal_provider import PayPalProvider
from billing.payments.stripe_provider import StripeProvider
from switch.conf_values import Secret
from tests.billing.payments import fake_gocardless, fake_paypal, fake_stripe
from tests.billing.payments.fake_gocardless import FakeGoCardless
from tests.billing.payments.fake_paypal import FakePayPal
from tests.billing.payments.fake_server import served
from tests.billing.payments.fake_stripe import FakeStripe

RETURN_URL = "https://www.example.co.uk/paid"


class AtStripe(msgspec.Struct):
    fake: FakeStripe
    provider: StripeProvider


class AtGoCardless(msgspec.Struct):
    fake: FakeGoCardless
    provider: GoCardlessProvider


class AtPayPal(msgspec.Struct):
    fake: FakePayPal
    provider: PayPalProvider


@pytest.fixture
def stripe() -> Iterator[AtStripe]:
    fake = FakeStripe()
    with served(fake.app) as address:
        yield AtStripe(
            fake,
            StripeProvider(
                StripeConf(address),
                secret_key=Secret(fake_stripe.SECRET_KEY),
                webhook_secret=Secret(fake_stripe.WEBHOOK_SECRET),
                return_url=RETURN_URL,
            ),
        )


@pytest.fixture
def gocardless() -> Iterator[AtGoCardless]:
    fake = FakeGoCardless()
    with served(fake.app) as address:
        yield AtGoCardless(
            fake,
            GoCardlessProvider(
                GoCardlessConf(address),
                access_token=Secret(fake_gocardless.ACCESS_TOKEN),
                webhook_secret=Secret(fake_gocardless.WEBHOOK_SECRET),
                return_url=RETURN_URL,
            ),
        )


@pytest.fixture
def paypal() -> Iterator[AtPayPal]:
    fake = FakePayPal()
    with served(fake.app) as address:
        yield AtPayPal(
            fake,
            PayPalProvider(
                PayPalConf(address),
                client_id=fake_paypal.CLIENT_ID,
                client_secret=Secret(fake_paypal.CLIENT_SECRET),
                webhook_id=fake_paypal.WEBHOOK_ID,
                return_url=RETURN_URL,
            ),
        )
