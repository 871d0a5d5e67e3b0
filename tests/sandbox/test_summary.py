from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api

ADD = "externalcontact/add_msg_template"


def test_counts_what_was_built(sandbox: SandboxServer) -> None:
    summary = sandbox.summary()

    assert summary["staff"] == 8
    assert summary["customers"] == 240
    assert summary["follows"] == sum(
        len(sandbox.world.customers_of(userid)) for userid in sandbox.world.members
    )
    assert summary["follows"] > 240
    assert summary["groups"] == 5


def test_a_customer_counts_as_long_as_one_friendship_lasts(sandbox: SandboxServer) -> None:
    world = sandbox.world
    shared = next(p for p in world.persons if len(world.followers_of(p)) == 2)
    first, second = [relation.userid for relation in world.followers_of(shared)]

    sandbox.people.customer_deletes(shared, first)
    assert sandbox.summary()["customers"] == 240
    sandbox.people.member_deletes(second, shared)
    assert sandbox.summary()["customers"] == 239


def test_follows_of_one_who_left_are_over(sandbox: SandboxServer, seller: str) -> None:
    before, own = sandbox.summary(), len(sandbox.world.customers_of(seller))

    sandbox.people.member_leaves(seller)

    after = sandbox.summary()
    assert after["staff"] == before["staff"] - 1
    assert after["follows"] == before["follows"] - own


def test_a_campaign_adds_up(
    api: Api, sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    world = sandbox.world
    body = {"text": {"content": "新品"}, "external_userid": ["wmx", *world.persons]}
    answer = api.ok(ADD, **body)
    sandbox.people.customer_deletes(buyers[0], seller)
    sandbox.people.use_up_quota(buyers[1])
    silent = next(userid for userid in world.messages[answer["msgid"]].tasks if userid != seller)
    sandbox.people.confirm_all(answer["msgid"], besides=[silent])

    campaign = sandbox.campaign([answer["msgid"]])

    tasks = world.messages[answer["msgid"]].tasks
    assert campaign["asked"] == 240
    assert campaign["failed"] == len(answer["fail_list"]) == len(world.persons) - 240 + 1
    assert campaign["unsent"] == len(tasks[silent].receipts)
    assert campaign["confirmed"] == 240 - campaign["unsent"]
    assert (campaign["not_friend"], campaign["quota"]) == (1, 1)
    assert campaign["delivered"] == campaign["confirmed"] - 2


def test_campaigns_leave_personal_messages_out(
    api: Api, sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    personal = sandbox.people.send_personally(seller, "个人群发", buyers[:3])
    api.ok(ADD, sender=seller, text={"content": "新品"}, external_userid=buyers[:2])

    assert sandbox.campaign()["asked"] == 2
    assert sandbox.campaign([personal])["delivered"] == 3
    assert sandbox.campaign([])["asked"] == 0


def test_entries_are_numbered_and_found_by_kind(
    sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    sandbox.people.talk(seller, buyers[0])
    sandbox.people.chat_create(seller, "新群")
    sandbox.people.talk(seller, buyers[1])

    assert [entry.number for entry in sandbox.entries()] == [1, 2, 3]
    assert [entry.number for entry in sandbox.entries("contact")] == [1, 3]
    assert [entry.number for entry in sandbox.entries("contact.talked", after=1)] == [3]
    assert sandbox.entries("cont") == []
