import pytest

from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api

LIST = "externalcontact/get_corp_tag_list"
ADD = "externalcontact/add_corp_tag"
EDIT = "externalcontact/edit_corp_tag"
DELETE = "externalcontact/del_corp_tag"
MARK = "externalcontact/mark_tag"


def test_lists_all_living_tags_without_the_deleted_flag(api: Api, sandbox: SandboxServer) -> None:
    groups = api.ok(LIST)["tag_group"]

    assert sum(len(group["tag"]) for group in groups) == sandbox.summary()["tags"] == 33
    assert groups[0]["group_name"] == "孕育阶段"
    assert "deleted" not in groups[0]


def test_shows_deleted_tags_only_when_asked_by_id(api: Api) -> None:
    made = api.ok(ADD, group_name="活动", tag=[{"name": "甲"}, {"name": "乙"}])["tag_group"]
    gone = made["tag"][0]["id"]
    api.ok(DELETE, tag_id=[gone])

    (by_group,) = api.ok(LIST, group_id=[made["group_id"]], tag_id=["ignored"])["tag_group"]
    (by_tag,) = api.ok(LIST, tag_id=[gone])["tag_group"]

    assert [tag["deleted"] for tag in by_group["tag"]] == [True, False]
    assert [tag["id"] for tag in by_tag["tag"]] == [gone]
    assert api.post(LIST, tag_id=["etx"])["errcode"] == 40068


def test_adds_into_an_existing_group_and_answers_the_created_tags(api: Api) -> None:
    first = api.ok(ADD, group_name="活动", tag=[{"name": "甲"}])["tag_group"]

    second = api.ok(ADD, group_name="活动", tag=[{"name": "乙", "order": 5}, {"name": "乙"}])

    assert second["tag_group"]["group_id"] == first["group_id"]
    assert [tag["name"] for tag in second["tag_group"]["tag"]] == ["乙"]


def test_refuses_taken_bad_and_missing_names(api: Api) -> None:
    group_id = api.ok(ADD, group_name="活动", tag=[{"name": "甲"}])["tag_group"]["group_id"]

    assert api.post(ADD, group_id=group_id, tag=[{"name": "甲"}])["errcode"] == 40071
    assert api.post(ADD, group_id=group_id, tag=[{"name": ""}])["errcode"] == 40072
    assert api.post(ADD, group_id=group_id, tag=[{"name": "长" * 31}])["errcode"] == 40072
    assert api.post(ADD, group_id="etx", tag=[{"name": "丙"}])["errcode"] == 40068
    assert api.post(ADD, tag=[{"name": "丙"}])["errcode"] == 40063
    assert api.post(ADD, group_id=group_id, tag=[])["errcode"] == 40063


def test_a_refused_call_leaves_no_group_behind(api: Api, sandbox: SandboxServer) -> None:
    before = sandbox.summary()["tags"]
    sandbox.options.corp_tag_limit = before + 1

    assert (
        api.post(ADD, group_name="活动", tag=[{"name": "甲"}, {"name": "乙"}])["errcode"] == 40126
    )
    assert sandbox.world.tags.find_group_named("活动") is None
    assert sandbox.summary()["tags"] == before


def test_edits_own_tags_only(api: Api, sandbox: SandboxServer) -> None:
    own = api.ok(ADD, group_name="活动", tag=[{"name": "甲"}, {"name": "乙"}])["tag_group"]["tag"]
    foreign = sandbox.people.tag_create_in_console("后台", "丙")

    api.ok(EDIT, id=own[0]["id"], name="丁", order=9)

    tag = sandbox.world.tags.tags[own[0]["id"]]
    assert (tag.name, tag.order) == ("丁", 9)
    assert api.post(EDIT, id=own[1]["id"], name="丁")["errcode"] == 40071
    assert api.post(EDIT, id=foreign, name="戊")["errcode"] == 81011
    assert api.post(DELETE, tag_id=[foreign])["errcode"] == 81011
    assert api.post(EDIT, id=own[1]["id"], order=2**32)["errcode"] == 40058


def test_deleting_the_last_tag_deletes_the_group(api: Api, sandbox: SandboxServer) -> None:
    made = api.ok(ADD, group_name="活动", tag=[{"name": "甲"}])["tag_group"]

    api.ok(DELETE, tag_id=[made["tag"][0]["id"]])

    assert sandbox.world.tags.find_group(made["group_id"]) is None
    assert api.post(DELETE)["errcode"] == 40063


def test_marks_and_unmarks_a_customer(
    api: Api, sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    first, second = [tag.id for tag in sandbox.world.tags.living_tags()][:2]
    pair = {"userid": seller, "external_userid": buyers[0]}
    api.ok(MARK, **pair, add_tag=[first])

    api.ok(MARK, **pair, add_tag=[second], remove_tag=[first])

    relation = sandbox.world.find_relation(seller, buyers[0])
    assert relation is not None
    assert second in relation.tag_ids
    assert first not in relation.tag_ids


@pytest.mark.parametrize(
    ("tags", "errcode"),
    [
        ({}, 40063),
        ({"add_tag": ["etx"]}, 40068),
        ({"add_tag": ["etx"] * 1001}, 41111),
    ],
)
def test_refuses_to_mark_with_bad_tags(
    api: Api, seller: str, buyers: list[str], tags: dict[str, list[str]], errcode: int
) -> None:
    pair = {"userid": seller, "external_userid": buyers[0]}

    assert api.post(MARK, **pair, **tags)["errcode"] == errcode


def test_a_deleted_tag_is_on_no_customer_any_more(
    api: Api, sandbox: SandboxServer, seller: str
) -> None:
    relation = next(r for r in sandbox.world.customers_of(seller) if r.tag_ids)
    gone = min(relation.tag_ids)

    sandbox.people.tag_delete_in_console(gone)

    answer = api.get("externalcontact/get", external_userid=relation.external_userid)
    assert gone not in str(answer)
