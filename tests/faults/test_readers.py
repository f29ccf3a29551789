"""Who stops reading costs a bounded amount, delays nobody, and misses nothing."""

from pathlib import Path

import pytest

from tests.faults.people import TRANSPORTS
from tests.faults.readers import READER_BYTES_MAX, run_stopped

pytestmark = pytest.mark.alone

STOPPED_S = 6.0


@pytest.mark.timeout(90)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_reader_that_stops_is_bounded_and_gets_every_message_later(
    tmp_path: Path, transport: str
) -> None:
    outcome = run_stopped(tmp_path, transport, STOPPED_S)
    verdict = outcome.verdict
    assert verdict.passed, (verdict.faults, verdict.life)
    assert verdict.counts.acknowledged == verdict.counts.sent > 1_000
    assert outcome.behind > 100, "they did stop"
    assert outcome.sent_bytes > 4 * READER_BYTES_MAX
    assert outcome.bytes_a_reader <= READER_BYTES_MAX
