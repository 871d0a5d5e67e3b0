from datetime import timedelta
from threading import Thread

import pytest
from django.db import connection
from pytest_django import Settings

from scrm.channels.base import Channel
from scrm.channels.errors import AnswerLost, BackOff, ChannelError, Misconfigured, Unreachable
from scrm.channels.models import AccessToken
from scrm.channels.opening import open_channel
from scrm.channels.wecom.tokens import Grant, SharedTokens
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp
from tests.channels.processes import finish, start_python
from tests.factories import NOW, connect_to, make_corp

TAGS = "externalcontact/get_corp_tag_list"


def test_fetches_one_token_for_many_calls(channel: Channel, sandbox: SandboxServer) -> None:
    channel.tags.groups()
    channel.contacts.staff_with_customer_contact()
    channel.directory.departments()

    assert sandbox.calls()["gettoken"] == 1


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
def test_fetches_one_token_for_many_threads(sandbox: SandboxServer) -> None:
    corp = connect_to(sandbox)

    def ask() -> None:
        open_channel(corp).tags.groups()
        connection.close()

    for tokens in (1, 2):
        threads = [Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sandbox.calls() == {"gettoken": tokens, TAGS: 8 * tokens}
        AccessToken.objects.update(expires_at=NOW - timedelta(days=1))


@pytest.mark.concurrency
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_fetches_one_token_for_many_cold_processes(sandbox: SandboxServer) -> None:
    corp = connect_to(sandbox)
    code = """
from scrm.channels.opening import open_channel
corp = Corp.objects.get()
print(len(open_channel(corp).tags.groups()))
"""
    processes = [start_python(code) for _ in range(8)]

    outputs = [finish(process) for process in processes]

    assert {int(output) for output in outputs} == {len(open_channel(corp).tags.groups())}
    assert sandbox.calls()["gettoken"] == 1


def test_keeps_an_expiry_for_each_secret(corp: Corp) -> None:
    fetched: list[str] = []

    def fetch(name: str) -> Grant:
        fetched.append(name)
        return Grant(f"token of {name}", 7200)

    # Both begin with the same ten characters, which is all that wechatpy looks at.
    app, contact = (SharedTokens(corp, f"0123456789-{name}") for name in ("app", "contact"))
    app.renew(lambda: fetch("app"))
    AccessToken.objects.update(expires_at=NOW - timedelta(days=1))
    contact.renew(lambda: fetch("contact"))

    assert (app.current(), contact.current()) == ("", "token of contact")
    assert fetched == ["app", "contact"]


@pytest.mark.parametrize("fault", ["expire_tokens", "void_tokens"])
def test_replays_once_when_the_platform_ends_a_token_early(
    channel: Channel, sandbox: SandboxServer, fault: str
) -> None:
    channel.tags.groups()
    getattr(sandbox.faults, fault)()

    channel.tags.groups()
    channel.tags.groups()

    assert sandbox.calls() == {"gettoken": 2, TAGS: 4}


@pytest.mark.parametrize("errcode", [40001, 40014, 42001])
def test_spends_two_tokens_on_a_platform_that_refuses_all(
    channel: Channel, sandbox: SandboxServer, errcode: int
) -> None:
    sandbox.faults.fail(TAGS, errcode, times=50)

    for _ in range(3):
        with pytest.raises(BackOff, match="fresh token"):
            channel.tags.groups()

    assert sandbox.calls() == {"gettoken": 2, TAGS: 2}


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
def test_spends_two_tokens_for_many_threads_that_are_all_refused(sandbox: SandboxServer) -> None:
    corp = connect_to(sandbox)
    sandbox.faults.fail(TAGS, 40014, times=500)
    endings: list[str] = []

    def ask() -> None:
        try:
            open_channel(corp).tags.groups()
        except ChannelError as error:
            endings.append(type(error).__name__)
        connection.close()

    for _ in range(2):
        threads = [Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert endings == ["BackOff"] * 12
    assert sandbox.calls()["gettoken"] <= 2


@pytest.mark.concurrency
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_spends_two_tokens_for_many_processes_that_are_all_refused(sandbox: SandboxServer) -> None:
    connect_to(sandbox)
    sandbox.faults.fail(TAGS, 40014, times=500)
    code = """
from scrm.channels.errors import BackOff
from scrm.channels.opening import open_channel
for _ in range(3):
    try:
        open_channel(Corp.objects.get()).tags.groups()
    except BackOff as error:
        print(error.errcode)
"""
    processes = [start_python(code) for _ in range(3)]

    outputs = [finish(process).split() for process in processes]

    assert outputs == [["40014"] * 3] * 3
    assert sandbox.calls()["gettoken"] <= 2


def test_refuses_a_wrong_secret_and_does_not_repeat_it(brand: Corp, sandbox: SandboxServer) -> None:
    right = brand.secret
    brand.secret = right[::-1]

    for _ in range(3):
        with pytest.raises(Misconfigured, match="copy the secret"):
            open_channel(brand).tags.groups()
    assert sandbox.calls() == {"gettoken": 1}

    brand.secret = right
    assert open_channel(brand).tags.groups()


def test_names_a_wrong_corp_id(brand: Corp) -> None:
    brand.corp_id = "ww0000000000000000"

    with pytest.raises(Misconfigured, match="does not know this corp id"):
        open_channel(brand).check_credentials()


def test_names_an_address_where_nobody_listens(corp: Corp) -> None:
    with pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:9/cgi-bin/ cannot be reached") as e:
        open_channel(corp).check_credentials()

    assert "base URL" in e.value.detail
    assert corp.secret not in e.value.detail
    assert not e.value.may_have_happened


def test_names_an_address_that_does_not_resolve(corp: Corp) -> None:
    corp.base_url = "http://no-such-host.invalid/cgi-bin/"

    with pytest.raises(Unreachable, match=r"no-such-host\.invalid"):
        open_channel(corp).check_credentials()


def test_names_an_address_of_another_web_server(brand: Corp, sandbox: SandboxServer) -> None:
    brand.base_url = sandbox.base_url + "elsewhere/"

    with pytest.raises(ChannelError, match="base URL") as raised:
        open_channel(brand).check_credentials()

    assert sandbox.base_url in raised.value.detail


def test_tries_settings_out_before_they_are_kept(sandbox: SandboxServer) -> None:
    facts = sandbox.credentials
    typed = Corp(corp_id=facts.corp_id, secret=facts.secret, base_url=sandbox.base_url)
    mistyped = Corp(corp_id=facts.corp_id, secret="x", base_url=sandbox.base_url)

    open_channel(typed).check_credentials()
    with pytest.raises(Misconfigured, match="copy the secret"):
        open_channel(mistyped).check_credentials()


def test_proves_a_secret_although_a_token_is_at_hand(
    channel: Channel, sandbox: SandboxServer
) -> None:
    channel.tags.groups()
    channel.check_credentials()

    assert sandbox.calls()["gettoken"] == 2


@pytest.mark.parametrize("fault", ["lose_answer", "drop_request", "http_500"])
def test_knows_that_a_call_without_answer_may_have_happened(
    channel: Channel, sandbox: SandboxServer, fault: str
) -> None:
    getattr(sandbox.faults, fault)(TAGS)

    with pytest.raises(AnswerLost) as raised:
        channel.tags.groups()

    assert raised.value.may_have_happened


def test_does_not_wait_for_ever(
    channel: Channel, sandbox: SandboxServer, settings: Settings
) -> None:
    settings.CHANNEL_TIMEOUTS = (1.0, 0.2)
    channel.check_credentials()
    sandbox.faults.delay(TAGS, 1)

    with pytest.raises(AnswerLost):
        channel.tags.groups()


def test_has_not_asked_when_only_the_token_was_not_answered(
    channel: Channel, sandbox: SandboxServer, settings: Settings
) -> None:
    settings.CHANNEL_TIMEOUTS = (1.0, 0.2)
    sandbox.faults.delay("gettoken", 1)

    with pytest.raises(Unreachable) as raised:
        channel.tags.groups()

    assert not raised.value.may_have_happened


def test_does_not_send_what_would_land_after_its_lease(
    channel: Channel, sandbox: SandboxServer, settings: Settings
) -> None:
    settings.OUTBOX_LEASE = settings.OUTBOX_LEASE * 0

    with pytest.raises(ChannelError) as raised:
        channel.tags.groups()

    assert not raised.value.may_have_happened
    assert sandbox.calls() == {"gettoken": 1}


def test_goes_to_its_own_machine_past_the_proxy(
    channel: Channel, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    assert channel.tags.groups()


def test_follows_the_settings_of_the_corp(sandbox: SandboxServer, db: None) -> None:
    corp = connect_to(sandbox)
    corp.base_url = "http://127.0.0.1:9/cgi-bin/"
    with pytest.raises(Unreachable):
        open_channel(corp).tags.groups()

    corp.base_url = sandbox.base_url

    assert open_channel(corp).tags.groups()


def test_asks_customer_questions_with_the_secret_for_them(
    brand: Corp, sandbox: SandboxServer
) -> None:
    brand.contact_secret = brand.secret[::-1]

    assert open_channel(brand).directory.departments()
    with pytest.raises(Misconfigured):
        open_channel(brand).tags.groups()


def test_keeps_corps_with_one_secret_apart(brand: Corp, sandbox: SandboxServer) -> None:
    stranger = make_corp(secret=brand.secret, base_url=brand.base_url)

    open_channel(brand).tags.groups()
    with pytest.raises(Misconfigured):
        open_channel(stranger).tags.groups()
