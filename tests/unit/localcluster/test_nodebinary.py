import pytest
from localcluster.nodebinary import SOURCES, kubernetes_version, link_flags, source_folder

from localcluster import LocalclusterError


def test_the_module_names_the_version_that_is_stamped() -> None:
    version = kubernetes_version((source_folder() / "go.mod").read_text())
    assert version.startswith("v1.35.")
    assert f"gitVersion={version} " in link_flags(version)
    assert "gitMinor=35" in link_flags(version)


def test_every_source_counts_for_the_cache() -> None:
    present = {
        path.name for path in source_folder().iterdir() if path.suffix in {".go", ".mod", ".sum"}
    }
    assert present == set(SOURCES)


def test_a_module_without_kubernetes_is_refused() -> None:
    with pytest.raises(LocalclusterError, match="does not require"):
        kubernetes_version("module m\n")
