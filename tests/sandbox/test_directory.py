from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api


def test_lists_the_tree_from_its_root(api: Api, sandbox: SandboxServer) -> None:
    departments = api.get("department/list")["department"]

    assert departments[0]["id"] == 1
    assert departments[0]["parentid"] == 0
    assert len(departments) == len(sandbox.world.departments)


def test_lists_a_branch_recursively(api: Api) -> None:
    branch = api.get("department/list", id=2)["department"]
    brief = api.get("department/simplelist", id=2)["department_id"]

    assert branch[0]["id"] == 2
    assert {d["parentid"] for d in branch[1:]} == {2}
    assert [d["id"] for d in brief] == [d["id"] for d in branch]


def test_refuses_an_unknown_department(api: Api) -> None:
    assert api.get("department/list", id=999)["errcode"] == 60123
    assert api.get("department/get", id=999)["errcode"] == 60123
    assert api.get("user/list", department_id=999)["errcode"] == 60123
    assert api.get("user/list", department_id="x")["errcode"] == 40058
    assert api.get("user/list")["errcode"] == 40063


def test_lists_direct_members_only_and_everyone_once(api: Api, sandbox: SandboxServer) -> None:
    found = [
        user["userid"]
        for department in api.get("department/list")["department"]
        for user in api.get("user/list", department_id=department["id"])["userlist"]
    ]

    assert sorted(found) == sorted(sandbox.world.members)


def test_finds_a_member_in_any_letter_case(api: Api, seller: str) -> None:
    member = api.get("user/get", userid=seller.upper())

    assert member["userid"] == seller
    assert member["status"] == 1
    assert "mobile" not in member


def test_forgets_a_member_who_left(api: Api, sandbox: SandboxServer, seller: str) -> None:
    sandbox.people.member_leaves(seller)

    assert api.get("user/get", userid=seller)["errcode"] == 60111
    assert seller not in api.get("externalcontact/get_follow_user_list")["follow_user"]
    assert api.get("externalcontact/list", userid=seller)["errcode"] == 60111
