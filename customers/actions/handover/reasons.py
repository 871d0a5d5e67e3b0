"""Why an item cannot be handed over, or did not end well: words for rows, sentences for people."""

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

NOT_RESIGNED = "not_resigned"
HAS_LEFT = "has_left"
LEFT_TOO_LONG_AGO = "left_too_long_ago"
NOT_FOLLOWED = "not_followed"
NOT_OWNER = "not_owner"
IN_TRANSFER = "in_transfer"
IN_SERVICE_LIMIT = "in_service_limit"
NO_TAKER = "no_taker"
SAME_PERSON = "same_person"
TAKER_UNAVAILABLE = "taker_unavailable"
TAKER_WITHOUT_CONTACT = "taker_without_contact"
TAKER_FULL = "taker_full"
CUSTOMER_REFUSED = "customer_refused"
NO_RESULT = "no_result"
UNANSWERED = "unanswered"
REMOVED = "removed"
DAILY_LIMIT = "daily_limit"

SENTENCES: dict[str, "_StrPromise"] = {
    NOT_RESIGNED: _("She has not left yet: plan it as a handover in service."),
    HAS_LEFT: _("She has left meanwhile: plan it as a handover of somebody who left."),
    LEFT_TOO_LONG_AGO: _("She left more than a year ago: WeCom no longer hands over for her."),
    NOT_FOLLOWED: _("The customer is not her friend any more."),
    NOT_OWNER: _("She does not own this group any more."),
    IN_TRANSFER: _("It is on the way to a colleague already."),
    IN_SERVICE_LIMIT: _("WeCom allows two handovers in service within 90 days."),
    NO_TAKER: _("No colleague can take over: all are absent, leaving or without customer contact."),
    SAME_PERSON: _("She cannot take over from herself."),
    TAKER_UNAVAILABLE: _("The colleague is not active, or is leaving too."),
    TAKER_WITHOUT_CONTACT: _("The colleague may not talk to customers."),
    TAKER_FULL: _("The colleague has as many customers as WeCom allows."),
    CUSTOMER_REFUSED: _("The customer did not want the new colleague."),
    NO_RESULT: _("WeCom never told how it ended."),
    UNANSWERED: _("WeCom was asked again and again and did not take it up."),
    REMOVED: _("Taken out of the plan."),
    DAILY_LIMIT: _("WeCom moves 300 groups of one owner a day: the rest follows tomorrow."),
}


def sentence_of(reason: str) -> str:
    """The sentence for a reason's word; the platform's own sentences are their own."""
    return str(SENTENCES.get(reason, reason))
