from typing import Any

import pytest

from scrm.sandbox.formats import paint
from scrm.sandbox.generate import build_world
from scrm.sandbox.options import Options
from scrm.sandbox.people import ActRefused
from scrm.sandbox.remote import SandboxRemote
from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api

ADD = "externalcontact/add_moment_task"
RESULT = "externalcontact/get_moment_task_result"
CANCEL = "externalcontact/cancel_moment_task"
LIST = "externalcontact/get_moment_list"
TASKS = "externalcontact/get_moment_task"
AUDIENCE = "externalcontact/get_moment_customer_list"
SEERS = "externalcontact/get_moment_send_result"
REACTIONS = "externalcontact/get_moment_comments"
DAY = 24 * 3600
TEXT = {"content": "周末亲子课，欢迎来玩"}
FILM = b"\x00\x00\x00\x10ftypisom" + b"\x00" * 50


def result_of(api: Api, **body: Any) -> dict[str, Any]:
    """Ask for a moment and return what the job says."""
    jobid = api.ok(ADD, **({"text": TEXT} | body))["jobid"]
    answer = api.get(RESULT, jobid=jobid)
    assert (answer["errcode"], answer["status"], answer["type"]) == (0, 3, "add_moment_task")
    result: dict[str, Any] = answer["result"]
    return result


def ask(api: Api, **body: Any) -> str:
    return str(result_of(api, **body)["moment_id"])


def only(*userids: str, tags: list[str] | None = None) -> dict[str, Any]:
    visible: dict[str, Any] = {"sender_list": {"user_list": list(userids)}}
    return visible | ({"external_contact_list": {"tag_list": tags}} if tags else {})


def attach(api: Api, kind: str = "image", content: bytes = b"") -> str:
    query = {"media_type": kind, "attachment_type": "1"}
    answer = api.upload("media/upload_attachment", content or paint(9, 9), "a", **query)
    return str(answer["media_id"])


def show(kind: str, **body: str) -> dict[str, Any]:
    return {"msgtype": kind, kind: body}


def span(sandbox: SandboxServer) -> dict[str, int]:
    now = int(sandbox.clock.now())
    return {"start_time": now - DAY, "end_time": now + 1}


def test_without_a_range_asks_everybody_for_all_customers(
    api: Api, sandbox: SandboxServer, seller: str
) -> None:
    moment_id = ask(api)

    world = sandbox.world
    followers = {m.userid for m in world.present_members() if m.can_follow}
    tasks = api.ok(TASKS, moment_id=moment_id)["task_list"]
    assert {task["userid"] for task in tasks} == followers
    assert {task["publish_status"] for task in tasks} == {0}
    rows = api.ok(AUDIENCE, moment_id=moment_id, userid=seller)["customer_list"]
    own = [relation.external_userid for relation in world.customers_of(seller)]
    assert [row["external_userid"] for row in rows] == own
    (moment,) = api.ok(LIST, **span(sandbox))["moment_list"]
    assert moment["visible_type"] == 1
    assert "creator" not in moment


def test_asks_members_and_departments_for_customers_with_a_tag(
    api: Api, sandbox: SandboxServer, seller: str
) -> None:
    world = sandbox.world
    tag = max(
        world.tags.living_tags(),
        key=lambda t: sum(t.id in r.tag_ids for r in world.customers_of(seller)),
    )
    department = world.members[seller].departments[0]
    visible = {
        "sender_list": {"user_list": ["nobody"], "department_list": [department, 999]},
        "external_contact_list": {"tag_list": [tag.id, "etx"]},
    }

    result = result_of(api, visible_range=visible)

    assert result["invalid_sender_list"] == {"user_list": ["nobody"], "department_list": [999]}
    assert result["invalid_external_contact_list"] == {"tag_list": ["etx"]}
    moment = world.moments.moments[result["moment_id"]]
    assert seller in moment.tasks
    carrying = [r.external_userid for r in world.customers_of(seller) if tag.id in r.tag_ids]
    assert moment.tasks[seller].audience == carrying
    assert 0 < len(carrying) < len(world.customers_of(seller))
    (row,) = api.ok(LIST, **span(sandbox))["moment_list"]
    assert row["visible_type"] == 0


