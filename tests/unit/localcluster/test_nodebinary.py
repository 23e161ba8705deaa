import pytest
from localcluster.nodebinary import go_sources, kubernetes_version, link_flags, source_folder

from localcluster import LocalclusterError


def test_the_module_names_the_version_that_is_stamped() -> None:
    version = kubernetes_version((source_folder() / "go.mod").read_text())
    assert version.startswith("v1.35.")
    assert f"gitVersion={version} " in link_flags(version)
    assert "gitMinor=35" in link_flags(version)


def test_every_source_but_no_test_counts_for_the_cache() -> None:
    names = [path.relative_to(source_folder()) for path in go_sources(source_folder())]
    assert [str(name) for name in names] == ["go.mod", "go.sum", "forward/forward.go", "main.go"]


def test_a_module_without_kubernetes_is_refused() -> None:
    with pytest.raises(LocalclusterError, match="does not require"):
        kubernetes_version("module m\n")
