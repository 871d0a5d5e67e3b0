"""What a supervisor that got SIGKILL may leave behind, and clearing it."""

from contextlib import suppress

import psutil

from scrm import embedded

# Tells the children of a supervisor that was killed from those of one that lives.
MARK = "SCRM_SUPERVISOR"
TERM_SECONDS = 3.0


def clear_leftovers() -> None:
    """End what a supervisor of this data directory left behind when it was killed."""
    left = [process for process in psutil.process_iter() if _is_orphan(process)]
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(left, timeout=TERM_SECONDS)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=TERM_SECONDS)


def mark_of(process: psutil.Process) -> str:
    return f"{process.pid} {process.create_time():.0f} {embedded.data_dir()}"


def _is_orphan(process: psutil.Process) -> bool:
    """Return whether the process bears the mark of a supervisor that is no more."""
    try:
        mark = process.environ().get(MARK, "")
    except psutil.Error:
        return False
    if not mark.endswith(f" {embedded.data_dir()}"):
        return False
    try:
        return mark_of(psutil.Process(int(mark.split()[0]))) != mark
    except psutil.NoSuchProcess:
        return True
