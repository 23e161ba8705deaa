import tomllib
from pathlib import Path

import pytest
import yaml
from localcluster.components import components
from localcluster.layout import Layout
from localcluster.settings import Settings

from localcluster import Publish, render

LAYOUT = Layout(Path('/srv/with "quotes"/state'))
SETTINGS = Settings("/bin/node", "key", (Publish("127.0.0.1", 8000, 30800),), 5051, 1400)


def test_containerd_keeps_everything_in_the_state_folder() -> None:
    config = tomllib.loads(render.containerd(LAYOUT, sandbox_image="127.0.0.1:5051/pause:1"))
    cri = config["plugins"]["io.containerd.grpc.v1.cri"]
    paths = [
        config["root"],
        config["state"],
        config["grpc"]["address"],
        cri["cni"]["conf_dir"],
        cri["registry"]["config_path"],
        cri["containerd"]["runtimes"]["runc"]["options"]["Root"],
    ]
    assert all(path.startswith(f"{LAYOUT.state}/") for path in paths)
    assert cri["restrict_oom_score_adj"] is True
    assert cri["netns_mounts_under_state_dir"] is True


def test_kubelet_accepts_cgroup_v1_and_asks_for_certificates() -> None:
    config = yaml.safe_load(render.kubelet(LAYOUT))
    assert config["failCgroupV1"] is False
    assert config["cgroupRoot"] == "/localcluster"
    assert config["authentication"]["anonymous"] == {"enabled": False}
    assert config["authorization"] == {"mode": "Webhook"}


def test_pods_get_the_mtu_of_the_way_out() -> None:
    network = yaml.safe_load(render.cni(LAYOUT, SETTINGS))
    assert network["plugins"][0]["mtu"] == 1400


@pytest.mark.parametrize("upstream", [True, False])
def test_names_from_outside_are_forwarded_where_there_is_a_resolver(*, upstream: bool) -> None:
    assert ("forward . /etc/resolv.conf" in render.corefile(LAYOUT, upstream=upstream)) is upstream


def test_resolvers_are_the_name_servers() -> None:
    text = "# nameserver 9.9.9.9\nsearch a b\nnameserver 10.0.0.2\nnameserver\n"
    assert render.resolvers(text) == ["10.0.0.2"]


def test_components_start_after_components_that_exist() -> None:
    known: set[str] = set()
    for component in components(LAYOUT, SETTINGS):
        assert set(component.after) <= known
        known.add(component.name)
    assert "forward-8000" in known


def test_a_published_port_leads_to_the_nodes_port() -> None:
    forward = components(LAYOUT, SETTINGS)[-1]
    assert forward.command[1:] == ("127.0.0.1:8000", "10.243.0.1:30800")
