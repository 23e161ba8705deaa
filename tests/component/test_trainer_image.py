import os

import pytest
from trainyard_devtools.clusters import choose
from trainyard_devtools.images import TRAINER

from ..conftest import Aloud


@pytest.mark.component
@pytest.mark.alone
def test_the_trainers_own_tests_pass_inside_its_image(aloud: Aloud) -> None:
    """They run as a build stage, since the image is the environment that ships."""
    with aloud():
        choose(os.environ.get("CLUSTER") or None).build_stage(TRAINER, "test")
