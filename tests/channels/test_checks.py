from datetime import timedelta

from pytest_django import Settings

from scrm.channels.checks import lease_outlasts_a_call


def test_is_content_with_its_own_settings() -> None:
    assert lease_outlasts_a_call() == []


def test_refuses_a_lease_that_a_call_could_outlast(settings: Settings) -> None:
    settings.CHANNEL_TIMEOUTS = (5.0, 15.0)
    settings.OUTBOX_LEASE = timedelta(seconds=20)

    (error,) = lease_outlasts_a_call()

    assert error.id == "channels.E001"
    assert "SCRM_OUTBOX_LEASE" in error.msg
