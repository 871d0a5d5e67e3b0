"""Settings of a connected corp that the platform has no say in."""

from datetime import datetime
from typing import Any

from django.db import transaction

from scrm.audit.actions.recording import Actor, record
from scrm.tenancy.models import Corp

CHANGEABLE = ("name", "time_zone", "quota_mode", "approval_threshold")


@transaction.atomic
def change_corp_settings(
    corp: Corp, *, changes: dict[str, Any], actor: Actor, now: datetime
) -> Corp:
    """Write the given ones of `CHANGEABLE`, and what they were before into the audit log."""
    kept = Corp.objects.select_for_update().get(pk=corp.pk)
    before = {name: getattr(kept, name) for name in CHANGEABLE if name in changes}
    changed = {name: value for name, value in changes.items() if before[name] != value}
    if not changed:
        return kept
    for name, value in changed.items():
        setattr(kept, name, value)
    kept.save(update_fields=list(changed))
    data = {
        name: {"before": str(before[name]), "after": str(value)} for name, value in changed.items()
    }
    record("corps.changed", actor=actor, corp=kept, subject=kept, now=now, data=data)
    return kept
