from scrm.sandbox.remote import SandboxRemote
from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Receiver


def told(receiver: Receiver) -> list[str]:
    return [event["ExternalUserID"] for event in receiver.events]


def test_a_late_event_is_overtaken(sandbox: SandboxServer, receiver: Receiver, seller: str) -> None:
    sandbox.callbacks.delay_next(300)
    late, next_one = (sandbox.people.add_customer(seller) for _ in range(2))
    assert sandbox.callbacks.drain()
    assert told(receiver) == [next_one]

    sandbox.clock.advance(301)
    assert sandbox.callbacks.drain()

    assert told(receiver) == [next_one, late]
    first, second = (int(event["CreateTime"]) for event in receiver.events)
    assert second <= first


def test_an_event_may_lack_an_element(
    sandbox: SandboxServer, receiver: Receiver, seller: str
) -> None:
    sandbox.callbacks.strip_next("State")
    for _ in range(2):
        sandbox.people.add_customer(seller, state="store_1")

    assert sandbox.callbacks.drain()

    assert [event.get("State") for event in receiver.events] == [None, "store_1"]


def test_a_good_answer_may_get_lost(
    sandbox: SandboxServer, receiver: Receiver, seller: str
) -> None:
    sandbox.callbacks.repeat_next(2)
    customer = sandbox.people.add_customer(seller)

    assert sandbox.callbacks.drain()

    assert told(receiver) == [customer] * 3
    assert len({event["CreateTime"] for event in receiver.events}) == 1
    assert len(set(receiver.nonces)) == 3


def test_events_wait_for_the_end_of_an_outage(
    sandbox: SandboxServer, receiver: Receiver, seller: str
) -> None:
    sandbox.callbacks.begin_outage()
    added = [sandbox.people.add_customer(seller) for _ in range(3)]
    assert sandbox.callbacks.drain()
    assert receiver.events == []
    assert sandbox.callbacks.in_force() == {"outage": 1}

    assert sandbox.callbacks.end_outage() == 3
    assert sandbox.callbacks.drain()

    assert told(receiver) == added
    assert sandbox.callbacks.in_force() == {}


def test_or_are_never_told(sandbox: SandboxServer, receiver: Receiver, seller: str) -> None:
    sandbox.callbacks.begin_outage(lose=True)
    sandbox.people.add_customer(seller)
    sandbox.callbacks.end_outage()
    after = sandbox.people.add_customer(seller)

    assert sandbox.callbacks.drain()

    assert told(receiver) == [after]
    assert sandbox.ledger.count("callback.dropped") == 1


def test_only_lost_connections_are_tried_again_by_the_other_page(
    sandbox: SandboxServer, receiver: Receiver, seller: str
) -> None:
    sandbox.options.callback_retry_statuses = False
    receiver.statuses = [500]
    sandbox.people.add_customer(seller)
    assert sandbox.callbacks.drain()
    assert sandbox.ledger.count("callback.given_up") == 1

    sandbox.options.callback_timeout = 0.05
    receiver.pause_seconds = 0.2
    sandbox.people.add_customer(seller)
    assert sandbox.callbacks.drain()

    assert sandbox.ledger.count("callback.attempt") == 1 + 4


def test_troubles_are_ordered_from_outside(
    sandbox: SandboxServer, receiver: Receiver, seller: str
) -> None:
    remote = SandboxRemote(sandbox.control_url)
    remote.callbacks.delay_next(60, count=2)
    remote.callbacks.strip_next("State")
    remote.callbacks.repeat_next()
    remote.callbacks.begin_outage()
    assert remote.callbacks.in_force() == {"delay": 2, "strip": 1, "repeat": 1, "outage": 1}
    sandbox.people.add_customer(seller)

    assert remote.callbacks.end_outage() == 1
    assert remote.callbacks.drain()

    assert len(receiver.events) == 2
    remote.close()
