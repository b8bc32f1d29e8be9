"""Finds and masks credentials in texts, so that none is ever written; shows values in errors without them."""

from __future__ import annotations

import json
import re

_NAMES = (
    "sig|signature|x-amz-signature|x-amz-security-token|x-goog-signature|access_token|token|password|secret"
    "|account_?key|sas_?token|shared_?access_?key"
)
#: ``?sig=...``, ``&password=...``, ``AccountKey=...;``, not the ``==`` of a filter.
_PARAMETER = re.compile(
    rf"(?:(?<![A-Za-z0-9_])|(?<=%26)|(?<=%3f))({_NAMES})(=(?!=)|%3d)[^&;\s'\"]+", re.IGNORECASE
)
#: ``https://user:password@host``; a lone name before ``@`` is the container of a wasbs or abfss URI.
_USER = re.compile(
    r"(\b[a-z][a-z0-9+.-]{0,30}://)([^/?#@\s:]*:[^/?#@\s]*|(?<=http://)[^/?#@\s]+|(?<=https://)[^/?#@\s]+)@",
    re.IGNORECASE,
)

MASK = "***"
_MOST_CHARACTERS = 60


def has_credential(text: str) -> bool:
    """Tell whether a text holds a signature, a key or a password."""
    return bool(_PARAMETER.search(text) or _USER.search(text))


def masked(text: str) -> str:
    """Return the text with every credential replaced by ``***``."""
    return _USER.sub(rf"\1{MASK}@", _PARAMETER.sub(rf"\1\2{MASK}", text))


def shown(value: object) -> str:
    """Return a value as an error shows it: short and without credentials."""
    if value is None:
        return "nothing"
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    if isinstance(value, str):
        text = masked(value)
        return repr(text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 3] + "...")
    return json.dumps(value)
