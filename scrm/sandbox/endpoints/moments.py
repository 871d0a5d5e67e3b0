"""Moments: asking members to publish, and what became of it."""

from typing import Any

from scrm.sandbox.call import Call, to_integer, to_texts
from scrm.sandbox.cursors import take_page
from scrm.sandbox.dice import draw_text
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.errors import Refused
from scrm.sandbox.media import Scene, check_medium
from scrm.sandbox.moments import Moment, MomentJob, MomentTask, Reaction
from scrm.sandbox.publishing import add_moment, find_audience, find_senders, show

TEXT_LENGTH = 2000
PICTURES = 9
TITLE_BYTES, URL_BYTES = 128, 2048
SENDERS = 100_000
DAY = 24 * 3600
MONTH = 30 * DAY
NOBODY = 41089
# kind → how many of it a moment shows
KINDS = {"image": PICTURES, "video": 1, "link": 1}
STARTED, RUNNING, DONE = 1, 2, 3


@endpoint("POST", "externalcontact/add_moment_task")
def add_task(call: Call) -> Answer:
    world, now = call.world, call.world.clock.now()
    if not world.options.moments_enabled:
        raise Refused(41211)
    text, attachments = _read_content(call)
    senders, departments, tags = _read_range(call)
    if world.moments.jobs_since(now - MONTH) >= world.options.moments_per_month:
        raise Refused(41210)
    if world.moments.open_jobs(now) >= world.options.moment_jobs:
        raise Refused(41078)
    job = MomentJob(
        f"jobid_{draw_text(world.dice, 43)}",
        now,
        now + world.options.moment_job_seconds,
        None,
        _find_strangers(call, senders),
        [number for number in departments if number not in world.departments],
        [tag_id for tag_id in tags if world.tags.find_tag(tag_id) is None],
    )
    world.moments.jobs[job.jobid] = job
    moment = _make(call, job, (senders, departments, tags), text)
    if moment is not None:
        moment.shown = show(world, attachments)
        job.moment_id = add_moment(world, moment).moment_id
    return {"jobid": job.jobid}


@endpoint("GET", "externalcontact/get_moment_task_result")
def read_result(call: Call) -> Answer:
    job = call.world.moments.jobs.get(call.text("jobid"))
    now = call.world.clock.now()
    if job is None or now - job.asked_at > DAY:
        raise Refused(40058, "jobid")
    answer: Answer = {"status": _status(job, now), "type": "add_moment_task"}
    if answer["status"] != DONE:
        return answer
    result: dict[str, Any] = {
        "errcode": 0,
        "errmsg": "ok",
        "invalid_sender_list": {
            "user_list": job.invalid_senders,
            "department_list": job.invalid_departments,
        },
        "invalid_external_contact_list": {"tag_list": job.invalid_tags},
    }
    if job.moment_id is None:
        result |= {"errcode": NOBODY, "errmsg": str(Refused(NOBODY))}
    else:
        result["moment_id"] = job.moment_id
    return answer | {"result": result}


@endpoint("POST", "externalcontact/cancel_moment_task")
def cancel(call: Call) -> Answer:
    """Stop whoever has not published; asked again, nothing changes."""
    moment = _find_of_corp(call)
    if moment.cancelled_at is None:
        moment.cancelled_at = call.world.clock.now()
        call.world.ledger.append("moment.cancelled", moment_id=moment.moment_id)
    return {}


@endpoint("POST", "externalcontact/get_moment_list")
def list_moments(call: Call) -> Answer:
    start, end = call.integer("start_time"), call.integer("end_time")
    kind, creator = call.integer("filter_type", 2), call.optional_text("creator")
    limit = call.page_size(default=20, maximum=20, clamp=False)
    if not 0 <= end - start <= MONTH or kind not in {0, 1, 2}:
        raise Refused(40058, "start_time, end_time or filter_type")
    now = call.world.clock.now()
    moments = [
        moment
        for moment in call.world.moments.moments.values()
        if start <= int(moment.created_at) <= end
        and moment.ready_at <= now
        and not moment.is_deleted
        and (kind == 2 or moment.is_personal == (kind == 1))
        and (not creator or moment.creator == creator)
    ]
    page, next_cursor = take_page(call, moments, limit, start, end, kind, creator)
    return {"next_cursor": next_cursor, "moment_list": [_describe(moment) for moment in page]}


@endpoint("POST", "externalcontact/get_moment_task")
def list_tasks(call: Call) -> Answer:
    moment = _find_of_corp(call)
    limit = call.page_size(default=500, maximum=1000, clamp=False)
    page, next_cursor = take_page(call, list(moment.tasks.values()), limit, moment.moment_id)
    rows = [
        {"userid": task.userid, "publish_status": int(task.published_at is not None)}
        for task in page
    ]
    return {"next_cursor": next_cursor, "task_list": rows}


@endpoint("POST", "externalcontact/get_moment_customer_list")
def list_audience(call: Call) -> Answer:
    moment, task = _find_task(call)
    limit = call.page_size(default=500, maximum=1000, clamp=False)
    filters = moment.moment_id, task.userid
    page, next_cursor = take_page(call, task.audience, limit, *filters)
    rows = [{"userid": task.userid, "external_userid": other} for other in page]
    return {"next_cursor": next_cursor, "customer_list": rows}


@endpoint("POST", "externalcontact/get_moment_send_result")
def list_seers(call: Call) -> Answer:
    moment, task = _find_published(call)
    limit = call.page_size(default=3000, maximum=5000, clamp=False)
    filters = moment.moment_id, task.userid
    page, next_cursor = take_page(call, task.seen_by, limit, *filters)
    rows = [{"external_userid": external_userid} for external_userid in page]
    return {"next_cursor": next_cursor, "customer_list": rows}


