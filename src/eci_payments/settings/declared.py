"""Every setting there is: its kind, default and meaning. The only list; ``.env.example`` is written from it."""

# ruff: noqa: RUF009 - `setting` is a field, which ruff cannot know
from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import SecretStr

from eci_payments.settings import kinds
from eci_payments.settings.database_url import DATABASE_URL
from eci_payments.settings.kinds import Kind, optional

T = TypeVar("T")

_VERB = kinds.one_of("POST", "PUT", "PATCH")
_UNTOLD = "; empty: as PEER_SHAPE says"


@dataclass(frozen=True, slots=True)
class Declared:
    """What is known of one setting before it is read. ``default`` is text, as it would stand in the environment."""

    kind: Kind[Any]
    default: str
    meaning: str
    section: str | None


def setting(kind: Kind[T], default: str, meaning: str, section: str | None = None) -> T:
    """A field of `Settings`. The first of a section names it."""
    declared = Declared(kind, default, meaning, section)
    return cast("T", field(default=cast("Any", kind.read(default)), metadata={"declared": declared}))


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """One service that is told, and whatever of its shape is configured otherwise (None: as the shape says)."""

    url: str
    path: str | None
    verb: str | None
    body: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The service's settings. Field names are the variables' names in lower case; units stand last."""

    database_url: SecretStr | None = setting(
        optional(DATABASE_URL), "", "The PostgreSQL (15 to 18) to use; empty: the embedded one", "Database"
    )
    migration_database_url: SecretStr | None = setting(
        optional(DATABASE_URL), "", "The same database as its owner, for migrate; empty: DATABASE_URL"
    )
    require_restricted_role: bool = setting(
        kinds.SWITCH,
        "off",
        "Refuse to start with a database role that could rewrite history; on in production",
    )
    db_prepared_statements: bool = setting(
        kinds.SWITCH,
        "on",
        "Off behind a pooler in transaction mode, which refuses what `on` asks for unless it is told to ignore that",
    )
    db_pool_size: int = setting(
        kinds.whole(2, 200), "8", "Connections that one process keeps to the database"
    )
    data_dir: Path = setting(kinds.PATH, "./.data", "Where the embedded database and our own files live")

    service_name: str = setting(
        kinds.LABEL, "payment-service", "The service's name in logs and /health", "Service"
    )
    service_host: str = setting(kinds.HOST, "127.0.0.1", "The address to listen on; 0.0.0.0 in a container")
    service_port: int = setting(kinds.whole(0, 65535), "8086", "The port to listen on; 0 takes a free one")
    work_port: int | None = setting(
        optional(kinds.whole(0, 65535)),
        "",
        "The port at which `work` answers /livez, /readyz and /metrics, on SERVICE_HOST; empty: none",
    )
    public_url: str | None = setting(
        optional(kinds.ADDRESS),
        "",
        "Where callers find the service, for links in answers; empty: relative links",
    )
    log_level: str = setting(
        kinds.one_of("DEBUG", "INFO", "WARNING", "ERROR"), "INFO", "The least important log lines to write"
    )
    shutdown_grace_s: float = setting(
        kinds.number(0.1, 9), "8", "Seconds after SIGTERM in which what was accepted is still answered"
    )
    batch_max: int = setting(kinds.whole(1, 1000), "64", "Units of work that one transaction takes at most")
    queue_max: int = setting(
        kinds.whole(1, 100_000),
        "1024",
        "Units of work that may wait in one process; beyond it the answer is 503",
    )

    otel_exporter_otlp_endpoint: str | None = setting(
        optional(kinds.ADDRESS),
        "",
        "The collector that traces are sent to, by OTLP over HTTP (port 4318 usually); empty: no traces",
        "Traces",
    )
    otel_exporter_otlp_headers: SecretStr | None = setting(
        optional(kinds.HEADERS), "", "Headers for the collector, its key for instance"
    )
    otel_traces_sampler_arg: float = setting(
        kinds.number(0, 1),
        "1",
        "The share of the traces begun here that is recorded; a caller's own decision goes before",
    )

    bootstrap_api_key: SecretStr | None = setting(
        optional(kinds.API_KEY),
        "",
        "The first API key of merchant 1, with every scope: migrate stores its hash, once",
        "Access",
    )
    # A seventh of the 700 charges/s that one process makes beside PostgreSQL on one core: a limit that is a large part
    # of what a replica serves protects nobody, since what it allows makes others wait. See docs/runbook.md.
    rate_limit_per_key: int = setting(
        kinds.whole(0, 1_000_000),
        "100",
        "Requests per second of one API key, over 10 s; in one second so many too, or 100; 0: no limit",
    )
    rate_limit_per_address: int = setting(
        kinds.whole(0, 1_000_000), "1000", "Requests per second of one address, over 10 s; 0: no limit"
    )
    rate_limit_webhooks: int = setting(
        kinds.whole(0, 1_000_000), "200", "Webhooks per second from one address, over 10 s; 0: no limit"
    )
    max_concurrent_requests: int = setting(
        kinds.whole(1, 100_000), "2000", "Requests that one process answers at once; half of it for one key"
    )
    read_token_key: SecretStr | None = setting(
        optional(kinds.SECRETS),
        "",
        "Signs read tokens; two with a comma between while the first replaces the other; empty: FINGERPRINT_KEY's",
    )
    read_token_min: int = setting(
        kinds.whole(1, 1440), "60", "Minutes for which a read token opens its payment"
    )
    max_streams: int = setting(
        kinds.whole(0, 100_000), "500", "Streams (live status of a payment) that one process keeps open"
    )
    max_streams_per_address: int = setting(
        kinds.whole(1, 100_000), "20", "Streams that one address keeps open in one process"
    )
    stream_max_age_s: int = setting(
        kinds.whole(10, 86_400), "900", "Seconds after which a stream ends; a browser opens it again"
    )
    stream_poll_s: float = setting(
        kinds.number(0.05, 10), "0.25", "Seconds between two looks for what the streams have to tell"
    )
    page_origins: tuple[str, ...] = setting(
        kinds.origins(),
        "",
        "Pages that may read a payment by read token from their origin (CORS); empty: none",
    )
    trusted_proxies: tuple[str, ...] = setting(
        kinds.address_ranges(), "", "Proxies whose X-Forwarded-For is believed; empty: nobody's"
    )
    admin_port: int | None = setting(
        optional(kinds.whole(1, 65535)),
        "",
        "A second port, for /metrics, /docs and the OpenAPI document without a key; empty: with a key only",
    )

    gateways: tuple[str, ...] = setting(
        kinds.names(),
        "",
        "The gateways to charge through, first choice first; serve and work need it, and simulator is a legal name",
        "Payments",
    )
    gateways_file: Path | None = setting(
        optional(kinds.PATH),
        "",
        "Gateway accounts and routing rules (TOML, see docs/gateways.md), instead of GATEWAYS",
    )
    simulator_db: Path | None = setting(
        optional(kinds.PATH), "", "The simulator's own record; empty: simulator.sqlite3 in DATA_DIR"
    )
    simulator_url: str | None = setting(
        optional(kinds.ADDRESS),
        "",
        "Where `eci-payments sandbox` shows the simulator's pages to customers; empty: http://127.0.0.1:8087",
    )
    gateway_timeout_s: float = setting(
        kinds.number(0.1, 120),
        "6",
        "Seconds to wait for a gateway's answer; below SHUTDOWN_GRACE_S, so that a stop answers what was accepted",
    )
    operation_lease_s: float = setting(
        kinds.number(0.2, 3600), "30", "Seconds that a call to a gateway has before recovery takes it over"
    )
    fingerprint_key: SecretStr | None = setting(
        optional(kinds.SECRET), "", "Keys the hashes of requests; empty: made once and kept in DATA_DIR"
    )
    card_fingerprint_key: SecretStr | None = setting(
        optional(kinds.CARD_KEYS),
        "",
        "Keys the fingerprints of cards, the first for new ones, the others to find old ones; empty: none are made",
    )
    max_charge_amount: Decimal = setting(
        kinds.amount("10000000000"), "100000", "The largest single charge, in major units of its currency"
    )
    default_currency: str = setting(kinds.CURRENCY, "INR", "The currency of a charge that names none")
    idempotency_window_hours: int = setting(
        kinds.whole(1, 8760), "24", "Hours for which an Idempotency-Key is remembered"
    )
    pending_expiry_min: int = setting(
        kinds.whole(1, 525_600),
        "60",
        "Minutes after which what was created and never charged expires; not COD",
    )
    action_expiry_min: int = setting(
        kinds.whole(1, 10_080), "15", "Minutes that a customer has for a redirect or a UPI request"
    )
    approval_expiry_min: int = setting(
        kinds.whole(1, 43_200),
        "1440",
        "Minutes in which another key has to approve a large refund; then it is given up",
    )
    authorization_margin_min: int = setting(
        kinds.whole(1, 10_080),
        "60",
        "Minutes before its end at which an authorization nobody captured is voided",
    )
    late_success_policy: str = setting(
        kinds.one_of("refund", "accept", "hold"),
        "refund",
        "What becomes of money that arrives after its charge ended",
    )
    inbox_keep_days: int = setting(
        kinds.whole(1, 3650), "30", "Days for which gateways' webhooks are kept after they were applied"
    )
    return_url_allowlist: tuple[str, ...] = setting(
        kinds.origins(), "", "Where a customer may be sent back to; empty: nowhere"
    )

    stripe_secret_key: SecretStr | None = setting(
        optional(kinds.CREDENTIAL),
        "",
        "The secret key of the Stripe account; needed where GATEWAYS names stripe",
        "Gateways",
    )
    stripe_webhook_secrets: SecretStr | None = setting(
        optional(kinds.CREDENTIAL),
        "",
        "What Stripe signs its webhooks with (whsec_...); two with a comma between while one replaces the other",
    )
    stripe_api_url: str = setting(kinds.ADDRESS, "https://api.stripe.com", "Where Stripe is")
    razorpay_key_id: str | None = setting(
        optional(kinds.LABEL), "", "The key id of the Razorpay account; needed where GATEWAYS names razorpay"
    )
    razorpay_key_secret: SecretStr | None = setting(
        optional(kinds.CREDENTIAL), "", "The key secret of the Razorpay account"
    )
    razorpay_webhook_secrets: SecretStr | None = setting(
        optional(kinds.CREDENTIAL),
        "",
        "What Razorpay signs its webhooks with; two with a comma between while one replaces the other",
    )
    razorpay_api_url: str = setting(kinds.ADDRESS, "https://api.razorpay.com", "Where Razorpay is")
    razorpay_email: str | None = setting(
        optional(kinds.EMAIL),
        "",
        "The e-mail address given to Razorpay, which asks for one with every payment",
    )
    razorpay_contact: str | None = setting(
        optional(kinds.PHONE),
        "",
        "The phone number given to Razorpay with every payment, with + and country code",
    )
    sandbox_url: str | None = setting(
        optional(kinds.ADDRESS), "", "Where the sandbox is, as a gateway; needed where GATEWAYS names sandbox"
    )
    sandbox_api_key: SecretStr | None = setting(
        optional(kinds.CREDENTIAL),
        "",
        "The sandbox's API key; `eci-payments sandbox` has an API only where it is set",
    )
    sandbox_db: Path | None = setting(
        optional(kinds.PATH),
        "",
        "The record of `eci-payments sandbox`; empty: the simulator's, for its pages",
    )
    sandbox_webhook_url: str | None = setting(
        optional(kinds.ADDRESS), "", "Where `eci-payments sandbox` sends its webhooks; empty: nowhere"
    )
    sandbox_webhook_secrets: SecretStr | None = setting(
        optional(kinds.CREDENTIAL),
        "",
        "Signs and verifies its webhooks: whsec_ and base64; two with a comma between while one replaces the other",
    )

    order_service_url: str | None = setting(
        optional(kinds.ADDRESS), "", "The order service; empty: not told", "Peers that are told"
    )
    inventory_service_url: str | None = setting(
        optional(kinds.ADDRESS), "", "The inventory service; empty: not told"
    )
    notification_service_url: str | None = setting(
        optional(kinds.ADDRESS), "", "The notification service; empty: not told"
    )
    peer_shape: str = setting(kinds.one_of("seed", "sibling"), "seed", "What the peers' requests look like")
    order_service_path: str | None = setting(
        optional(kinds.URL_PATH), "", f"Path at the order service, with {{names}} filled in{_UNTOLD}"
    )
    order_service_verb: str | None = setting(optional(_VERB), "", f"Verb at the order service{_UNTOLD}")
    order_service_body: dict[str, Any] | None = setting(
        optional(kinds.TEMPLATE), "", f"Body for the order service, with {{names}} filled in{_UNTOLD}"
    )
    inventory_service_path: str | None = setting(
        optional(kinds.URL_PATH), "", f"Path at the inventory service{_UNTOLD}"
    )
    inventory_service_verb: str | None = setting(
        optional(_VERB), "", f"Verb at the inventory service{_UNTOLD}"
    )
    inventory_service_body: dict[str, Any] | None = setting(
        optional(kinds.TEMPLATE), "", f"Body for the inventory service{_UNTOLD}"
    )
    notification_service_path: str | None = setting(
        optional(kinds.URL_PATH), "", f"Path at the notification service{_UNTOLD}"
    )
    notification_service_verb: str | None = setting(
        optional(_VERB), "", f"Verb at the notification service{_UNTOLD}"
    )
    notification_service_body: dict[str, Any] | None = setting(
        optional(kinds.TEMPLATE), "", f"Body for the notification service{_UNTOLD}"
    )
    delivery_timeout_s: float = setting(kinds.number(0.1, 60), "5", "Seconds to wait for a peer's answer")
    delivery_max_age_h: float = setting(
        kinds.number(0.1, 720), "72", "Hours for which a delivery is tried before it is parked"
    )

    @property
    def owner_database_url(self) -> SecretStr | None:
        """The database for ``migrate``; None is the embedded one."""
        return self.migration_database_url or self.database_url

    @property
    def simulator_path(self) -> Path:
        """Where the simulator keeps its record."""
        return self.simulator_db or self.data_dir / "simulator.sqlite3"

    @property
    def peers(self) -> dict[str, PeerSettings]:
        """The peers that have an address, by name: order, inventory, notification."""
        return {name: peer for name in PEERS if (peer := self._peer(name))}

    def _peer(self, name: str) -> PeerSettings | None:
        url, path, verb, body = (
            getattr(self, f"{name}_service_{part}") for part in ("url", "path", "verb", "body")
        )
        return PeerSettings(url, path, verb, body) if url else None


PEERS = ("order", "inventory", "notification")
