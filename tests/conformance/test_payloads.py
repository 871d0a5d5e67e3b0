"""Whether there is anything to compare with."""

from tests.conformance.documented import endpoints, named, needs_fixtures


@needs_fixtures
def test_the_documented_payloads_are_there() -> None:
    assert len(named("*.json")) + len(named("*.xml")) >= 380
    assert len(endpoints()) >= 114
