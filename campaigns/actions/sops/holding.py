"""Who holds what while SOPs are entered, carried out, edited and left.

Locks are taken in one order, so that nobody waits in a circle: the SOP, then step runs, then
enrolments. Entering and carrying out share the SOP (FOR SHARE); editing, pausing and resuming have
it to themselves. Whoever ends an enrolment locks its waiting runs first.
"""

from collections.abc import Iterable

from django.db import connection

from campaigns.models import Sop, StepRun
from scrm.common.models import CorpQuerySet


def share_active(sops: CorpQuerySet[Sop]) -> list[Sop]:
    """Those that are active, shared until the transaction ends; waits for an editor."""
    ids = list(sops.values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM campaigns_sop WHERE id = ANY(%s) AND status = 'active'"
            " ORDER BY id FOR SHARE",
            [ids],
        )
        held = [pk for (pk,) in cursor.fetchall()]
    return list(Sop.objects.filter(pk__in=held).select_related("corp").order_by("pk"))


def share_unless_edited(sop_ids: Iterable[int]) -> set[int]:
    """Share those that nobody is editing right now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM campaigns_sop WHERE id = ANY(%s) ORDER BY id FOR SHARE SKIP LOCKED",
            [sorted(sop_ids)],
        )
        return {pk for (pk,) in cursor.fetchall()}


def lock_to_edit(sop: Sop) -> Sop:
    locked = Sop.objects.select_for_update(of=["self"], no_key=True).select_related("corp")
    return locked.get(pk=sop.pk)


def lock_waiting_runs(enrolment_ids: Iterable[int], *, waits: bool = True) -> list[int]:
    """Lock what nobody has been asked for yet, waiting for the dispatcher or passing it by."""
    runs = StepRun.objects.untaken().filter(enrolment__in=list(enrolment_ids)).order_by("pk")
    locked = runs.select_for_update(of=["self"], no_key=True, skip_locked=not waits)
    return list(locked.values_list("pk", flat=True))
