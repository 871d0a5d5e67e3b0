"""The product at rest fits on a small machine."""

import psutil
import pytest

from scrm.processes import Supervisor

LIMIT_MB = 500


@pytest.mark.slow
def test_web_worker_and_beat_rest_in_half_a_gigabyte(product: Supervisor) -> None:
    used = {}
    for name, pid in product.processes.items():
        main = psutil.Process(pid)
        family = [main, *main.children(recursive=True)]
        # Shared pages are counted once: the proportional set size.
        used[name] = sum(process.memory_full_info().pss for process in family) / 2**20

    assert set(used) == {"web", "worker", "beat"}
    assert sum(used.values()) < LIMIT_MB, used
