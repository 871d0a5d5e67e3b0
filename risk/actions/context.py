"""What was said before and after a message, and by whom."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from risk.actions.names import names_of
from risk.actions.reading import people_of
from risk.models import ArchivedMessage, Incident

# As many before and after as a reviewer needs to understand one sentence.
AROUND = 10


@dataclass(frozen=True)
class Line:
    """A message of the conversation; `speaker` is a name, or the id of who has none."""

    message: ArchivedMessage
    speaker: str
    is_subject: bool


def context_of(incident: Incident, *, around: int = AROUND) -> list[Line]:
    """The message with up to `around` on either side, oldest first; empty without a message."""
    subject = incident.message
    if subject is None:
        return []
    before = list(ArchivedMessage.objects.before(subject)[:around])
    after = list(ArchivedMessage.objects.after(subject)[:around])
    messages = [*reversed(before), subject, *after]
    speakers = _speakers_of(messages, incident)
    return [
        Line(message, speakers[message.sender], message.pk == subject.pk) for message in messages
    ]


def _speakers_of(messages: list[ArchivedMessage], incident: Incident) -> dict[str, str]:
    people = people_of(messages, corp=incident.corp)
    senders = {message.sender for message in messages}
    outsiders = {who for who in senders if people.is_outsider(who)}
    names = names_of("customer", outsiders, corp=incident.corp)

    def name_of(who: str) -> str:
        staff = people.find_staff(who)
        return (staff.name if staff else names.get(who, "")) or who or _("unknown")

    return {who: name_of(who) for who in senders}
