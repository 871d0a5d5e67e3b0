"""Keys of brands: made, found, revoked."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from scrm.common.errors import FieldProblem, InvalidInput
from scrm.tenancy.models import ApiKey, Corp

AREAS = (
    "corp", "staff", "customers", "tags", "segments", "orders", "events", "live_codes", "groups",
    "materials", "campaigns", "sops", "handover", "risk", "privacy", "webhooks", "jobs", "metrics",
    "operations",
)  # fmt: skip
SCOPES = frozenset(
    [f"{area}:{right}" for area in AREAS for right in ("read", "write")]
    + ["customers:pii", "campaigns:send", "campaigns:approve", "handover:execute", "*"]
)
# `last_used_at` is for people who look for forgotten keys: to the minute is enough.
_USE_NOTED_EVERY = timedelta(minutes=1)


@transaction.atomic
def create_api_key(
    name: str,
    *,
    corp: Corp,
    scopes: Sequence[str],
    now: datetime,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Make a key and return it with its secret text, which is shown this once and kept hashed."""
    wanted = [scope.strip() for scope in scopes if scope.strip()]
    unknown = sorted(set(wanted) - SCOPES)
    if unknown:
        message = _("Unknown scopes: %(names)s. Scopes look like customers:read; * is all.") % {
            "names": ", ".join(unknown)
        }
        raise InvalidInput(message, errors=(FieldProblem("/scopes", "unknown", message),))
    text = f"sk_{secrets.token_urlsafe(32)}"
    key = ApiKey.objects.create(
        corp=corp,
        name=name,
        prefix=text[:8],
        digest=_digest(text),
        scopes=sorted(set(wanted)),
        created_at=now,
        expires_at=expires_at,
    )
    return key, text


def find_api_key(text: str, *, now: datetime) -> ApiKey | None:
    """The usable key with this text, its use noted; None when there is none."""
    key = ApiKey.objects.usable(now).select_related("corp").filter(digest=_digest(text)).first()
    if key and (key.last_used_at is None or now - key.last_used_at > _USE_NOTED_EVERY):
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    return key


def revoke_api_key(key: ApiKey, *, now: datetime) -> None:
    ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=now)


def _digest(text: str) -> str:
    # The text has 256 random bits: a plain hash cannot be searched, and a lookup must be exact.
    return hashlib.sha256(text.encode()).hexdigest()
