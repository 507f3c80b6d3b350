"""Cursors: where a list goes on. Opaque to callers, and good only for the merchant and filters that they came with.

The bytes are a version, the time of creation and the id of the last payment that was shown, the number of the page
that follows, and a keyed hash over them and what they are bound to.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from eci_payments.api.errors import WireError

if TYPE_CHECKING:
    from eci_payments.domain.ids import MerchantId
    from eci_payments.store.reads import Filter

_VERSION = 1
_FIELDS = struct.Struct(">BqqI")
_HASH_BYTES = 16
"""128 bits: nobody guesses one."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
LONGEST = 64


@dataclass(frozen=True, slots=True)
class Cursor:
    """Payments older than this one, in the list's order; they are page ``page`` of the walk."""

    created_at: datetime
    payment_id: int
    page: int


@dataclass(frozen=True, slots=True)
class Cursors:
    """Cursors of one merchant's list with these filters."""

    secret: bytes
    merchant_id: MerchantId
    wanted: Filter

    def written(self, cursor: Cursor) -> str:
        """The cursor as text."""
        micros = (cursor.created_at - _EPOCH) // _MICROSECOND
        fields = _FIELDS.pack(_VERSION, micros, cursor.payment_id, cursor.page)
        return base64.urlsafe_b64encode(fields + self._hash(fields)).decode().rstrip("=")

    def read(self, text: str) -> Cursor:
        """The cursor that this text is. Raises WireError invalid_cursor."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            fields, seal = raw[: _FIELDS.size], raw[_FIELDS.size :]
            version, micros, payment_id, page = _FIELDS.unpack(fields)
        except (ValueError, binascii.Error, struct.error):
            raise _invalid() from None
        if version != _VERSION or not hmac.compare_digest(seal, self._hash(fields)):
            raise _invalid()
        return Cursor(_EPOCH + micros * _MICROSECOND, payment_id, page)

    def _hash(self, fields: bytes) -> bytes:
        bound = f"cursor of {self.merchant_id} {self.wanted}".encode()
        return hmac.digest(self.secret, bound + b"\0" + fields, "sha256")[:_HASH_BYTES]


def _invalid() -> WireError:
    return WireError(
        "invalid_cursor", "The cursor is not one of ours, or belongs to a list with other filters."
    )
