"""Staff deleting customers: an incident each, because the brand loses them without a trace."""

from datetime import datetime

from django.db.models.functions import Lower

from risk.actions.incidents import Occasion, raise_incident
from risk.models import Incident, Severity
from scrm.tenancy.models import Corp, Staff


def note_deleted_customer(
    userid: str, external_userid: str, *, corp: Corp, happened_at: datetime, now: datetime
) -> Incident:
    """Raise it once for each deletion, however often the platform tells of it."""
    staff = Staff.objects.for_corp(corp).annotate(lower=Lower("userid"))
    occasion = Occasion(
        Incident.Kind.DELETION,
        f"deletion:{userid.lower()}:{external_userid}:{int(happened_at.timestamp())}"[:160],
        Severity.MEDIUM,
        happened_at,
        staff=staff.filter(lower=userid.lower()).first(),
        external_userid=external_userid[:64],
        data={"userid": userid},
    )
    return raise_incident(occasion, corp=corp, now=now)
