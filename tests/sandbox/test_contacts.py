from scrm.sandbox.records import Member, Relation
from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api

BATCH = "externalcontact/batch/get_by_user"


def test_lists_everyone_with_customer_contact(api: Api, sandbox: SandboxServer) -> None:
    followers = api.get("externalcontact/get_follow_user_list")["follow_user"]

    assert followers == [m.userid for m in sandbox.world.members.values() if m.customer_contact]
    assert len(followers) == 7


def test_answers_84061_for_a_member_without_customers(api: Api, sandbox: SandboxServer) -> None:
    sandbox.people.member_joins("newcomer", "新人")

    assert api.get("externalcontact/list", userid="newcomer")["errcode"] == 84061
    assert api.get("externalcontact/list", userid="nobody")["errcode"] == 60111
    assert api.get("externalcontact/list")["errcode"] == 40063


def test_shows_every_follower_of_a_customer(api: Api, sandbox: SandboxServer) -> None:
    world = sandbox.world
    shared = next(p for p in world.persons if len(world.followers_of(p)) == 3)

    answer = api.get("externalcontact/get", external_userid=shared)

    assert len({follow["userid"] for follow in answer["follow_user"]}) == 3
    assert answer["external_contact"]["external_userid"] == shared
    assert "next_cursor" not in answer


def test_pages_followers_beyond_500(api: Api, sandbox: SandboxServer, buyers: list[str]) -> None:
    world = sandbox.world
    for number in range(505):
        world.add_member(Member(f"extra{number}", "x", [1]))
        world.add_relation(Relation(f"extra{number}", buyers[0], world.next_number(), world.now()))

    first = api.get("externalcontact/get", external_userid=buyers[0])
    rest = api.get("externalcontact/get", external_userid=buyers[0], cursor=first["next_cursor"])

    assert len(first["follow_user"]) == 500
    assert len(rest["follow_user"]) == 6
    assert "next_cursor" not in rest


def test_refuses_unknown_and_unrelated_customers(api: Api, sandbox: SandboxServer) -> None:
    stranger = next(p for p in sandbox.world.persons if not sandbox.world.followers_of(p))

    assert api.get("externalcontact/get")["errcode"] == 41035
    assert api.get("externalcontact/get", external_userid="wmx")["errcode"] == 40096
    assert api.get("externalcontact/get", external_userid=stranger)["errcode"] == 84061


def test_walks_every_relation_exactly_once(api: Api, sandbox: SandboxServer) -> None:
    followers = api.get("externalcontact/get_follow_user_list")["follow_user"]

    pages = list(api.walk(BATCH, "external_contact_list", userid_list=followers, limit=100))

    pairs = [
        (row["follow_info"]["userid"], row["external_contact"]["external_userid"])
        for page in pages
        for row in page
    ]
    assert len(pairs) == len(set(pairs)) == sandbox.summary()["follows"]
    assert [len(page) for page in pages[:-1]] == [100] * (len(pages) - 1)


def test_gives_50_a_page_by_default_and_clamps_to_100(api: Api, sandbox: SandboxServer) -> None:
    followers = api.get("externalcontact/get_follow_user_list")["follow_user"]

    def page_length(**limit: int) -> int:
        return len(api.ok(BATCH, userid_list=followers, **limit)["external_contact_list"])

    assert page_length() == 50
    assert page_length(limit=100) == 100
    assert page_length(limit=101) == 100


def test_takes_at_most_100_members(api: Api, seller: str) -> None:
    assert api.post(BATCH, userid_list=[seller] * 101)["errcode"] == 40058
    assert api.post(BATCH, userid_list=[])["errcode"] == 40063
    assert api.post(BATCH, userid_list=[seller, "nobody"])["errcode"] == 60111


def test_names_tags_by_id_in_batches_and_in_full_in_details(
    api: Api, sandbox: SandboxServer, seller: str
) -> None:
    relation = next(r for r in sandbox.world.customers_of(seller) if len(r.tag_ids) > 2)

    rows = [
        r for page in api.walk(BATCH, "external_contact_list", userid_list=[seller]) for r in page
    ]
    details = api.get("externalcontact/get", external_userid=relation.external_userid)

    row = next(
        row
        for row in rows
        if row["external_contact"]["external_userid"] == relation.external_userid
    )
    follow = next(f for f in details["follow_user"] if f["userid"] == seller)
    assert set(row["follow_info"]["tag_id"]) == relation.tag_ids
    assert "tags" not in row["follow_info"]
    assert {tag["tag_id"] for tag in follow["tags"]} == relation.tag_ids
    assert {tag["type"] for tag in follow["tags"]} == {1}


def test_refuses_cursors_that_are_forged_old_or_of_other_filters(
    api: Api, sandbox: SandboxServer
) -> None:
    followers = api.get("externalcontact/get_follow_user_list")["follow_user"]
    cursor = api.ok(BATCH, userid_list=followers, limit=1)["next_cursor"]

    assert api.post(BATCH, userid_list=followers, cursor="forged")["errcode"] == 40058
    assert api.post(BATCH, userid_list=followers[:1], cursor=cursor)["errcode"] == 60268
    sandbox.clock.advance(4 * 3600 + 1)
    api.token = api.fetch_token()["access_token"]
    assert api.post(BATCH, userid_list=followers, cursor=cursor)["errcode"] == 50100


def test_a_walk_misses_nobody_when_a_customer_goes_meanwhile(
    api: Api, sandbox: SandboxServer, seller: str
) -> None:
    own = [relation.external_userid for relation in sandbox.world.customers_of(seller)]
    first = api.ok(BATCH, userid_list=[seller], limit=10)
    sandbox.people.member_deletes(seller, own[0])

    second = api.ok(BATCH, userid_list=[seller], limit=10, cursor=first["next_cursor"])

    seen = [row["external_contact"]["external_userid"] for row in second["external_contact_list"]]
    assert seen == own[10:20]


def test_hides_a_customer_the_member_deleted_but_not_one_who_deleted_him(
    api: Api, sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    sandbox.people.member_deletes(seller, buyers[0])
    sandbox.people.customer_deletes(buyers[1], seller)

    listed = api.get("externalcontact/list", userid=seller)["external_userid"]

    assert buyers[0] not in listed
    assert buyers[1] in listed
    assert api.get("externalcontact/get", external_userid=buyers[0])["errcode"] == 84061
    assert api.get("externalcontact/get", external_userid=buyers[1])["errcode"] == 0


def test_remarks_what_is_given_and_leaves_the_rest(
    api: Api, sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    pair = {"userid": seller, "external_userid": buyers[0]}
    api.ok("externalcontact/remark", **pair, remark="小王", remark_mobiles=["13800000000"])

    api.ok("externalcontact/remark", **pair, description="已到店", remark_mobiles=[""])

    relation = sandbox.world.find_relation(seller, buyers[0])
    assert relation is not None
    assert (relation.remark, relation.description) == ("小王", "已到店")
    assert relation.remark_mobiles == []
    assert sandbox.ledger.count("callback.emitted") == 0


def test_refuses_remarks_that_are_empty_or_too_long(
    api: Api, seller: str, buyers: list[str]
) -> None:
    pair = {"userid": seller, "external_userid": buyers[0]}

    assert api.post("externalcontact/remark", **pair)["errcode"] == 40058
    assert api.post("externalcontact/remark", **pair, remark="王" * 21)["errcode"] == 40058
    assert api.post("externalcontact/remark", **pair, remark="王" * 20)["errcode"] == 0
