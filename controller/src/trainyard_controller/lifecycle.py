"""From the start of the process to its orderly end."""

import asyncio
import signal
from collections.abc import Coroutine, Iterable
from typing import Any

import kopf

from trainyard_controller.duty import Duty
from trainyard_controller.watches import NoMemories

Task = asyncio.Task[Any]


class StopSignal:
    """SIGTERM, or SIGINT."""

    def __init__(self) -> None:
        """Needs a running loop."""
        self._stop = asyncio.Event()
        self.listen()
        self.given: Task = asyncio.create_task(self._stop.wait())

    def listen(self) -> None:
        """Take the signals, from whoever had them."""
        loop = asyncio.get_running_loop()
        for one in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(one, self._stop.set)

    async def comes_before(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do this work, unless the process is to end before it is done."""
        task: Task = asyncio.create_task(work)
        await asyncio.wait([self.given, task], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            await cancel(task)
            return True
        task.result()
        return False


async def cancel(*tasks: Task) -> None:
    """Have the tasks end, and wait for it."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def serve(
    stop: StopSignal,
    duty: Duty,
    background: Iterable[Coroutine[Any, Any, None]],
    *,
    registry: kopf.OperatorRegistry,
    settings: kopf.OperatorSettings,
    namespaces: Iterable[str],
    instance: str,
) -> None:
    """Watch, and do the duty of a leader, until the signal comes. Raises what ends it before."""
    ours = asyncio.all_tasks()
    leading = asyncio.create_task(duty.run(ours))
    own = [leading, *(asyncio.create_task(one) for one in background)]
    ours.update(own)
    # Kopf would make up an identity from the name of the user, who has none in a container.
    identity: Any = instance
    watches = await kopf.spawn_tasks(
        identity=identity,
        registry=registry,
        settings=settings,
        memories=NoMemories(),
        namespaces=list(namespaces),
        standalone=True,
    )
    stop.listen()  # Kopf has taken the signals for itself.
    # In the end it cancels every task of the process that it is not told to leave alone.
    watching = asyncio.create_task(kopf.run_tasks(watches, ignored=ours))
    tasks = [stop.given, watching, *own]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    # Nobody is elected any more.
    await cancel(leading)
    await duty.end()
    await cancel(watching, *own)
    for task in done:
        task.result()
