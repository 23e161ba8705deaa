"""What the operator knows of TrainingJobs, their Jobs and their pods."""

import time
from collections.abc import Callable, Iterable, Iterator

from trainyard_controller import pods
from trainyard_controller.objects import (
    Document,
    Key,
    TrainingJob,
    owner_uid,
)
from trainyard_controller.past import PastRuns
from trainyard_controller.slim import slim_finished_job, slim_job, slim_pod
from trainyard_controller.workqueue import Lane

LAST_WORDS_SECONDS = 4.0
"""How much later than a listing the watch may tell how a pod ended."""


def _is_newer(known: Document | None, fresh: Document) -> bool:
    """Whether it is not older than what is known: watches repeat and reorder."""
    if known is None or known["metadata"]["uid"] != fresh["metadata"]["uid"]:
        return True
    return _version(fresh) > _version(known)


def _version(document: Document) -> int:
    return int(document["metadata"]["resourceVersion"])


def _says_more(known: Document | None, fresh: Document) -> bool:
    """Whether anything has changed that is kept, and not only counts, finalizers or the version."""
    if known is None:
        return True
    version = {"resourceVersion": fresh["metadata"]["resourceVersion"]}
    return {**known, "metadata": known["metadata"] | version} != fresh


class Cache:
    """Filled by the watches, by listings, and by the answers to the operator's own requests.

    Each `put` tells whether it brought news.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._training_jobs: dict[Key, TrainingJob] = {}
        self._keys: dict[str, Key] = {}
        self._runs: dict[str, dict[Key, TrainingJob]] = {}
        self._jobs: dict[str, Document] = {}
        self._pods: dict[str, dict[str, Document]] = {}
        self._gone_pods: dict[str, dict[str, Document]] = {}
        self.past = PastRuns()
        self._clock = clock
        self._missed: dict[str, float] = {}
        """When pods that are still known were first missing in a listing, by their uid."""

    def training_job(self, key: Key) -> TrainingJob | None:
        """The TrainingJob of that name."""
        return self._training_jobs.get(key)

    def key_of(self, document: Document) -> Key | None:
        """The TrainingJob that a Job or pod belongs to, if it is known."""
        uid = owner_uid(document)
        return self._keys.get(uid) if uid else None

    def training_jobs(self) -> list[TrainingJob]:
        """All that are known."""
        return list(self._training_jobs.values())

    def unfinished(self) -> Iterator[TrainingJob]:
        """The TrainingJobs to take care of whose phase is not final."""
        return (one for one in self.training_jobs() if one.ours and not one.finished)

    def lane(self, key: Key) -> Lane:
        """Where a TrainingJob waits for its turn: whoever cancels one is waiting for that."""
        found = self._training_jobs.get(key)
        if found is None or found.finished:
            return Lane.UNDER_WAY
        if found.spec.get("cancel"):
            return Lane.URGENT
        return Lane.UNDER_WAY if self.job(found) or found.status.phase else Lane.FRESH

    def runs(self, model_uid: str) -> list[TrainingJob]:
        """The TrainingJobs of the Model with this uid."""
        return list(self._runs.get(model_uid, {}).values())

    def put_training_job(self, document: Document) -> bool:
        """Take note of a TrainingJob."""
        fresh = TrainingJob.from_document(document)
        known = self._training_jobs.get(fresh.key)
        if known is not None and known.uid == fresh.uid:
            if int(fresh.resource_version) <= int(known.resource_version):
                return False
            self._forget_run(known)
        elif known is not None:
            self._forget(known)
        self._training_jobs[fresh.key] = fresh
        self._keys[fresh.uid] = fresh.key
        if fresh.model_uid is not None:
            self._runs.setdefault(fresh.model_uid, {})[fresh.key] = fresh
        if fresh.finished:
            self.past.note(document)
            self._forget_course(fresh)
        return True

    def _forget_course(self, training_job: TrainingJob) -> None:
        """Keep of a finished run only what its removal needs: there may be very many."""
        self._gone_pods.pop(training_job.uid, None)
        self._forget_pods(training_job.uid)
        if (job := self.job(training_job)) is not None:
            self._jobs[training_job.job_name] = slim_finished_job(job)

    def _forget_pods(self, uid: str) -> None:
        for pod_uid in self._pods.pop(uid, {}):
            self._missed.pop(pod_uid, None)

    def _has_finished(self, uid: str | None) -> bool:
        key = self._keys.get(uid) if uid is not None else None
        return key is not None and self._training_jobs[key].finished

    def drop_training_job(self, key: Key, uid: str) -> None:
        """Take note that a TrainingJob is gone."""
        known = self._training_jobs.get(key)
        if known is not None and known.uid == uid:
            del self._training_jobs[key]
            self._forget(known)

    def _forget(self, training_job: TrainingJob) -> None:
        self._keys.pop(training_job.uid, None)
        self._jobs.pop(training_job.job_name, None)
        self._forget_pods(training_job.uid)
        self._gone_pods.pop(training_job.uid, None)
        self._forget_run(training_job)

    def _forget_run(self, training_job: TrainingJob) -> None:
        if training_job.model_uid is not None:
            runs = self._runs[training_job.model_uid]
            del runs[training_job.key]
            if not runs:
                del self._runs[training_job.model_uid]

    def job(self, training_job: TrainingJob) -> Document | None:
        """The Job of a TrainingJob."""
        found = self._jobs.get(training_job.job_name)
        return found if found is not None and owner_uid(found) == training_job.uid else None

    def put_job(self, document: Document) -> bool:
        """Take note of a Job."""
        name = document["metadata"]["name"]
        known = self._jobs.get(name)
        if not _is_newer(known, document):
            return False
        finished = self._has_finished(owner_uid(document))
        fresh = slim_finished_job(document) if finished else slim_job(document)
        self._jobs[name] = fresh
        return _says_more(known, fresh)

    def drop_job(self, name: str, uid: str) -> bool:
        """Take note that a Job is gone."""
        known = self._jobs.get(name)
        if known is None or known["metadata"]["uid"] != uid:
            return False
        del self._jobs[name]
        return True

    def pods(self, uid: str) -> list[Document]:
        """The pods of the TrainingJob with this uid; none once it has finished."""
        return list(self._pods.get(uid, {}).values())

    def gone_pods(self, uid: str) -> list[Document]:
        """Pods of an unfinished TrainingJob that existed and no longer do, as last seen."""
        return list(self._gone_pods.get(uid, {}).values())

    def put_pod(self, document: Document) -> bool:
        """Take note of a pod."""
        owner, pod_uid = owner_uid(document), document["metadata"]["uid"]
        if owner is None or self._has_finished(owner) or pod_uid in self._gone_pods.get(owner, {}):
            return False
        siblings = self._pods.setdefault(owner, {})
        known = siblings.get(pod_uid)
        if not _is_newer(known, document):
            return False
        fresh = siblings[pod_uid] = slim_pod(document)
        return _says_more(known, fresh)

    def drop_pod(self, document: Document) -> bool:
        """Take note that a pod is gone, and of how it looked in the end.

        Also of one that was not known: what is told of it later is older.
        """
        owner, pod_uid = owner_uid(document), document["metadata"]["uid"]
        self._missed.pop(pod_uid, None)
        if owner is None:
            return False
        known = self._pods.get(owner, {}).pop(pod_uid, None) is not None
        if owner not in self._keys or self._has_finished(owner):
            return known
        gone = self._gone_pods.setdefault(owner, {})
        news = known or pod_uid not in gone
        gone[pod_uid] = slim_pod(document)
        return news

    def replace_pods(self, uids: Iterable[str], listing: Document) -> bool:
        """Take note of all pods that these TrainingJobs have, as a PodList tells.

        The listing may be behind the watch: a pod that is newer is not missing in it. It may also
        be ahead, and only the watch tells what a pod left that ended a moment ago. So a pod that
        ran when last seen is believed to be gone a few seconds later.
        """
        present = {document["metadata"]["uid"] for document in listing["items"]}
        for pod_uid in present:
            self._missed.pop(pod_uid, None)
        known = [pod for uid in uids for pod in self.pods(uid)]
        lost = [
            pod
            for pod in known
            if pod["metadata"]["uid"] not in present and _version(pod) <= _version(listing)
        ]
        dropped = [self.drop_pod(pod) for pod in lost if self._surely_gone(pod)]
        put = [self.put_pod(document) for document in listing["items"]]
        return any(dropped) or any(put)

    def _surely_gone(self, pod: Document) -> bool:
        now = self._clock()
        since = self._missed.setdefault(pod["metadata"]["uid"], now)
        return not pods.is_running(pod) or now - since >= LAST_WORDS_SECONDS

    def running_pods(self) -> list[tuple[Key, Document]]:
        """The pods whose trainers run, of unfinished TrainingJobs."""
        return [
            (one.key, pod)
            for one in self.unfinished()
            for pod in self.pods(one.uid)
            if pods.is_running(pod)
        ]
