"""``andon hub ingest``: one process between the broker and the database; any number may run."""

import signal
import ssl
from types import FrameType

import structlog

from cloud_hub.broker_access import BrokerAccess
from cloud_hub.config import Endpoints, HubConfig
from cloud_hub.errors import ConfigError, TrustError, UnreachableError
from cloud_hub.ingest.consumer import BrokerAddress, Consumer
from cloud_hub.ingest.keeper import Keeper
from cloud_hub.ingest.service import Service

log = structlog.get_logger()


def run(config: HubConfig) -> None:
    """Serve until SIGTERM or SIGINT, then finish the transaction in hand and leave."""
    clock = config.time()
    address = _address(config)
    with config.database(most=4) as database:
        service = Service(database, Consumer(address, clock), config.store, clock)
        keeper = Keeper(database, config.store, clock)

        def stop(number: int, frame: FrameType | None) -> None:
            service.stop()

        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, stop)
        if config.ingest.metrics_port:
            service.metrics.serve(config.ingest.metrics_port)
        keeper.start()
        try:
            service.run()
        finally:
            keeper.stop()
    log.info("ingest ended")


def _address(config: HubConfig) -> BrokerAddress:
    """The configured broker, else the one the running hub started."""
    if config.broker.host:
        return BrokerAddress(
            host=config.broker.host,
            port=config.broker.port,
            tls=_tls(config, check_name=True),
            access=_access(config),
        )
    endpoints: Endpoints = config.endpoints()
    if not endpoints.hub_port:
        raise UnreachableError("the running hub has no broker: see its log")
    if not endpoints.broker_tls:
        return BrokerAddress(host="127.0.0.1", port=endpoints.hub_port, tls=None)
    tls = _tls(config, check_name=True)
    return BrokerAddress(host="127.0.0.1", port=endpoints.hub_port, tls=tls, access=_access(config))


def _access(config: HubConfig) -> BrokerAccess:
    return BrokerAccess.of(config.state_dir / "identity" / "hub" / "client.key")


def _tls(config: HubConfig, *, check_name: bool) -> ssl.SSLContext:
    """The hub's client certificate, and trust in its own authority alone."""
    folder = config.state_dir / "identity"
    try:
        context = ssl.create_default_context(cafile=folder / "ca" / "ca.crt")
        context.load_cert_chain(folder / "hub" / "client.crt", folder / "hub" / "client.key")
    except FileNotFoundError as error:
        raise TrustError(f"no certificates for the broker in {folder}: `andon hub run` makes them") from error
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"the certificates in {folder} cannot be used: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = check_name
    return context
