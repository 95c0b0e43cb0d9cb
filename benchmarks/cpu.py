"""CPU time of processes, from the operating system's own accounting."""

from collections.abc import Iterable

import psutil


def of_process(pid: int) -> float:
    """Seconds of CPU, user and system, that a process and its children (dead ones too) have used."""
    process = psutil.Process(pid)
    times = process.cpu_times()
    own: float = times.user + times.system + times.children_user + times.children_system
    return own + sum(_living(child) for child in process.children(recursive=True))


def _living(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def total(pids: Iterable[int]) -> float:
    return sum(of_process(pid) for pid in pids)
