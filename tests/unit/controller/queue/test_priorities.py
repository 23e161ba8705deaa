"""The values of PriorityClasses."""

from collections.abc import AsyncIterator

from trainyard_controller.objects import Document
from trainyard_controller.queue.priorities import LIFETIME_SECONDS, RETRY_SECONDS, Priorities


class Cluster:
    """PriorityClasses, how often they were listed, and a clock."""

    def __init__(self, *classes: Document) -> None:
        self.classes = list(classes)
        self.listings = 0
        self.time = 0.0

    async def listing(self) -> AsyncIterator[Document]:
        self.listings += 1
        for one in self.classes:
            yield one

    def priorities(self) -> Priorities:
        return Priorities(self.listing, lambda: self.time)


def priority_class(name: str, value: int, default: bool = False) -> Document:
    return {"metadata": {"name": name}, "value": value, "globalDefault": default}


async def test_values_are_read_once_for_many() -> None:
    cluster = Cluster(priority_class("high", 1000), priority_class("low", -5))
    priorities = cluster.priorities()
    values = [await priorities.value(name) for name in ("high", "low", None, "high")]
    assert values == [1000, -5, 0, 1000]
    assert cluster.listings == 1
    cluster.time += LIFETIME_SECONDS
    cluster.classes = [priority_class("high", 7)]
    assert await priorities.value("high") == 7


async def test_the_default_class_is_that_of_runs_that_name_none() -> None:
    cluster = Cluster(priority_class("usual", 10, default=True))
    assert await cluster.priorities().value(None) == 10


async def test_a_class_that_comes_later_is_found_and_not_looked_for_all_the_time() -> None:
    cluster = Cluster()
    priorities = cluster.priorities()
    assert await priorities.value("late") == 0
    cluster.classes.append(priority_class("late", 3))
    assert await priorities.value("late") == 0
    assert cluster.listings == 1
    cluster.time += RETRY_SECONDS
    assert await priorities.value("late") == 3