@pytest.mark.parametrize(
    "visible", [only("nobody"), {"external_contact_list": {"tag_list": ["x"]}}]
)
def test_a_range_with_nobody_in_it_makes_no_moment(
    api: Api, sandbox: SandboxServer, visible: dict[str, Any]
) -> None:
    result = result_of(api, visible_range=visible)

    assert result["errcode"] == 41089
    assert "moment_id" not in result
    assert sandbox.world.moments.moments == {}


def test_shows_pictures_a_film_or_a_link(api: Api, sandbox: SandboxServer) -> None:
    picture, film = attach(api), attach(api, "video", FILM)
    ask(api, attachments=[show("image", media_id=picture)] * 9)
    ask(api, text={}, attachments=[show("video", media_id=film)])
    link = {"title": "活动", "url": "https://e.example/a", "media_id": picture}
    ask(api, attachments=[show("link", **link)])
    sandbox.clock.advance(4 * DAY)
    api.token = api.fetch_token()["access_token"]

    now = int(sandbox.clock.now())
    rows = api.ok(LIST, start_time=now - 5 * DAY, end_time=now)["moment_list"]

    assert len(rows[0]["image"]) == 9
    assert rows[2]["link"] == {"title": "活动", "url": "https://e.example/a"}
    shown = [rows[0]["image"][0]["media_id"], *rows[1]["video"].values()]
    query = {"access_token": api.token}
    contents = [
        api.call("GET", "media/get", params=query | {"media_id": media_id}).content
        for media_id in shown
    ]
    assert contents[:2] == [paint(9, 9), FILM]
    assert contents[2].startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({"text": {}}, 41088),
        ({"text": {"content": "a" * 2000}}, 0),
        ({"text": {"content": "a" * 2001}}, 40058),
        ({"text": {"content": "长" * 1334}}, 40058),
        ({"attachments": [show("image", media_id="picture")] * 10}, 40058),
        ({"attachments": [show("link", url="https://e.example", media_id="picture")] * 2}, 40058),
        (
            {
                "attachments": [
                    show("image", media_id="picture"),
                    show("link", url="https://e.example", media_id="picture"),
                ]
            },
            40058,
        ),
        ({"attachments": [show("file", media_id="picture")]}, 40058),
        ({"attachments": ["image"]}, 40058),
        ({"attachments": [show("image")]}, 41006),
        ({"attachments": [show("link", media_id="picture")]}, 40063),
        ({"attachments": [show("link", title="长" * 43, url="u", media_id="picture")]}, 45002),
        ({"attachments": [show("image", media_id="unknown")]}, 40007),
        ({"attachments": [show("video", media_id="picture")]}, 40007),
        ({"attachments": [show("image", media_id="message")]}, 40007),
        ({"visible_range": only(*["nobody"] * 100_001)}, 40058),
        ({"visible_range": {"sender_list": []}}, 0),
        ({"visible_range": {"sender_list": ["x"]}}, 40058),
        ({"visible_range": {"sender_list": {"department_list": ["x"]}}}, 40058),
    ],
)
def test_checks_content_and_range(
    api: Api, sandbox: SandboxServer, body: dict[str, Any], errcode: int
) -> None:
    names = {"picture": attach(api), "message": api.upload_picture()}
    for attachment in body.get("attachments", []):
        for inner in attachment.values() if isinstance(attachment, dict) else []:
            if isinstance(inner, dict) and inner.get("media_id") in names:
                inner["media_id"] = names[inner["media_id"]]

    assert api.post(ADD, **({"text": TEXT} | body))["errcode"] == errcode
    assert len(sandbox.world.moments.jobs) == (not errcode)


