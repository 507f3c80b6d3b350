"""Settings: read once at the start, from the environment, or refused with one line that names the wrong one."""

from eci_payments.settings.declared import PeerSettings, Settings
from eci_payments.settings.loading import SettingsError, declared, example, load

__all__ = ["PeerSettings", "Settings", "SettingsError", "declared", "example", "load"]
