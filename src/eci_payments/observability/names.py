"""Which names announce something private: of a field, a header, a keyword in a text. One list for all of them."""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache


class Privacy(Enum):
    """What stands behind a name."""

    OPEN = "anyone may read it"
    SECRET = "one word that nobody may read"  # noqa: S105 - what it means, not one of them
    PERSON = "something about a person, of several words perhaps"
    HEADER = "a header that is secret to the end of its line"
    RECORD = "private where a record names its field so, and nothing in a sentence"


_SECRET_ENDINGS = (
    *("password", "passwd", "passphrase", "secret", "credentials"),
    *(
        "apikey",
        "accesskey",
        "privatekey",
        "secretkey",
        "fingerprintkey",
        "accesstoken",
        "refreshtoken",
        "clienttoken",
    ),
    *(
        "securitycode",
        "cardcode",
        "verificationvalue",
        "cardnumber",
        "accountnumber",
        "cvc",
        "cvc2",
        "cvv",
        "cvv2",
    ),
)
_SECRET_WORDS = frozenset(
    {"cvc", "cvc2", "cvv", "cvv2", "cvn", "csc", "cid", "otp", "pin", "pan", "pwd", "vpa", "token"}
)
"""Words that other words may end with: only where they stand alone or as the last part of a name."""
_PERSON_ENDINGS = (
    *(
        "cardholder",
        "accountholder",
        "holdername",
        "nameoncard",
        "firstname",
        "lastname",
        "fullname",
        "middlename",
    ),
    *("customername", "username", "payername", "payeename", "phone", "phonenumber", "mobilenumber", "msisdn"),
)
_PERSON_WORDS = frozenset({"holder", "mobile"})
_HEADERS = frozenset({"authorization", "proxyauthorization", "cookie", "setcookie"})
_RECORD_WORDS = frozenset({"name", "number", "email", "mail", "contact", "address", "emailaddress"})
_LONGEST = 64
_BREAK = re.compile(r"[\s_.-]+")


@lru_cache(maxsize=4096)
def privacy_of(name: str) -> Privacy:
    """What stands behind this name, however it is spelt: api_key, Api-Key, apiKey, x-api-key."""
    parts = _BREAK.split(name[-_LONGEST:].strip("_-. ").lower())
    whole, last = "".join(parts), parts[-1]
    if whole in _HEADERS:
        return Privacy.HEADER
    if last in _SECRET_WORDS or whole.endswith(_SECRET_ENDINGS):
        return Privacy.SECRET
    if last in _PERSON_WORDS or whole.endswith(_PERSON_ENDINGS):
        return Privacy.PERSON
    return Privacy.RECORD if whole in _RECORD_WORDS else Privacy.OPEN
