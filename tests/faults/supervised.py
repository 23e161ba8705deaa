"""One replica of the operator: a process behind a proxy of its own, started again when it dies."""

import threading
import time
from collections.abc import Mapping
from pathlib import Path

import yaml

from ..forking.forks import Fork, ForkServer
from .background import Background
from .proxy import Proxy

STOP_SECONDS = 20
CRASH_SECONDS = 0.5
"""How long it stays away when it has ended by itself."""

BRISK = """
from trainyard_controller import cache, failed_creates, jobs, looks, recorder
for module, name, seconds in (
    (recorder, "SETTLE_SECONDS", 0.2),
    (looks, "FIRST_SECONDS", 0.5),
    (looks, "LONGEST_SECONDS", 2.0),
    (jobs, "POD_GRACE_SECONDS", 1.0),
    (jobs, "REFUSED_RETRY_SECONDS", 2.0),
    (failed_creates, "PAUSE_SECONDS", 0.5),
    (cache, "LAST_WORDS_SECONDS", 0.5),
):
    assert getattr(module, name) > seconds, name
    setattr(module, name, seconds)
"""
"""Waits that only save requests are short here."""


class Operator:
    """`fork` is the process of the moment, or the last one."""

    def __init__(
        self,
        forks: ForkServer,
        background: Background,
        kubeconfig: Path,
        log: Path,
        environment: Mapping[str, str],
    ) -> None:
        document = yaml.safe_load(kubeconfig.read_text())
        [cluster] = document["clusters"]
        self.proxy = Proxy(background, cluster["cluster"]["server"])
        self.proxy.kill = self.kill
        cluster["cluster"] = {"server": self.proxy.url}
        path = log.with_suffix(".kubeconfig")
        path.write_text(yaml.safe_dump(document))
        self.log = log
        self.starts = 0
        self.fork: Fork | None = None
        self._forks = forks
        self._environment = {**environment, "KUBECONFIG": str(path)}
        self._wanted = False
        self._keeper: threading.Thread | None = None

    def start(self, prelude: str = "") -> None:
        """Start it, and keep it running."""
        self._wanted = True
        self._fork(prelude)
        self._keeper = threading.Thread(target=self._keep, args=(prelude,))
        self._keeper.start()

    def _fork(self, prelude: str) -> None:
        self.fork = self._forks.start(self._environment, self.log, BRISK + prelude)
        self.starts += 1
        if not self._wanted:
            self.fork.kill()

    def _keep(self, prelude: str) -> None:
        while True:
            assert self.fork is not None
            if self.fork.wait() >= 0:
                time.sleep(CRASH_SECONDS)
            if not self._wanted:
                return
            self._fork(prelude)

    def kill(self) -> None:
        """SIGKILL; it is started again."""
        if self.fork is not None:
            self.fork.kill()

    def stop(self, *, kill: bool = False) -> None:
        """End it for good: politely, or by SIGKILL."""
        self._wanted = False
        if self.fork is None or self._keeper is None:
            return
        if kill:
            self.fork.kill()
        else:
            self.fork.terminate()
        try:
            self.fork.wait(STOP_SECONDS)
        finally:
            self.fork.kill()
            self._keeper.join()
            self._keeper = None

    def close(self) -> None:
        self.stop(kill=True)
        self.proxy.close()