def test_counts_characters_only_when_told_so(api: Api, sandbox: SandboxServer) -> None:
    sandbox.options.moment_text_bytes = 0

    assert api.post(ADD, text={"content": "长" * 2000})["errcode"] == 0
    assert api.post(ADD, text={"content": "长" * 2001})["errcode"] == 40058


def test_prepares_a_moment_for_a_while(api: Api, sandbox: SandboxServer, seller: str) -> None:
    sandbox.options.moment_job_seconds = 100
    jobid = api.ok(ADD, text=TEXT)["jobid"]
    (moment,) = sandbox.world.moments.moments.values()

    assert api.get(RESULT, jobid=jobid)["status"] == 1
    assert api.post(TASKS, moment_id=moment.moment_id)["errcode"] == 41079
    assert api.ok(LIST, **span(sandbox))["moment_list"] == []
    assert sandbox.people.publish_moment(moment.moment_id, seller) == 0
    sandbox.clock.advance(60)
    assert api.get(RESULT, jobid=jobid)["status"] == 2
    assert "result" not in api.get(RESULT, jobid=jobid)
    sandbox.clock.advance(60)
    assert api.get(RESULT, jobid=jobid)["result"]["moment_id"] == moment.moment_id
    assert len(api.ok(LIST, **span(sandbox))["moment_list"]) == 1
    sandbox.clock.advance(DAY)
    api.token = api.fetch_token()["access_token"]
    assert api.get(RESULT, jobid=jobid)["errcode"] == 40058


def test_limits_moments_a_minute_a_month_and_at_a_time(api: Api, sandbox: SandboxServer) -> None:
    codes = [api.post(ADD, text=TEXT)["errcode"] for _ in range(11)]
    assert codes == [0] * 10 + [45009]

    sandbox.clock.advance(61)
    options = sandbox.options
    assert options.moments_per_month == 100_000
    options.moments_per_month = 11
    assert [api.post(ADD, text=TEXT)["errcode"] for _ in range(2)] == [0, 41210]
    sandbox.clock.advance(31 * DAY)
    api.token = api.fetch_token()["access_token"]
    options.moment_jobs, options.moment_job_seconds = 1, 60
    assert [api.post(ADD, text=TEXT)["errcode"] for _ in range(2)] == [0, 41078]
    options.moments_enabled = False
    assert api.post(ADD, text=TEXT)["errcode"] == 41211


