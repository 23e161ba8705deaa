"""A program that has imported the operator, and forks one whenever it is asked.

Importing takes more than a second of a core, forking some milliseconds. Each line of its input
asks for one operator: a JSON object with its `environment`, the file of its `log`, and a `prelude`
in Python that runs before it. Each line of its output is a JSON object as well: `pid` for one that
was forked, `pid` and `code` for one that has ended. When its input ends, so do all.
"""

import contextlib
import gc
import json
import os
import signal
import sys
import traceback
from typing import Any, NoReturn

from kubernetes.aio.config import kube_config
from trainyard_controller import main as operator

_children: set[int] = set()


def _say(**message: int) -> None:
    os.write(1, (json.dumps(message) + "\n").encode())


def _reap(*_: object) -> None:
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            _children.discard(ended[0])
            _say(pid=ended[0], code=os.waitstatus_to_exitcode(ended[1]))


def _become(order: dict[str, Any]) -> NoReturn:
    """Be the operator, in a process that has nothing open but its log."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.clear()
    os.environ.update(order["environment"])
    kube_config.KUBE_CONFIG_DEFAULT_LOCATION = os.environ["KUBECONFIG"]  # was read at the import
    code = 0
    try:
        exec(order["prelude"], {"__name__": "__prelude__"})
        operator.main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
        if isinstance(error.code, str):
            sys.stderr.write(error.code + "\n")
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def serve() -> None:
    """Fork on request until the input ends."""
    signal.signal(signal.SIGCHLD, _reap)
    gc.collect()
    gc.freeze()  # what is collected in a child would be copied for it
    for line in sys.stdin:
        # An end is told after the beginning.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        pid = os.fork()
        if pid == 0:
            _become(json.loads(line))
        _children.add(pid)
        _say(pid=pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for pid in _children:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    serve()
