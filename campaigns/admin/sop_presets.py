"""SOPs to start from: what operators of a maternity brand do anyway, ready to be edited."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

Definition = dict[str, Any]
_QUIET = {"start": "21:00", "end": "09:00"}


@dataclass(frozen=True)
class Preset:
    key: str
    name: Any
    note: Any
    make: Callable[[], Definition]


def preset_of(key: str) -> Preset | None:
    return next((preset for preset in PRESETS if preset.key == key), None)


def _new_friend() -> Definition:
    return _definition(
        {"type": "customer_added"},
        _message(0, _("Hello, nice to meet you! I am here whenever you have a question."), after=5),
        _message(1, _("How old is your little one now? Then I send you only what fits."), "10:00"),
        _message(3, _("Three things other mothers ask most in the first week: …"), "10:00"),
        _task(5, _("Look at her profile: stage and due date known? If not, ask once, kindly."), "14:00"),
        _message(7, _("One week together: anything I can find out for you?"), "10:00"),
    )  # fmt: skip


def _pregnancy() -> Definition:
    """Days are counted from the due date: week N of 40 is (N − 40) × 7 days."""
    return _definition(
        {"type": "attribute_date", "attribute": "due_date"},
        _message(-224, _("Week 8: the checklist for the first visit."), "10:00"),
        _message(-196, _("Week 12: the NT scan is due soon."), "10:00"),
        _message(-168, _("Week 16: what to eat now; an expert answers live this week."), "10:00"),
        _message(-112, _("Week 24: the glucose test, and how to prepare for it."), "10:00"),
        _message(-84, _("Week 28: the bag for the hospital, a list to tick off."), "10:00"),
        _message(-28, _("Week 36: how the newborn travels home."), "10:00"),
        _message(-14, _("Week 38: when to go to the hospital."), "10:00"),
        _task(1, _("Ask whether the baby is there; congratulate only when she says so."), "10:00"),
        _message(14, _("Two weeks old: feeding and nappies."), "10:00"),
        _message(122, _("Four months: is it time for the first spoon?"), "10:00"),
        _message(183, _("Six months: the first weeks of solid food."), "10:00"),
        _message(365, _("One year! What changes in the second one."), "10:00"),
        _message(730, _("Two years: words, walks and naps."), "10:00"),
        _message(1096, _("Three years: ready for kindergarten?"), "10:00"),
    )


def _birthday() -> Definition:
    return _definition(
        {"type": "attribute_date", "attribute": "birthday", "yearly": True},
        _task(-3, _("Her birthday is in three days: prepare a few words of your own."), "10:00"),
        _message(0, _("Happy birthday!"), "09:30"),
    )


def _blank() -> Definition:
    return _definition({"type": "manual"})


PRESETS: tuple[Preset, ...] = (
    Preset(
        "new_friend",
        gettext_lazy("New friend, 7 days"),
        gettext_lazy("From the moment she is added: a welcome, three useful messages, one task."),
        _new_friend,
    ),
    Preset(
        "pregnancy",
        gettext_lazy("Pregnancy to three years"),
        gettext_lazy("Counted from the due date among her attributes, from week 8 on."),
        _pregnancy,
    ),
    Preset(
        "birthday",
        gettext_lazy("Birthday"),
        gettext_lazy("Every year: a task three days before, a message on the day."),
        _birthday,
    ),
    Preset("blank", gettext_lazy("Blank"), gettext_lazy("Begin with one empty step."), _blank),
)


def _definition(trigger: dict[str, Any], *steps: dict[str, Any]) -> Definition:
    return {
        "trigger": trigger,
        "steps": list(steps) or [_message(0, "", "10:00")],
        "exit": None,
        "quiet_hours": _QUIET,
        "late_policy": "skip",
        "grace_minutes": 60,
    }


def _message(days: int, text: str, at: str | None = None, *, after: int = 0) -> dict[str, Any]:
    return _step(days, at, after, {"kind": "message", "content": text, "attachments": []})


def _task(days: int, text: str, at: str | None = None) -> dict[str, Any]:
    return _step(days, at, 0, {"kind": "task", "text": text})


def _step(days: int, at: str | None, minutes: int, action: dict[str, Any]) -> dict[str, Any]:
    return {
        "offset": {"days": days, "minutes": minutes},
        "at": at,
        "action": action,
        "condition": None,
    }
