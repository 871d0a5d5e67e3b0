"""What SOPs are called in the admin: states, times, actions and reasons in words."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from campaigns.models import Enrolment, Sop, Step, StepRun
from customers.actions.segments import describe_rule
from customers.models import Stage, Tag
from groups.models import GroupChat, GroupTag
from scrm.common.badges import listed
from scrm.common.errors import DomainError
from scrm.tenancy.models import Corp, Staff

SOP_TONES = {"draft": "grey", "active": "green", "paused": "amber"}
ENROLMENT_TONES = {"active": "blue", "finished": "green", "exited": "grey", "cancelled": "grey"}
RUN_TONES = {
    "pending": "blue",
    "done": "green",
    "skipped": "grey",
    "missed": "amber",
    "failed": "red",
}
ICONS = {
    Step.Action.MESSAGE: "chat",
    Step.Action.TASK: "assignment_ind",
    Step.Action.TAG: "sell",
    Step.Action.UNTAG: "label_off",
    Step.Action.STAGE: "moving",
}
REASONS: dict[str, Any] = {
    **dict(StepRun.Reason.choices),
    "exit_rule": gettext_lazy("the exit rule applies"),
    "date_gone": gettext_lazy("the date was taken away"),
    "pregnancy_loss": gettext_lazy("she lost the pregnancy"),
}


def reason_words(reason: str) -> Any:
    return REASONS.get(reason, reason)


def time_words(step: Step) -> str:
    """When a step is due: «day 3, 10:00», «after 2 h 30 min»."""
    if step.at is not None:
        at = step.at.strftime("%H:%M")
        return _("day %(day)d, %(at)s") % {"day": step.offset_days, "at": at}
    minutes = step.offset_days * 1440 + step.offset_minutes
    if minutes == 0:
        return _("at once")
    lapse = _lapse(abs(minutes))
    return (
        _("%(lapse)s before") % {"lapse": lapse}
        if minutes < 0
        else _("after %(lapse)s") % {"lapse": lapse}
    )


def _lapse(minutes: int) -> str:
    days, rest = divmod(minutes, 1440)
    hours, left = divmod(rest, 60)
    parts = []
    if days:
        parts.append(ngettext("%(n)d day", "%(n)d days", days) % {"n": days})
    if hours:
        parts.append(_("%(n)d h") % {"n": hours})
    if left:
        parts.append(_("%(n)d min") % {"n": left})
    return " ".join(parts)


def trigger_words(sop: Sop) -> str:
    """What starts it, with the names of what it names."""
    trigger, corp = sop.trigger, sop.corp
    kind = Sop.Trigger(trigger["type"]).label
    details = [
        part
        for part in (
            trigger.get("state"),
            _names(Staff, corp, "userid", trigger.get("staff")),
            _attribute(trigger),
            _tag(trigger, corp),
            _names(GroupChat, corp, "chat_id", trigger.get("chat_ids")),
        )
        if part
    ]
    return f"{kind}: {listed(details)}" if details else str(kind)


def _attribute(trigger: Mapping[str, Any]) -> str:
    key = trigger.get("attribute")
    if not key:
        return ""
    return _("«%(key)s», every year") % {"key": key} if trigger.get("yearly") else f"«{key}»"


def _tag(trigger: Mapping[str, Any], corp: Corp) -> str:
    if "tag" not in trigger:
        return ""
    model: Any = GroupTag if trigger["type"] == Sop.Trigger.GROUP_JOINED else Tag
    tag = model.objects.for_corp(corp).filter(pk=trigger["tag"]).first()
    return f"«{tag}»" if tag else _("a tag that was deleted")


def _names(model: Any, corp: Corp, column: str, ids: list[str] | None) -> str:
    if not ids:
        return ""
    rows = model.objects.for_corp(corp).filter(**{f"{column}__in": ids[:20]})
    return listed(str(row) for row in rows)


def action_words(step: Step, *, names: "Names") -> str:
    """What a step does, in its own words: the text, or the tags by name."""
    action = step.action
    kind = action["kind"]
    if kind == Step.Action.MESSAGE:
        count = len(action.get("attachments") or [])
        extra = ngettext("%(n)d attachment", "%(n)d attachments", count) % {"n": count}
        return " ".join(part for part in (action.get("content", ""), f"[{extra}]" if count else "") if part)  # fmt: skip
    if kind == Step.Action.TASK:
        return str(action["text"])
    if kind == Step.Action.STAGE:
        return str(names.stages.get(action["stage"], action["stage"]))
    return listed(names.tags.get(each, f"#{each}") for each in action["tags"])


class Names:
    """Tags and stages by id, for all steps of a SOP: two statements."""

    def __init__(self, corp: Corp, steps: list[Step]) -> None:
        wanted = {each for step in steps for each in step.action.get("tags", [])}
        tags = Tag.objects.for_corp(corp).filter(pk__in=wanted)
        self.tags = dict(tags.values_list("pk", "name"))
        self.stages = dict(Stage.objects.for_corp(corp).values_list("key", "name"))


def rule_words(rule: Any, corp: Corp) -> str:
    if not rule:
        return ""
    try:
        return describe_rule(rule, corp=corp)
    except DomainError:
        return _("This rule has lost its meaning: something it names was deleted.")


def enrolment_title(enrolment: Enrolment) -> str:
    return f"{enrolment.customer} · {enrolment.sop}"
