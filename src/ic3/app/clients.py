"""The ways to other systems, by the settings."""

from typing import Final
from zoneinfo import ZoneInfo

from ic3.api.cmms_sync import CmmsSync
from ic3.clock import Clock
from ic3.domain.notify import RouteKind
from ic3.gateway.client import RedisRESTClient
from ic3.gateway.innomaint import InnomaintClient
from ic3.hub.mail import Mail, smtp_server
from ic3.hub.notices import Carrier
from ic3.hub.webhook import Webhook
from ic3.observations import Observe
from ic3.settings import Settings
from ic3.store.cmms import CmmsStore
from ic3.store.pool import Database

PLANT_CMMS_PATH: Final = "/cmms"


def gateway_client(
    settings: Settings, base: str, clock: Clock, observe: Observe = lambda _: None
) -> RedisRESTClient:
    """The client of the gateway at `base`."""
    return RedisRESTClient(
        base,
        max_in_flight=settings.redis_api_max_in_flight,
        timeout_s=settings.redis_api_timeout_s,
        mget_path=settings.redis_api_mget_path,
        ca_file=settings.redis_api_ca_file,
        bearer_token=settings.redis_api_token,
        interval_s=settings.poll_interval_s,
        clock=clock,
        observe=observe,
    )


def cmms_client(settings: Settings, base: str, clock: Clock) -> InnomaintClient:
    """The client of the CMMS at `base`."""
    return InnomaintClient(
        base, path=settings.cmms_path, token=settings.cmms_token,
        rate_per_s=settings.cmms_rate_per_s, timeout_s=settings.cmms_timeout_s,
        ca_file=settings.cmms_ca_file, clock=clock,
    )  # fmt: skip


def cmms_sync(
    settings: Settings, requests: Database, base: str, *, clock: Clock, observe: Observe
) -> CmmsSync:
    """The synchronisation with the configured CMMS, or with the simulated plant's.

    Args:
        settings: What the environment says.
        requests: Where the register is.
        base: Address of the gateway, which is the plant's where it is simulated.
        clock: Handed on.
        observe: Handed on.
    """
    store = CmmsStore(requests)
    if settings.cmms_base is not None:
        configured = settings.cmms_base
        return CmmsSync(
            store, lambda: cmms_client(settings, configured, clock), clock=clock, observe=observe
        )
    if settings.simulated:
        stub = base + PLANT_CMMS_PATH
        # On loopback nobody has to be spared, and the token is not the stub's.
        return CmmsSync(
            store, lambda: InnomaintClient(stub, rate_per_s=1000, clock=clock), clock=clock,
            observe=observe,
        )  # fmt: skip
    return CmmsSync(store, None, clock=clock, observe=observe)


def ways_out(settings: Settings, clock: Clock) -> dict[RouteKind, Carrier]:
    """Webhook and mail, by the settings.

    Raises:
        SettingsError: IC3_SMTP_URL is no such URL.
    """
    server = None if settings.smtp_url is None else smtp_server(settings.smtp_url)
    return {
        RouteKind.WEBHOOK: Webhook(clock=clock, allow_private=settings.webhook_allow_private),
        RouteKind.EMAIL: Mail(
            server=server, sender=settings.smtp_from, zone=ZoneInfo(settings.zone), clock=clock
        ),
    }
