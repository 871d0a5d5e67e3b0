"""What the rules of risk say about the messages of a SOP."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from campaigns.actions.attaching import shown_attachments
from campaigns.actions.screening import BlockedByRisk, Found, Screened, screen_message
from campaigns.models import Step
from risk.actions.incidents import Occasion, raise_incident
from risk.actions.screening import VerdictWord
from risk.models import Incident, Severity
from scrm.tenancy.models import Corp


def screen_actions(actions: Iterable[Any], *, corp: Corp) -> Screened:
    """The worst of all messages, each hit at its place in the list of steps."""
    blocked, found = False, []
    for position, action in enumerate(actions):
        if action["kind"] != Step.Action.MESSAGE:
            continue
        attachments = shown_attachments(action.get("attachments") or [], corp=corp)
        screened = screen_message(action.get("content", ""), attachments, corp=corp)
        blocked = blocked or screened.is_blocked
        path = f"/steps/{position}/action"
        found += [Found(f"{path}{each.path}", each.hit) for each in screened.found]
    return Screened(VerdictWord.BLOCK if blocked else VerdictWord.PASS, tuple(found))


def stop_step(step: Step, attachments: Sequence[dict[str, Any]], *, now: datetime) -> bool:
    """Whether the message must not be sent now; then somebody is told, once for the same words."""
    content = step.action.get("content", "")
    screened = screen_message(content, attachments, corp=step.sop.corp)
    if screened.is_blocked:
        _raise_incident(screened, step.sop.corp, {"sop": step.sop_id, "sop_step": step.pk}, now)
    return screened.is_blocked


def tell_stopped(
    error: BlockedByRisk, *, corp: Corp, sop_id: int | None, now: datetime
) -> Incident:
    """Have somebody look at a SOP that was refused for its words.

    Called by the edges, behind the transaction that the refusal undid.
    """
    return _raise_incident(error.screened, corp, {"sop": sop_id}, now)


def _raise_incident(
    screened: Screened, corp: Corp, data: dict[str, Any], now: datetime
) -> Incident:
    said = "\n".join(f"{each.hit.rule}:{each.hit.text}" for each in screened.found)
    digest = hashlib.sha256(said.encode()).hexdigest()[:32]
    occasion = Occasion(
        kind=Incident.Kind.STOPPED_SEND,
        key=f"sop:{data.get('sop')}:{digest}",
        severity=Severity.HIGH,
        category=next((each.hit.category for each in screened.blocking), ""),
        happened_at=now,
        hits=[each.hit for each in screened.found],
        data={**data, "paths": [each.path for each in screened.found]},
    )
    return raise_incident(occasion, corp=corp, now=now)
