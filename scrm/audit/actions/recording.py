"""Recording who did what."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models

from scrm.audit.models import AuditEntry
from scrm.tenancy.models import ApiKey, Corp


@dataclass(frozen=True)
class Actor:
    """Who causes a change: an operator in the admin, a brand's API key, or the system itself."""

    kind: AuditEntry.ActorKind
    id: str
    name: str

    @classmethod
    def of_user(cls, user: AbstractBaseUser | AnonymousUser) -> "Actor":
        return cls(AuditEntry.ActorKind.USER, str(user.pk), user.get_username())

    @classmethod
    def of_key(cls, key: ApiKey) -> "Actor":
        return cls(AuditEntry.ActorKind.API_KEY, str(key.pk), key.name)

    @property
    def key(self) -> str:
        """One text that names the actor; what `own_submission` compares."""
        return f"{self.kind}:{self.id}"


SYSTEM = Actor(AuditEntry.ActorKind.SYSTEM, "", "system")


def record(
    action: str,
    *,
    actor: Actor,
    corp: Corp,
    subject: models.Model,
    now: datetime,
    data: dict[str, Any] | None = None,
) -> AuditEntry:
    """Append an entry; `action` is dotted and past tense ("campaigns.submitted").

    Call it inside the transaction of the act, so that neither exists without the other.
    """
    return AuditEntry.objects.create(
        corp=corp,
        at=now,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name,
        action=action,
        subject_type=subject._meta.label_lower,
        subject_id=str(subject.pk),
        data=data or {},
    )
