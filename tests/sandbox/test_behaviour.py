from scrm.sandbox.generate import build_world
from scrm.sandbox.options import Options
from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api

ADD = "externalcontact/add_msg_template"
DAY = 24 * 3600


def confirmations(options: Options, *, remind: bool = False) -> list[str]:
    """Return who confirmed a message to everybody within a day."""
    world = build_world(5, staff=12, customers=120, groups=0, options=options)
    with SandboxServer(world) as sandbox:
        api = Api(sandbox)
        msgid = api.ok(ADD, text={"content": "新品"}, external_userid=list(world.persons))["msgid"]
        sandbox.clock.advance(DAY)
        if remind:
            api.token = api.fetch_token()["access_token"]
            api.ok("externalcontact/remind_groupmsg_send", msgid=msgid)
            sandbox.clock.advance(DAY)
        api.close()
        assert len(world.messages[msgid].tasks) == 11
        return [entry.data["userid"] for entry in sandbox.entries("message.confirmed")]


def test_nobody_acts_by_himself_unless_told() -> None:
    assert confirmations(Options()) == []


def test_some_confirm_and_some_never_do_the_same_way_each_time() -> None:
    options = Options(behave=True, confirm_rate=0.5)

    first = confirmations(options)

    assert 0 < len(first) < 11
    assert confirmations(options) == first


def test_a_reminder_makes_some_think_again() -> None:
    options = Options(behave=True, confirm_rate=0.5)

    assert set(confirmations(options)) < set(confirmations(options, remind=True))


def test_confirms_as_real_time_passes(sandbox: SandboxServer, api: Api, seller: str) -> None:
    sandbox.options.behave = True
    sandbox.options.confirm_rate = 1
    sandbox.options.confirm_delay_seconds = 0.01
    msgid = api.ok(ADD, sender=seller, text={"content": "新品"})["msgid"]

    for _ in range(300):
        if sandbox.campaign([msgid])["confirmed"]:
            return
        sandbox.faults.delay("department/list", 0.01)
        api.get("department/list")
    raise AssertionError("nobody confirmed within 3 s")
