import time

from scrm.sandbox.generate import build_world
from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api, Receiver


def test_delivers_in_order_and_counts(
    sandbox: SandboxServer, receiver: Receiver, seller: str
) -> None:
    added = [sandbox.people.add_customer(seller) for _ in range(20)]

    assert sandbox.callbacks.drain()

    assert [event["ExternalUserID"] for event in receiver.events] == added
    assert sandbox.summary()["callbacks"] == {"emitted": 20, "delivered": 20, "attempts": 20}
    envelope = receiver.envelopes[0]
    assert envelope["ToUserName"] == sandbox.credentials.corp_id
    assert envelope["AgentID"] == str(sandbox.credentials.agent_id)


def test_retries_three_times_with_fresh_nonces_and_the_same_text(
    sandbox: SandboxServer, receiver: Receiver, seller: str
) -> None:
    receiver.statuses = [500, 403, 500]
    sandbox.people.add_customer(seller)

    assert sandbox.callbacks.drain()

    assert len(receiver.events) == 1
    assert len(set(receiver.nonces)) == 4
    attempts = sandbox.entries("callback.attempt")
    assert [entry.data["status"] for entry in attempts] == [500, 403, 500, 200]
    assert [entry.data["attempt"] for entry in attempts] == [1, 2, 3, 4]


def test_gives_up_after_three_retries_and_goes_on(
    sandbox: SandboxServer, receiver: Receiver, seller: str
) -> None:
    receiver.statuses = [500] * 4
    sandbox.people.add_customer(seller)
    second = sandbox.people.add_customer(seller)

    assert sandbox.callbacks.drain()

    assert [event["ExternalUserID"] for event in receiver.events] == [second]
    assert sandbox.ledger.count("callback.given_up") == 1
    assert sandbox.summary()["callbacks"] == {"emitted": 2, "delivered": 1, "attempts": 5}


def test_retries_when_the_receiver_is_too_slow(
    sandbox: SandboxServer, receiver: Receiver, seller: str
) -> None:
    sandbox.options.callback_timeout = 0.05
    sandbox.options.callback_retries = 1
    receiver.pause_seconds = 0.2
    sandbox.people.add_customer(seller)

    assert sandbox.callbacks.drain()

    errors = [entry.data["error"] for entry in sandbox.entries("callback.attempt")]
    assert errors == ["ReadTimeout", "ReadTimeout"]


def test_spaces_retries(sandbox: SandboxServer, receiver: Receiver, seller: str) -> None:
    sandbox.options.callback_retry_spacing = 0.1
    receiver.statuses = [500, 500]
    started = time.monotonic()
    sandbox.people.add_customer(seller)

    assert sandbox.callbacks.drain()

    assert time.monotonic() - started >= 0.2


def test_emits_nothing_without_a_receiver(sandbox: SandboxServer, seller: str) -> None:
    sandbox.people.add_customer(seller)

    assert sandbox.callbacks.drain()
    assert sandbox.summary()["callbacks"] == {"emitted": 0, "delivered": 0, "attempts": 0}


def test_drops_duplicates_and_reorders_on_demand(
    sandbox: SandboxServer, receiver: Receiver, seller: str
) -> None:
    sandbox.callbacks.drop_next()
    sandbox.people.add_customer(seller)
    sandbox.callbacks.duplicate_next()
    twice = sandbox.people.add_customer(seller)
    sandbox.callbacks.reorder_next(2)
    first, second = (sandbox.people.add_customer(seller) for _ in range(2))

    assert sandbox.callbacks.drain()

    told = [event["ExternalUserID"] for event in receiver.events]
    assert told == [twice, twice, second, first]
    assert sandbox.ledger.count("callback.dropped") == 1


def test_draining_releases_what_waits_to_be_reordered(
    sandbox: SandboxServer, receiver: Receiver, seller: str
) -> None:
    sandbox.callbacks.reorder_next(3)
    first, second = (sandbox.people.add_customer(seller) for _ in range(2))

    assert sandbox.callbacks.drain()

    assert [event["ExternalUserID"] for event in receiver.events] == [second, first]


def test_draining_says_when_time_runs_out(
    sandbox: SandboxServer, receiver: Receiver, seller: str
) -> None:
    receiver.pause_seconds = 0.3
    sandbox.people.add_customer(seller)

    assert not sandbox.callbacks.drain(timeout=0.05)
    assert sandbox.callbacks.drain()


def test_verifies_a_receiver_that_answers_exactly(
    sandbox: SandboxServer, receiver: Receiver
) -> None:
    assert sandbox.callbacks.verify() == {"ok": True, "reason": ""}


def test_fails_a_receiver_that_adds_a_newline_or_is_slow(
    sandbox: SandboxServer, receiver: Receiver
) -> None:
    receiver.echo_suffix = b"\n"
    assert sandbox.callbacks.verify()["reason"] == "the body is not the decrypted echostr"

    receiver.echo_suffix = b""
    receiver.pause_seconds = 0.3
    sandbox.options.verify_timeout = 0.1
    assert sandbox.callbacks.verify() == {"ok": False, "reason": "no answer: ReadTimeout"}


def test_fails_a_receiver_that_is_not_there(sandbox: SandboxServer) -> None:
    assert sandbox.callbacks.verify()["ok"] is False
    sandbox.callbacks.configure("http://127.0.0.1:9/callback")
    assert sandbox.callbacks.verify()["reason"] == "no answer: ConnectionError"


def test_an_in_process_receiver_may_call_the_api_at_once() -> None:
    world = build_world(7, staff=4, customers=10, groups=0)
    receiver = Receiver(world.credentials)
    names: list[str] = []
    with SandboxServer(world) as sandbox:
        api = Api(sandbox)

        def receive(query: dict[str, str], body: bytes) -> int:
            status = receiver.take(query, body)
            external_userid = receiver.events[-1]["ExternalUserID"]
            answer = api.get("externalcontact/get", external_userid=external_userid)
            names.append(answer["external_contact"]["name"])
            return status

        sandbox.callbacks.configure(receive)
        seller = next(m.userid for m in world.members.values() if m.can_follow)
        sandbox.people.add_customer(seller, {"name": "小满妈"})
        api.close()
    receiver.discard()

    assert names == ["小满妈"]
