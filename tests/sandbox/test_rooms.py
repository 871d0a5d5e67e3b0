import pytest

from scrm.sandbox.people import ActRefused
from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api

ROOM, ROBOT = "msgaudit/groupchat/get", "msgaudit/get_robot_info"


@pytest.fixture
def archive_api(sandbox: SandboxServer, api: Api) -> Api:
    """The client with a token of the archive."""
    secret = sandbox.credentials.archive_secret
    api.token = api.fetch_token(corpsecret=secret)["access_token"]
    return api


@pytest.fixture
def colleagues(sandbox: SandboxServer) -> list[str]:
    return [member.userid for member in sandbox.world.present_members()][:3]


def test_shows_a_room_of_colleagues(
    sandbox: SandboxServer, archive_api: Api, colleagues: list[str]
) -> None:
    room = sandbox.people.room_opens(colleagues[0], colleagues[1:], "店长群", notice="九点例会")

    answer = archive_api.ok(ROOM, roomid=room)

    assert (answer["roomname"], answer["creator"]) == ("店长群", colleagues[0])
    assert answer["notice"] == "九点例会"
    assert [row["memberid"] for row in answer["members"]] == colleagues
    assert {row["jointime"] for row in answer["members"]} == {answer["room_create_time"]}


def test_groups_with_customers_are_no_rooms(sandbox: SandboxServer, archive_api: Api) -> None:
    chat_id = next(iter(sandbox.world.chats))

    assert archive_api.post(ROOM, roomid=chat_id)["errcode"] == 301059
    assert archive_api.post(ROOM, roomid="wrx")["errcode"] == 40050
    assert archive_api.post(ROOM)["errcode"] == 40063


def test_colleagues_and_robots_are_archived_without_outsiders(
    sandbox: SandboxServer, colleagues: list[str]
) -> None:
    first, second, third = colleagues
    room = sandbox.people.room_opens(first, [second])
    robot = sandbox.people.robot_enters(first, room, "日报机器人")

    sandbox.people.staff_says(first, text="开会", room=room)
    sandbox.people.robot_says(robot, room, "昨日新增 12")
    sandbox.people.staff_says(first, third, "私下说")

    said, told, private = (message.plain for message in sandbox.world.archive.messages)
    assert (said["tolist"], said["roomid"]) == ([second, robot], room)
    assert (told["from"], told["tolist"]) == (robot, [first, second])
    assert (private["tolist"], private["roomid"]) == ([third], "")
    assert not any(row["msgid"].endswith("_external") for row in (said, told, private))
    with pytest.raises(ActRefused, match="is not in"):
        sandbox.people.staff_says(third, text="我呢", room=room)
    with pytest.raises(ActRefused, match="no robot"):
        sandbox.people.robot_says("wbx", room, "?")


def test_says_whose_robot_it_is(
    sandbox: SandboxServer, archive_api: Api, colleagues: list[str]
) -> None:
    room = sandbox.people.room_opens(colleagues[0], [])
    robot = sandbox.people.robot_enters(colleagues[0], room, "日报机器人")

    answer = archive_api.get(ROBOT, robot_id=robot)

    assert robot.startswith("wb")
    assert answer["data"] == {
        "robot_id": robot,
        "name": "日报机器人",
        "creator_userid": colleagues[0],
    }
    assert archive_api.get(ROBOT, robot_id="wbx")["errcode"] == 301061
    assert archive_api.get(ROBOT)["errcode"] == 40063


def test_robots_are_asked_for_six_hundred_times_a_minute(
    sandbox: SandboxServer, archive_api: Api
) -> None:
    sandbox.options.calls_per_minute_by_path[ROBOT] //= 300

    codes = [archive_api.get(ROBOT, robot_id="wbx")["errcode"] for _ in range(3)]

    assert codes == [301061, 301061, 45009]
