"""Channel rules: who comes through a channel gets tags and a stage, at once and only once.

Of the active rules that fit a channel, the one that says most about it decides alone: the exact
channel before a beginning (`shop-*`), the longer beginning before the shorter. A follow without a
channel fits no rule. Rules act on additions that are noted for the first time, whether an event
told of them or a sync found them late, and that are younger than the rule.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _

from customers.actions.follow_facts import Begun
from customers.actions.platform_tagging import ask_to_tag_follows
from customers.actions.stages import move_customers
from customers.actions.tag_changes import drop_rivals, share_current_tags
from customers.actions.tagging import tag_customers
from customers.models import (
    ChannelRule,
    Customer,
    CustomerQuerySet,
    CustomerTagSet,
    Follow,
    FollowQuerySet,
    Stage,
    Tag,
    TagKind,
    TimelineEntry,
)
from scrm.audit.actions.recording import SYSTEM, Actor, record
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.jobs.actions.running import Outcome, note_progress, register_job, start_job
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp

APPLYING = "channel-rules.apply"
NAME_LENGTH = STATE_LENGTH = 64
_FOLLOWS_A_STEP = 1000
_SAMPLE = 8
_CHANGES = ("customers", "tags", "asked", "moved")


@dataclass(frozen=True)
class Preview:
    """Who would change if the rule were applied to those already here."""

    customers: int
    to_tag: int
    to_ask: int
    to_move: int
    sample: list[str]


def read_channel_rules(states: Iterable[str], *, corp: Corp) -> list[ChannelRule]:
    """The active rules that any of these channels may need, the most telling first.

    Their tags are share-locked: call it before customers are locked, as `tag_customers` does.
    """
    named = {state for state in states if state}
    if not named:
        return []
    active = ChannelRule.objects.for_corp(corp).filter(is_active=True)
    rules = active.select_related("stage").prefetch_related("tags")
    fitting = [rule for rule in rules if any(_fits(rule.state, state) for state in named)]
    if given := {tag.pk for rule in fitting for tag in rule.tags.all()}:
        share_current_tags(given, corp=corp)
    return sorted(fitting, key=_weight, reverse=True)


def apply_channel_rules(
    begun: Sequence[Begun], *, rules: Sequence[ChannelRule], corp: Corp, now: datetime
) -> int:
    """Let the rules act on additions that have just been noted; return how many were meant."""
    meant: dict[int, list[Begun]] = defaultdict(list)
    for each in begun if rules else ():
        rule = next((rule for rule in rules if _fits(rule.state, each.state)), None)
        is_young = rule and rule.active_since and rule.active_since <= each.added_at
        if rule and is_young and each.plan_id is None:
            meant[rule.pk].append(each)
    for rule in rules:
        if found := meant.get(rule.pk):
            pairs = [(each.follow_id, each.customer_id) for each in found]
            _apply(rule, pairs, corp=corp, now=now)
    return sum(len(found) for found in meant.values())


@transaction.atomic
def save_channel_rule(  # noqa: PLR0913 (a rule, spelled out)
    rule: ChannelRule | None,
    *,
    name: str,
    state: str,
    tags: Sequence[Tag],
    stage: Stage | None,
    is_active: bool,
    corp: Corp,
    actor: Actor,
    now: datetime,
) -> ChannelRule:
    """Make a rule or change it; one that is switched on, or means others, acts from now on."""
    saved = rule or ChannelRule(corp=corp)
    was_on = bool(saved.pk) and saved.is_active and saved.state == state.strip()
    saved.name, saved.state, saved.stage, saved.is_active = (
        name.strip(), state.strip(), stage, is_active,
    )  # fmt: skip
    _check(saved, tags)
    if not is_active:
        saved.active_since = None
    elif not was_on or saved.active_since is None:
        saved.active_since = now
    verb = "changed" if saved.pk else "created"
    try:
        with transaction.atomic():
            saved.save()
    except IntegrityError:
        message = _("There is a rule for this channel already: change that one.")
        raise InvalidInput(message, errors=(FieldProblem("/state", "taken", message),)) from None
    saved.tags.set(tags)
    data = {
        "state": saved.state,
        "tags": [tag.pk for tag in tags],
        "stage": stage and stage.key,
        "is_active": is_active,
    }
    record(f"channel_rules.{verb}", actor=actor, corp=corp, subject=saved, now=now, data=data)
    return saved


@transaction.atomic
def delete_channel_rule(rule: ChannelRule, *, actor: Actor, now: datetime) -> None:
    """Delete a rule; what it gave stays given."""
    data = {"name": rule.name, "state": rule.state}
    record("channel_rules.deleted", actor=actor, corp=rule.corp, subject=rule, now=now, data=data)
    rule.delete()


def problem_of(rule: ChannelRule) -> str:
    """What keeps a saved rule from doing all it says; empty when nothing does."""
    gone = [tag.name for tag in rule.tags.all() if tag.deleted_at]
    if gone:
        return _("deleted, and left out: %(tags)s") % {"tags": ", ".join(gone)}
    if not rule.tags.all() and rule.stage_id is None:
        return _("the rule gives nothing")
    return ""


def preview_channel_rule(rule: ChannelRule) -> Preview:
    """Who is already here and would change; also for a rule that is not saved or switched off."""
    arrivals = _arrivals(rule)
    customers = Customer.objects.for_corp(rule.corp).filter(
        Exists(arrivals.filter(customer=OuterRef("pk")))
    )
    own, platform = _tags_to_give(rule)
    lacking = _lacking(customers, own)
    moving = customers.none() if rule.stage_id is None else _movable(customers, rule)
    asking = [arrivals.exclude(tag_assignments__tag=tag) for tag in platform]
    changing = customers.filter(
        Q(pk__in=lacking.values("pk"))
        | Q(pk__in=moving.values("pk"))
        | Q(pk__in=_any(asking).values("customer"))
    )
    return Preview(
        customers=customers.count(),
        to_tag=lacking.count(),
        to_ask=_any(asking).count(),
        to_move=moving.count(),
        sample=[str(each) for each in changing.order_by("-added_at", "-pk")[:_SAMPLE]],
    )


def start_applying(rule: ChannelRule, *, actor: Actor, now: datetime) -> Job:
    """Apply a rule to those who came through its channel before; done by a job, in steps."""
    record("channel_rules.applied", actor=actor, corp=rule.corp, subject=rule, now=now)
    return start_job(APPLYING, corp=rule.corp, now=now, subject_id=str(rule.pk))


def register_jobs() -> None:
    register_job(APPLYING, _apply_to_all)


def _apply_to_all(job: Job, clock: Callable[[], datetime]) -> Outcome:
    rule = ChannelRule.objects.for_corp(job.corp).filter(pk=job.subject_id).first()
    if rule is None:
        message = _("The rule has been deleted.")
        return Outcome({}, ({"message": message},))
    state: dict[str, int] = job.state or {"after": 0} | dict.fromkeys(_CHANGES, 0)
    total = job.total if job.total is not None else _arrivals(rule).count()
    while True:
        with transaction.atomic():
            ours, theirs = _tags_to_give(rule)
            share_current_tags((tag.pk for tag in [*ours, *theirs]), corp=job.corp)
            following = _arrivals(rule).filter(pk__gt=state["after"]).order_by("pk")
            pairs = list(following.values_list("pk", "customer_id")[:_FOLLOWS_A_STEP])
            if not pairs:
                break
            changes = _apply(rule, pairs, corp=job.corp, now=clock())
            state = {key: state[key] + changes[key] for key in _CHANGES} | {"after": pairs[-1][0]}
            note_progress(job, now=clock(), done=job.done + len(pairs), total=total, state=state)
    problem = problem_of(rule)
    report = {key: state[key] for key in _CHANGES}
    return Outcome(report, ({"message": problem},) if problem else ())


def _apply(
    rule: ChannelRule, pairs: Sequence[tuple[int, int]], *, corp: Corp, now: datetime
) -> dict[str, int]:
    """Give what the rule gives to these (follow, customer); return what changed."""
    own, platform = _tags_to_give(rule)
    customer_ids = sorted({customer_id for _, customer_id in pairs})
    source, why = TimelineEntry.Source.RULE, {"reason": "channel_rule", "rule": rule.pk}
    changes = dict.fromkeys(_CHANGES, 0) | {"customers": len(customer_ids)}
    if own:
        chosen = Customer.objects.for_corp(corp).filter(pk__in=customer_ids)
        tagged = tag_customers(
            chosen, corp=corp, actor=SYSTEM, now=now, add=own, source=source, why=why
        )
        changes["tags"] = tagged.added
    if platform:
        follow_ids = [follow_id for follow_id, _ in pairs]
        changes["asked"] = ask_to_tag_follows(
            follow_ids, corp=corp, add=platform, now=now, source=source, why=why
        )
    if rule.stage is not None:
        changes["moved"] = move_customers(
            customer_ids, rule.stage, corp=corp, now=now, source=source, why=why
        )
    return changes


def _tags_to_give(rule: ChannelRule) -> tuple[list[Tag], list[Tag]]:
    """Ours and the platform's, without deleted ones: those are told of by `problem_of`."""
    tags = [tag for tag in rule.tags.all() if tag.deleted_at is None] if rule.pk else []
    tags = drop_rivals(tags, corp=rule.corp)
    own = [tag for tag in tags if tag.kind != TagKind.WECOM]
    return own, [tag for tag in tags if tag.kind == TagKind.WECOM]


