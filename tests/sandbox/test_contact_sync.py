import pytest

from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api

LIST = "user/list_id"


@pytest.fixture
def sync_api(sandbox: SandboxServer, api: Api) -> Api:
    """The client with a token of the contact-sync secret."""
    secret = sandbox.credentials.contact_sync_secret
    api.token = api.fetch_token(corpsecret=secret)["access_token"]
    return api


def test_lists_each_member_once_per_department(sync_api: Api, sandbox: SandboxServer) -> None:
    userid = next(iter(sandbox.world.members))
    sandbox.people.member_moves(userid, [1, 2])
    expected = [
        {"userid": member.userid, "department": department}
        for member in sandbox.world.present_members()
        for department in member.departments
    ]

    pages = list(sync_api.walk(LIST, "dept_user", limit=2))

    assert [row for page in pages for row in page] == expected
    assert {len(page) for page in pages[:-1]} == {2}


def test_a_member_who_leaves_during_the_walk_moves_no_other(
    sync_api: Api, sandbox: SandboxServer
) -> None:
    userids = [member.userid for member in sandbox.world.present_members()]
    first = sync_api.ok(LIST, limit=1)
    sandbox.people.member_leaves(userids[0])

    rest = sync_api.ok(LIST, cursor=first["next_cursor"], limit=10_000)["dept_user"]

    assert list(dict.fromkeys(row["userid"] for row in rest)) == userids[1:]


@pytest.mark.parametrize("limit", [0, 10_001, -1, "x"])
def test_refuses_limits_outside_of_one_to_ten_thousand(sync_api: Api, limit: object) -> None:
    assert sync_api.post(LIST, limit=limit)["errcode"] == 40058


def test_opens_with_the_contact_sync_secret_only(
    api: Api, sandbox: SandboxServer, sync_api: Api
) -> None:
    assert api.get("department/list")["errcode"] == 48002
    assert api.get("getcallbackip")["errcode"] == 0
    api.token = api.fetch_token()["access_token"]

    assert api.post(LIST)["errcode"] == 48002
