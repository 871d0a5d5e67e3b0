"""What people write down about a customer."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from customers.actions.timeline import by_whom, source_of
from customers.models import Customer, TimelineEntry
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import FieldProblem, InvalidInput

MAX_NOTE = 2000


@transaction.atomic
def add_note(customer: Customer, *, text: str, actor: Actor, now: datetime) -> TimelineEntry:
    """Write a note onto the timeline; raises InvalidInput for an empty or an endless one."""
    bare = text.replace("\0", "").strip()
    if not 0 < len(bare) <= MAX_NOTE:
        message = _("A note has 1 to %(limit)d characters.") % {"limit": MAX_NOTE}
        raise InvalidInput(message, errors=(FieldProblem("/text", "invalid", message),))
    note = TimelineEntry.objects.create(
        corp=customer.corp,
        customer=customer,
        type=TimelineEntry.Type.NOTE,
        at=now,
        source=source_of(actor),
        data={"text": bare} | by_whom(actor),
        recorded_at=now,
    )
    record("customers.note_added", actor=actor, corp=customer.corp, subject=customer, now=now)
    return note
