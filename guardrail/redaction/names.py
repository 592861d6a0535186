"""Arguments that are named like a secret."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

_WORDS: Final = {
    "password": ("password", "passwd", "passphrase", "passcode", "pwd"),
    "secret": ("secret", "secretkey", "clientsecret", "privatekey", "signingkey", "encryptionkey", "webhooksecret"),
    "api key": ("apikey", "accesskey", "accesskeyid", "secretaccesskey", "subscriptionkey", "accountkey"),
    "token": (
        *("accesstoken", "refreshtoken", "authtoken", "bearertoken", "sessiontoken", "idtoken", "apitoken"),
        *("securitytoken", "bottoken", "oauthtoken", "csrftoken", "personalaccesstoken"),
    ),
    "credentials": ("credential", "credentials", "authorization", "setcookie", "connectionstring"),
    "card number": ("cardnumber", "creditcard", "creditcardnumber", "ccnumber", "cardno"),
    "card code": ("cvv", "cvc", "cvv2", "cvc2", "cardcode", "securitycode"),
    "one-time code": ("otp", "totp", "otpcode", "mfacode", "onetimecode", "onetimepassword", "recoverycode"),
    "social security number": ("ssn", "socialsecuritynumber"),
}
"""Endings of names, without what separates words."""
_WHOLE: Final = {"token": "token", "pin": "pin", "pincode": "pin", "cookie": "credentials", "pass": "password"}
"""Names that are one only when nothing stands before them: ``page_token`` is none."""
_SHORT: Final = 4
"""Characters up to which a word has to be a whole name, or to stand behind a separator."""


_LONGEST: Final = 200
"""Characters at the end of a name that are looked at: an agent chooses names, and may choose them long."""


@lru_cache(maxsize=4096)
def kind_of(name: str) -> str | None:
    """What kind of secret an argument of that name is; None: none."""
    folded = unicodedata.normalize("NFKC", name[-_LONGEST:])
    spaced = "".join(f"_{each}" if each.isupper() else each for each in folded).casefold()
    parts = [part for part in "".join(each if each.isalnum() else "_" for each in spaced).split("_") if part]
    joined = "".join(parts)
    if joined in _WHOLE:
        return _WHOLE[joined]
    ends = {"".join(parts[start:]) for start in range(len(parts))}
    for kind, words in _WORDS.items():
        for word in words:
            plain = joined.endswith((word, f"{word}s")) if len(word) > _SHORT else joined == word
            if plain or word in ends or f"{word}s" in ends:
                return kind
    return None
