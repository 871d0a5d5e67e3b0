"""The rules of moments: who publishes, whom it is for, and who is shown it."""

from collections.abc import Iterable
from typing import Any

from scrm.sandbox.dice import draw_text
from scrm.sandbox.formats import paint
from scrm.sandbox.media import Medium
from scrm.sandbox.moments import Moment, MomentTask
from scrm.sandbox.quota import start_of_day
from scrm.sandbox.records import Relation
from scrm.sandbox.world import World

STILL = (320, 180)


def find_senders(world: World, userids: Iterable[str], departments: Iterable[int]) -> list[str]:
    """Return who is named or belongs to a department, as far as he has customer contact."""
    chosen = set(departments)
    trees = {d.id for department in chosen for d in world.department_tree(department)}
    named = {member.userid for userid in userids if (member := world.find_member(userid))}
    return [
        member.userid
        for member in world.present_members()
        if member.can_follow
        and (member.userid in named or not trees.isdisjoint(member.departments))
    ]


def find_audience(world: World, userid: str, tag_ids: set[str]) -> list[str]:
    """Return a member's customers who carry any of the tags; all of them without tags."""
    return [
        relation.external_userid
        for relation in world.customers_of(userid)
        if not tag_ids or relation.tag_ids & tag_ids
    ]


def show(world: World, attachments: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what a moment shows, with lasting copies of the media."""
    shown: dict[str, Any] = {}
    for attachment in attachments:
        kind = attachment["msgtype"]
        body = attachment[kind]
        if kind == "image":
            shown.setdefault("image", []).append({"media_id": _copy(world, body["media_id"])})
        elif kind == "video":
            film = world.media.media.get(body["media_id"])
            still = Medium(_mint(world), "image", "still.png", paint(*STILL), world.clock.now())
            shown["video"] = {
                "media_id": _copy(world, body["media_id"]),
                "thumb_media_id": _keep(world, still) if film else body["media_id"],
            }
        else:
            shown["link"] = {"title": body.get("title", ""), "url": body["url"]}
    return shown


def add_moment(world: World, moment: Moment) -> Moment:
    world.moments.add(moment)
    world.ledger.append(
        "moment.asked" if not moment.is_personal else "moment.posted",
        moment_id=moment.moment_id,
        creator=moment.creator,
        tasks={userid: len(task.audience) for userid, task in moment.tasks.items()},
        is_public=moment.is_public,
    )
    for consider in world.on_moment:
        consider(moment)
    return moment


def may_publish(world: World, userid: str) -> bool:
    """Whether a member has not published all that a day allows."""
    log = world.moments.published_log.get(userid, [])
    return not _is_used_up(log, world.clock.now(), world.options.moments_published_a_day)


def publish(world: World, moment: Moment, task: MomentTask) -> int:
    """Publish one member's part; return how many see it, none when it could not be published."""
    now = world.clock.now()
    is_off = (
        moment.cancelled_at is not None
        or moment.ready_at > now
        or not world.members[task.userid].can_follow
    )
    if is_off or task.published_at is not None or not may_publish(world, task.userid):
        return 0
    world.moments.published_log.setdefault(task.userid, []).append(now)
    task.published_at = now
    task.seen_by = [other for other in task.audience if _is_shown(world, task, other, now)]
    for external_userid in task.seen_by:
        world.moments.seen_log.setdefault(external_userid, []).append(now)
    world.ledger.append(
        "moment.published",
        moment_id=moment.moment_id,
        userid=task.userid,
        audience=len(task.audience),
        seen=len(task.seen_by),
    )
    for consider in world.on_published:
        consider(moment, task)
    return len(task.seen_by)


def _is_shown(world: World, task: MomentTask, external_userid: str, now: float) -> bool:
    relation: Relation | None = world.find_relation(task.userid, external_userid)
    log = world.moments.seen_log.get(external_userid, [])
    is_friend = relation is not None and relation.is_friendship
    return is_friend and not _is_used_up(log, now, world.options.moments_seen_a_day)


def _is_used_up(log: list[float], now: float, limit: int) -> bool:
    midnight = start_of_day(now)
    return bool(limit) and sum(1 for at in log if midnight <= at <= now) >= limit


def _copy(world: World, media_id: str) -> str:
    """Return the id of a copy that stays; the id itself when nobody checks media."""
    medium = world.media.media.get(media_id)
    if medium is None:
        return media_id
    return _keep(
        world,
        Medium(_mint(world), medium.kind, medium.filename, medium.content, medium.created_at),
    )


def _keep(world: World, medium: Medium) -> str:
    medium.is_kept = True
    return world.media.add(medium, days=world.options.media_days).media_id


def _mint(world: World) -> str:
    return f"WWCISP_{draw_text(world.dice, 60)}"