def _fits(pattern: str, state: str) -> bool:
    if pattern.endswith("*"):
        return bool(state) and state.startswith(pattern[:-1])
    return state == pattern


def _weight(rule: ChannelRule) -> tuple[bool, int]:
    """An exact channel says more than a beginning, a longer beginning more than a shorter."""
    return (not rule.state.endswith("*"), len(rule.state))


def _arrivals(rule: ChannelRule) -> FollowQuerySet:
    """The live follows for which this rule decides, were it active."""
    others = ChannelRule.objects.for_corp(rule.corp).filter(is_active=True).exclude(pk=rule.pk)
    stronger = [other for other in others if _weight(other) > _weight(rule)]
    follows = Follow.objects.for_corp(rule.corp).live().filter(_meant(rule.state))
    for other in stronger:
        if _fits(rule.state, other.state.removesuffix("*")):
            follows = follows.exclude(_meant(other.state))
    return follows


def _meant(pattern: str) -> Q:
    if pattern.endswith("*"):
        return Q(state__startswith=pattern[:-1]) & ~Q(state="")
    return Q(state=pattern)


def _lacking(customers: CustomerQuerySet, tags: Sequence[Tag]) -> CustomerQuerySet:
    if not tags:
        return customers.none()
    ids = sorted(tag.pk for tag in tags)
    carried = CustomerTagSet.objects.filter(customer=OuterRef("pk"), tag_ids__contains=ids)
    return customers.filter(~Exists(carried))


