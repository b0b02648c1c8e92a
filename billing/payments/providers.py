"""The providers that are in use: a section in billing.toml, and keys in billing_secrets.toml."""

from collections.abc import Mapping

from billing.conf_payments import BillingSecrets, PaymentsConf
from billing.payments.provider import Provider
from provisioning.problems import Refused, shown


def make_providers(conf: PaymentsConf, secrets: BillingSecrets) -> dict[str, Provider]:
    """By name. One whose keys are missing is not in use. A library is read only where its provider is."""
    found: list[Provider] = []
    url = conf.pages.return_url
    if conf.stripe is not None and secrets.stripe.secret_key and secrets.stripe.webhook_secret:
        from billing.payments.stripe_provider import StripeProvider  # noqa: PLC0415

        keys = secrets.stripe
        found.append(
            StripeProvider(
                conf.stripe, secret_key=keys.secret_key, webhook_secret=keys.webhook_secret, return_url=url
            )
        )
    if conf.gocardless is not None and secrets.gocardless.access_token and secrets.gocardless.webhook_secret:
        from billing.payments.gocardless_provider import GoCardlessProvider  # noqa: PLC0415

        tokens = secrets.gocardless
        found.append(
            GoCardlessProvider(
                conf.gocardless,
                access_token=tokens.access_token,
                webhook_secret=tokens.webhook_secret,
                return_url=url,
            )
        )
    paypal = secrets.paypal
    if conf.paypal is not None and paypal.client_id and paypal.client_secret and paypal.webhook_id:
        from billing.payments.paypal_provider import PayPalProvider  # noqa: PLC0415

        found.append(
            PayPalProvider(
                conf.paypal,
                client_id=paypal.client_id,
                client_secret=paypal.client_secret,
                webhook_id=paypal.webhook_id,
                return_url=url,
            )
        )
    return {provider.name: provider for provider in found}


def provider_named(providers: Mapping[str, Provider], name: str) -> Provider:
    """Raises Refused."""
    if name not in providers:
        known = ", ".join(sorted(providers)) or "none"
        raise Refused(
            f"provider {shown(name)} is not in use (in use: {known}): its section belongs into billing.toml, its"
            " keys into billing_secrets.toml"
        )
    return providers[name]