@endpoint("POST", "externalcontact/get_moment_comments")
def list_reactions(call: Call) -> Answer:
    _, task = _find_published(call)
    return {
        "comment_list": [_describe_reaction(comment) for comment in task.comments],
        "like_list": [_describe_reaction(like) for like in task.likes.values()],
    }


def _read_content(call: Call) -> tuple[str, list[dict[str, Any]]]:
    text = call.mapping("text").get("content") or ""
    attachments: Any = call.parameters.get("attachments") or []
    if not isinstance(text, str) or not isinstance(attachments, list):
        raise Refused(40058, "text or attachments")
    if not text and not attachments:
        raise Refused(41088)
    most = call.world.options.moment_text_bytes
    if len(text) > TEXT_LENGTH or (most and len(text.encode()) > most):
        raise Refused(40058, "invalid text size")
    kinds = {str(row.get("msgtype")) if isinstance(row, dict) else "" for row in attachments}
    if not kinds <= KINDS.keys() or len(kinds) > 1:
        raise Refused(40058, "invalid attachments msgtype")
    if any(len(attachments) > KINDS[kind] for kind in kinds):
        raise Refused(40058, "invalid attachments size")
    for attachment in attachments:
        _check_attachment(call, attachment)
    return text, attachments


def _check_attachment(call: Call, attachment: dict[str, Any]) -> None:
    kind = attachment["msgtype"]
    body = attachment.get(kind)
    if not isinstance(body, dict):
        raise Refused(40063, kind)
    media_id = body.get("media_id")
    if not media_id:
        raise Refused(41006, kind)
    if not isinstance(media_id, str):
        raise Refused(40058, "media_id")
    if kind == "link":
        _check_link(body)
    check_medium(call, media_id, "video" if kind == "video" else "image", scene=Scene.MOMENT)


def _check_link(link: dict[str, Any]) -> None:
    for name, longest in (("title", TITLE_BYTES), ("url", URL_BYTES)):
        value = link.get(name) or ""
        if not isinstance(value, str):
            raise Refused(40058, name)
        if len(value.encode()) > longest:
            raise Refused(45002, name)
    if not link.get("url"):
        raise Refused(40063, "url")


def _read_range(call: Call) -> tuple[list[str], list[int], list[str]]:
    visible = call.mapping("visible_range")
    senders, contacts = visible.get("sender_list") or {}, visible.get("external_contact_list") or {}
    if not isinstance(senders, dict) or not isinstance(contacts, dict):
        raise Refused(40058, "visible_range")
    departments = senders.get("department_list") or []
    if not isinstance(departments, list):
        raise Refused(40058, "department_list")
    return (
        to_texts(senders.get("user_list") or [], "user_list", SENDERS),
        [to_integer(number, "department_list") for number in departments],
        to_texts(contacts.get("tag_list") or [], "tag_list"),
    )


def _find_strangers(call: Call, userids: list[str]) -> list[str]:
    """Return who is no member, or one without customer contact."""
    found = [(userid, call.world.find_member(userid)) for userid in userids]
    return [userid for userid, member in found if member is None or not member.can_follow]


def _make(
    call: Call, job: MomentJob, visible: tuple[list[str], list[int], list[str]], text: str
) -> Moment | None:
    """Return a moment for everybody in range; None when nobody is, or no tag is left."""
    world = call.world
    senders, departments, tags = visible
    tag_ids = set(tags) - set(job.invalid_tags)
    chosen = senders or departments
    userids = (
        find_senders(world, senders, set(departments) - set(job.invalid_departments))
        if chosen
        else [member.userid for member in world.present_members() if member.can_follow]
    )
    # Without the tags that were meant, everybody would see what was for some.
    if not userids or (tags and not tag_ids):
        return None
    tasks = {u: MomentTask(u, find_audience(world, u, tag_ids)) for u in userids}
    return Moment(
        world.mint_id("mom"), job.asked_at, job.ready_at, text, {}, tasks, is_public=not tags
    )


def _status(job: MomentJob, now: float) -> int:
    if now >= job.ready_at:
        return DONE
    return STARTED if now < (job.asked_at + job.ready_at) / 2 else RUNNING


def _find(call: Call) -> Moment:
    moment = call.world.moments.moments.get(call.text("moment_id", missing=41059))
    if moment is None or moment.is_deleted:
        raise Refused(41060)
    if call.world.clock.now() < moment.ready_at:
        raise Refused(41079)
    return moment


def _find_of_corp(call: Call) -> Moment:
    moment = _find(call)
    if moment.is_personal:
        raise Refused(41067)
    return moment


def _find_task(call: Call) -> tuple[Moment, MomentTask]:
    moment, member = _find(call), call.former_member("userid")
    task = moment.tasks.get(member.userid)
    if task is None:
        raise Refused(41061, member.userid)
    return moment, task


def _find_published(call: Call) -> tuple[Moment, MomentTask]:
    moment, task = _find_task(call)
    if task.published_at is None:
        raise Refused(41062, task.userid)
    return moment, task


def _describe(moment: Moment) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "moment_id": moment.moment_id,
        "create_time": int(moment.created_at),
        "create_type": int(moment.is_personal),
        "visible_type": int(moment.is_public),
        "text": {"content": moment.text},
    }
    if moment.is_personal:
        fields["creator"] = moment.creator
    if moment.location is not None:
        fields["location"] = moment.location
    return fields | moment.shown


def _describe_reaction(reaction: Reaction) -> dict[str, Any]:
    name = "userid" if reaction.userid else "external_userid"
    return {
        name: reaction.userid or reaction.external_userid,
        "create_time": int(reaction.at),
    }
