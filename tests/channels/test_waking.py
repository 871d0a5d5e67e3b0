from collections.abc import Callable, Iterator

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from scrm.channels import tasks, waking
from scrm.channels.models import InboundEvent
from tests.channels.conftest import Post, contact_xml


class Wakes:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self, *_args: object, **_options: object) -> None:
        self.count += 1


@pytest.fixture(autouse=True)
def _never_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waking, "_next_at", 0.0)


@pytest.fixture
def wakes(monkeypatch: pytest.MonkeyPatch) -> Wakes:
    wakes = Wakes()
    monkeypatch.setattr(tasks.wake_inbox, "apply_async", wakes)
    return wakes


@pytest.fixture
def use_broker() -> Iterator[Callable[[str], None]]:
    """Send tasks to a broker instead of running them on the spot."""
    conf = tasks.wake_inbox.app.conf
    before = {name: conf[name] for name in ("task_always_eager", "broker_write_url")}

    def use(url: str) -> None:
        conf.update(task_always_eager=False, broker_write_url=url)

    yield use
    conf.update(before)


def test_wakes_a_worker_once_for_a_burst(
    post: Post,
    wakes: Wakes,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        for number in range(5):
            post(contact_xml("edit_external_contact", f"wm{number}"))

    assert wakes.count == 1


def test_wakes_nobody_for_what_needs_no_handling(
    post: Post,
    wakes: Wakes,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        post(contact_xml("change_of_the_future"))
        post("not xml")

    assert wakes.count == 0


def test_takes_events_in_although_the_broker_is_down(
    post: Post,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    caplog: pytest.LogCaptureFixture,
    use_broker: Callable[[str], None],
) -> None:
    use_broker("redis://127.0.0.1:9/0")

    with django_capture_on_commit_callbacks(execute=True):
        answers = [post(contact_xml("edit_external_contact", f"wm{n}")) for n in range(3)]

    assert {answer.status_code for answer in answers} == {200}
    assert InboundEvent.objects.count() == 3
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_sends_a_wake_up_through_the_broker(use_broker: Callable[[str], None]) -> None:
    use_broker("memory://")

    waking.wake_inbox_worker()

    with tasks.wake_inbox.app.connection_for_write() as connection:
        message = connection.SimpleQueue("callbacks").get(timeout=1)
    assert message.headers["task"] == "scrm.channels.tasks.wake_inbox"
