"""What one sandbox is told when it starts."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """``api_key`` None: pages only, no API. Webhooks go to ``webhook_url``, signed with every one of the secrets.

    Secrets are ``whsec_`` and base64, as Standard Webhooks writes them; two of them stand side by side while one
    replaces the other. Waits are in seconds.
    """

    api_key: str | None = field(default=None, repr=False)
    public_url: str = "http://127.0.0.1:8087"
    """Where customers' browsers find the pages."""
    webhook_url: str | None = None
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    webhook_late_s: float = 10.0
    webhook_held_s: float = 3.0
    hang_s: float = 30.0
    """How long a request hangs before its line is cut, unless its sender gives up first."""
    slow_s: float = 2.0
