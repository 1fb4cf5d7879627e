"""Processor seconds and memory of a process and all below it, sampled while they run.

`RUSAGE_CHILDREN` would miss Spark's Python workers, for which nobody waits. Processor seconds are the last
sample of each process. So they lack what it did after that, at most for the pause between two samples, and
all of a process that lives shorter. Of `ingest` they were 1 to 2 % less than what a cgroup has counted.
"""

import psutil


class ProcessTree:
    def __init__(self, pid: int) -> None:
        self.top = psutil.Process(pid)
        self.seconds: dict[psutil.Process, float] = {}
        self.peak_bytes = 0

    @property
    def processor_seconds(self) -> float:
        return sum(self.seconds.values())

    def sample(self) -> None:
        memory = 0
        for process in {*self.alive(), *self.seconds}:  # one whose parent has ended is no child any more
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    memory += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
            self.seconds[process] = times.user + times.system
        self.peak_bytes = max(self.peak_bytes, memory)

    def kill(self) -> None:
        for process in reversed(self.alive()):
            process.kill()

    def alive(self) -> list[psutil.Process]:
        try:
            return [self.top, *self.top.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []
