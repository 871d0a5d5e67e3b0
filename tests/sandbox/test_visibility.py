"""What the console withholds from an app, and what is too much at once."""

import pytest

from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api

LIST, MARK = "department/list", "externalcontact/mark_tag"


@pytest.mark.parametrize("errcode", [50003, 301007])
def test_a_disabled_app_and_a_banned_corp_are_told_so_everywhere(
    api: Api, sandbox: SandboxServer, errcode: int
) -> None:
    sandbox.options.closed_errcode = errcode

    assert api.fetch_token()["errcode"] == errcode
    assert api.get(LIST)["errcode"] == errcode
    sandbox.options.closed_errcode = 0
    assert api.get(LIST)["errcode"] == 0


def test_withholds_the_endpoints_that_were_not_granted(api: Api, sandbox: SandboxServer) -> None:
    sandbox.options.withheld_paths = ["externalcontact/"]

    assert api.get("externalcontact/get_follow_user_list")["errcode"] == 48002
    assert api.get(LIST)["errcode"] == 0


def test_an_app_sees_the_members_in_its_range_and_their_customers_only(
    api: Api, sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    other = next(m.userid for m in sandbox.world.present_members() if m.userid != seller)
    home = sandbox.world.members[other].departments[0]
    sandbox.options.visible_members = [other]

    assert api.get("externalcontact/get_follow_user_list")["follow_user"] in ([other], [])
    shown = api.get("user/list", department_id=home)["userlist"]
    assert [row["userid"] for row in shown] == [other]
    assert api.get("user/get", userid=seller)["errcode"] == 60011
    assert api.get("externalcontact/list", userid=seller)["errcode"] == 60011
    assert api.get("externalcontact/get", external_userid=buyers[0])["errcode"] == 84061


def test_a_customer_carries_so_many_tags_where_the_sandbox_is_told_so(
    api: Api, sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    relation = sandbox.world.find_relation(seller, buyers[0])
    assert relation
    relation.tag_ids.clear()
    sandbox.options.tags_per_relation = 1
    tags = [tag.id for tag in sandbox.world.tags.living_tags()][:2]
    pair = {"userid": seller, "external_userid": buyers[0]}

    assert api.post(MARK, **pair, add_tag=tags)["errcode"] == 40144
    assert relation.tag_ids == set()
    api.ok(MARK, **pair, add_tag=tags[:1])
    assert api.post(MARK, **pair, add_tag=tags[1:])["errcode"] == 40144
    api.ok(MARK, **pair, add_tag=tags[1:], remove_tag=tags[:1])
    assert relation.tag_ids == {tags[1]}


def test_a_list_of_too_many_members_is_not_answered(api: Api, sandbox: SandboxServer) -> None:
    department = sandbox.world.present_members()[-1].departments[0]
    many = len(api.get("user/list", department_id=department)["userlist"])
    assert many
    sandbox.options.members_per_list = many
    assert api.get("user/list", department_id=department)["errcode"] == 0

    sandbox.people.member_joins("onemore", "One More", [department])

    assert api.get("user/list", department_id=department)["errcode"] == 45029


def test_a_body_may_be_so_long(api: Api, sandbox: SandboxServer) -> None:
    sandbox.options.body_bytes = 100

    assert api.post("externalcontact/groupchat/list", limit=1)["errcode"] == 0
    answer = api.post("externalcontact/groupchat/list", limit=1, more="x" * 100)

    assert answer["errcode"] == 40206


def test_members_show_private_facts_to_apps_of_old(
    api: Api, sandbox: SandboxServer, seller: str
) -> None:
    assert "mobile" not in api.get("user/get", userid=seller)
    sandbox.options.shows_private_staff = True

    shown = api.get("user/get", userid=seller)

    told = sandbox.world.oauth.describe_privately(seller, consents=True)
    assert {name: shown[name] for name in told} == told
    assert shown["thumb_avatar"] == told["avatar"]
