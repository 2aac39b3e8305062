"""Whether a message was signed by who knows the integration's secret. Pure.

GitHub signs the body (``X-Hub-Signature-256``); GitLab sends the secret (``X-Gitlab-Token``). The
secret is the integration's ``secret``, else the key that opens its door, which is as good as any
other random text that only the two of us know. With a ``secret`` a message must be signed; without
one a signature is checked when there is one.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from watchkeeper.spec.duty import IntegrationType


def rightly(
    kind: IntegrationType, secret: str, key: str, headers: Mapping[str, str], body: bytes
) -> bool:
    """True when the message may be believed. ``secret``: '' when the integration has none."""
    if kind is IntegrationType.GITHUB:
        said = headers.get("x-hub-signature-256", "")
        mac = hmac.new((secret or key).encode(), body, hashlib.sha256).hexdigest()
        return _same(said, f"sha256={mac}") if said or secret else True
    if kind is IntegrationType.GITLAB:
        said = headers.get("x-gitlab-token", "")
        return _same(said, secret or key) if said or secret else True
    return True


def _same(said: str, right: str) -> bool:
    return hmac.compare_digest(said.encode(), right.encode())