def _movable(customers: CustomerQuerySet, rule: ChannelRule) -> CustomerQuerySet:
    return customers.filter(Q(stage__isnull=True) | ~Q(stage=rule.stage))


def _any(follows: Sequence[FollowQuerySet]) -> FollowQuerySet:
    meant = Follow.objects.none()
    for each in follows:
        meant = meant | each
    return meant


def _check(rule: ChannelRule, tags: Sequence[Tag]) -> None:
    problems: list[FieldProblem] = []
    if not 0 < len(rule.name) <= NAME_LENGTH:
        message = _("A name has 1 to %(limit)s characters.") % {"limit": NAME_LENGTH}
        problems.append(FieldProblem("/name", "invalid", message))
    if not 0 < len(rule.state) <= STATE_LENGTH or "*" in rule.state[:-1]:
        message = _(
            "Give the channel, or its beginning followed by one *, in 1 to %(limit)s letters."
        )
        problems.append(FieldProblem("/state", "invalid", message % {"limit": STATE_LENGTH}))
    current = share_current_tags((tag.pk for tag in tags), corp=rule.corp)
    for index, tag in enumerate(tags):
        if tag.pk not in current:
            message = _("Tag %(id)s does not exist or has been deleted.") % {"id": tag.pk}
            problems.append(FieldProblem(f"/tags/{index}", "unknown_id", message))
    if not tags and rule.stage is None:
        message = _("Choose a tag or a stage: the rule would do nothing.")
        problems.append(FieldProblem("/tags", "empty", message))
    if problems:
        raise InvalidInput(
            " ".join(problem.message for problem in problems), errors=tuple(problems)
        )
