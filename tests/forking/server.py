"""A program that has imported another one, and forks it whenever it is asked.

Importing takes seconds of a core, forking some milliseconds. Its argument is the module whose
`main` it forks. Each line of its input asks for one process: a JSON object with its `environment`,
the file of its `log`, and a `prelude` in Python that runs before it. Each line of its output is a
JSON object as well: `pid` for one that was forked, `pid` and `code` for one that has ended. When
its input ends, so do all.
"""

import contextlib
import gc
import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from kubernetes.aio.config import kube_config

_children: set[int] = set()


def _say(**message: int) -> None:
    os.write(1, (json.dumps(message) + "\n").encode())


def _reap(*_: object) -> None:
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            _children.discard(ended[0])
            _say(pid=ended[0], code=os.waitstatus_to_exitcode(ended[1]))


def _prepare(order: dict[str, Any]) -> None:
    """Make the process one that has nothing open but its log."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, opened in enumerate((nothing, log, log)):
        os.dup2(opened, number)
    os.closerange(3, max(log, nothing) + 1)
    os.environ.clear()
    os.environ.update(order["environment"])
    kube_config.KUBE_CONFIG_DEFAULT_LOCATION = os.environ["KUBECONFIG"]  # was read at the import


def serve() -> dict[str, Any] | None:
    """Fork on request until the input ends. In a child, return what was asked for."""
    signal.signal(signal.SIGCHLD, _reap)
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "no thread survives a fork"
    gc.collect()
    gc.freeze()  # what is collected in a child would be copied for it
    for line in sys.stdin:
        # An end is told after the beginning.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        pid = os.fork()
        if pid == 0:
            order: dict[str, Any] = json.loads(line)
            return order
        _children.add(pid)
        _say(pid=pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for pid in _children:
        os.kill(pid, signal.SIGKILL)
    return None


if __name__ == "__main__":
    program = importlib.import_module(sys.argv.pop())
    if (wanted := serve()) is not None:
        _prepare(wanted)
        exec(wanted["prelude"], {"__name__": "__prelude__"})
        program.main()