def test_friends_see_what_is_published(
    api: Api, sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    moment_id = ask(api, visible_range=only(seller))
    sandbox.people.customer_deletes(buyers[0], seller)
    named = {"moment_id": moment_id, "userid": seller}
    assert api.post(SEERS, **named)["errcode"] == 41062
    assert api.post(REACTIONS, **named)["errcode"] == 41062

    seen = sandbox.people.publish_moment(moment_id, seller)

    audience = api.ok(AUDIENCE, **named)["customer_list"]
    rows = api.ok(SEERS, **named)["customer_list"]
    assert (len(rows), len(audience)) == (seen, seen + 1)
    assert {"external_userid": buyers[0]} not in rows
    (task,) = api.ok(TASKS, moment_id=moment_id)["task_list"]
    assert task == {"userid": seller, "publish_status": 1}
    assert sandbox.people.publish_moment(moment_id, seller) == 0
    (entry,) = sandbox.entries("moment.published")
    assert (entry.data["audience"], entry.data["seen"]) == (seen + 1, seen)
    assert sandbox.moments()["seen"] == seen


def test_customers_like_and_comment_what_they_see(
    api: Api, sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    people = sandbox.people
    moment_id = ask(api, visible_range=only(seller))
    with pytest.raises(ActRefused, match="has not published"):
        people.customer_likes_moment(buyers[0], moment_id, seller)
    people.publish_moment(moment_id, seller)
    people.customer_likes_moment(buyers[0], moment_id, seller)
    people.customer_likes_moment(buyers[1], moment_id, seller)
    people.customer_likes_moment(buyers[1], moment_id, seller)
    people.customer_comments_moment(buyers[2], moment_id, seller)
    people.member_comments_moment(seller, moment_id)
    with pytest.raises(ActRefused, match="does not see"):
        people.customer_comments_moment("wmx", moment_id, seller)

    answer = api.ok(REACTIONS, moment_id=moment_id, userid=seller)

    assert [like["external_userid"] for like in answer["like_list"]] == [buyers[0]]
    first, second = answer["comment_list"]
    assert (first["external_userid"], second["userid"]) == (buyers[2], seller)
    assert first["create_time"] <= second["create_time"]
    counted = sandbox.moments()
    assert (counted["likes"], counted["comments"], counted["published"]) == (1, 2, 1)


def test_cancels_for_those_who_have_not_published(
    api: Api, sandbox: SandboxServer, seller: str
) -> None:
    moment_id = ask(api)
    seen = sandbox.people.publish_moment(moment_id, seller)

    assert api.post(CANCEL, moment_id=moment_id)["errcode"] == 0
    assert api.post(CANCEL, moment_id=moment_id)["errcode"] == 0

    assert sandbox.people.publish_moment_everywhere(moment_id) == 0
    assert sandbox.moments()["seen"] == seen
    assert sandbox.ledger.count("moment.cancelled") == 1


def test_everybody_but_some_publish(api: Api, sandbox: SandboxServer, seller: str) -> None:
    moment_id = ask(api)

    sandbox.people.publish_moment_everywhere(moment_id, besides=[seller])

    rows = api.ok(TASKS, moment_id=moment_id)["task_list"]
    assert [row["userid"] for row in rows if not row["publish_status"]] == [seller]


def test_lists_personal_moments_too(
    api: Api, sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    place = {"latitude": "31.2", "longitude": "121.5", "name": "门店"}
    own = sandbox.people.post_moment(seller, "今天开张", buyers[:3], location=place)
    ask(api)

    def listed(**filters: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = api.ok(LIST, **span(sandbox), **filters)["moment_list"]
        return rows

    (personal,) = listed(filter_type=1)
    assert (personal["moment_id"], personal["creator"]) == (own, seller)
    assert (personal["create_type"], personal["visible_type"]) == (1, 0)
    assert personal["location"] == place
    assert [row["create_type"] for row in listed(filter_type=0)] == [0]
    assert [len(listed()), len(listed(creator=seller))] == [2, 1]
    rows = api.ok(SEERS, moment_id=own, userid=seller)["customer_list"]
    assert [row["external_userid"] for row in rows] == buyers[:3]
    assert api.post(TASKS, moment_id=own)["errcode"] == 41067
    assert api.post(CANCEL, moment_id=own)["errcode"] == 41067
    assert sandbox.moments()["moments"] == 1


def test_deleted_moments_are_shown_no_more(api: Api, sandbox: SandboxServer, seller: str) -> None:
    own, asked = sandbox.people.post_moment(seller, "今天开张"), ask(api)
    sandbox.people.publish_moment(asked, seller)

    sandbox.people.delete_moment(own, seller)
    sandbox.people.delete_moment(asked, seller)

    rows = api.ok(LIST, **span(sandbox))["moment_list"]
    assert [row["moment_id"] for row in rows] == [asked]
    assert api.post(SEERS, moment_id=own, userid=seller)["errcode"] == 41060
    assert api.ok(SEERS, moment_id=asked, userid=seller)["customer_list"] == []


def test_pages(api: Api, sandbox: SandboxServer, seller: str) -> None:
    for number in range(23):
        sandbox.people.post_moment(seller, str(number))
    asked = ask(api)
    sandbox.people.publish_moment(asked, seller)
    named = {"moment_id": asked, "userid": seller}
    size = len(sandbox.world.customers_of(seller))
    followers = sum(member.can_follow for member in sandbox.world.present_members())

    assert [len(p) for p in api.walk(LIST, "moment_list", **span(sandbox), limit=99)] == [20, 4]
    for path, rows, body, total in (
        (AUDIENCE, "customer_list", named, size),
        (SEERS, "customer_list", named, size),
        (TASKS, "task_list", {"moment_id": asked}, followers),
    ):
        pages = list(api.walk(path, rows, limit=3, **body))
        assert max(len(page) for page in pages) == 3
        assert sum(len(page) for page in pages) == total
    cursor = api.ok(AUDIENCE, limit=3, **named)["next_cursor"]
    other = next(u for u in sandbox.world.moments.moments[asked].tasks if u != seller)
    answer = api.post(AUDIENCE, limit=3, cursor=cursor, moment_id=asked, userid=other)
    assert answer["errcode"] == 60268


@pytest.mark.parametrize(
    ("path", "body", "errcode"),
    [
        (TASKS, {}, 41059),
        (TASKS, {"moment_id": "momx"}, 41060),
        (CANCEL, {"moment_id": "momx"}, 41060),
        (AUDIENCE, {"moment_id": "real"}, 40063),
        (AUDIENCE, {"moment_id": "real", "userid": "nobody"}, 60111),
        (AUDIENCE, {"moment_id": "real", "userid": "other"}, 41061),
        (REACTIONS, {"moment_id": "real", "userid": "other"}, 41061),
        (LIST, {"start_time": 0, "end_time": 31 * DAY}, 40058),
        (LIST, {"start_time": 10, "end_time": 1}, 40058),
        (LIST, {"start_time": 0, "end_time": 30 * DAY, "filter_type": 3}, 40058),
        (LIST, {"end_time": 1}, 40063),
    ],
)
def test_refuses_what_the_platform_refuses(
    api: Api, sandbox: SandboxServer, seller: str, path: str, body: dict[str, Any], errcode: int
) -> None:
    moment_id = ask(api, visible_range=only(seller))
    other = next(u for u in sandbox.world.members if u != seller)
    names = {"real": moment_id, "other": other}
    named = {k: names.get(v, v) if isinstance(v, str) else v for k, v in body.items()}

    assert api.post(path, **named)["errcode"] == errcode


def test_a_day_shows_and_takes_so_many_when_told_so(
    api: Api, sandbox: SandboxServer, seller: str
) -> None:
    sandbox.options.moments_seen_a_day = 1
    sandbox.options.moments_published_a_day = 2
    size = len(sandbox.world.customers_of(seller))
    moments = [ask(api, visible_range=only(seller)) for _ in range(4)]

    seen = [sandbox.people.publish_moment(moment_id, seller) for moment_id in moments[:3]]
    with pytest.raises(ActRefused, match="enough today"):
        sandbox.people.post_moment(seller, "还有一条")
    sandbox.clock.advance(DAY)

    assert seen == [size, 0, 0]
    tasks = [sandbox.world.moments.moments[moment_id].tasks[seller] for moment_id in moments]
    assert [task.published_at is not None for task in tasks] == [True, True, False, False]
    assert sandbox.people.publish_moment(moments[3], seller) == size


def test_members_and_customers_act_by_themselves() -> None:
    def play() -> dict[str, int]:
        options = Options(behave=True, confirm_rate=0.6, moment_like_rate=0.3)
        world = build_world(5, staff=12, customers=120, groups=0, options=options)
        with SandboxServer(world) as sandbox:
            api = Api(sandbox)
            api.ok(ADD, text=TEXT)
            sandbox.clock.advance(2 * DAY)
            api.close()
            return sandbox.moments()

    first = play()

    assert 0 < first["published"] < first["asked"] == 11
    assert 0 < first["likes"] < first["seen"] < first["audience"]
    assert play() == first


def test_acts_from_outside(api: Api, sandbox: SandboxServer, seller: str) -> None:
    remote = SandboxRemote(sandbox.control_url)
    moment_id = ask(api)

    assert remote.people.publish_moment(moment_id, seller) > 0
    assert remote.people.publish_moment_everywhere(moment_id) > 0
    assert remote.people.post_moment(seller, "早安").startswith("mom")
    assert remote.moments() == sandbox.moments()
    remote.close()
