"""What the operator asks for when it looks by itself."""

from urllib.parse import unquote_plus

import pytest

from ..control_plane import ControlPlane, wait_for
from .audit import Audit
from .conftest import Lab

pytestmark = [pytest.mark.component, pytest.mark.timeout(120)]


def test_one_listing_of_pods_is_for_all_unfinished_runs(kubernetes: ControlPlane, lab: Lab) -> None:
    audit = Audit(kubernetes.audit, lab.namespace)
    lab.start(TRAINYARD_RESYNC_SECONDS="1")
    names = [lab.submit() for _ in range(3)]
    uids = [str(lab.training_job(name)["metadata"]["uid"]) for name in names]

    def one_for_all() -> bool:
        listings = [
            unquote_plus(entry["requestURI"])
            for permission, entry in audit.entries()
            if permission == ("", "pods", "list")
        ]
        return any(all(uid in listing for uid in uids) for listing in listings)

    wait_for("one listing is for all", one_for_all)
