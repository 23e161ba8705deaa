"""One cluster, kept in one state folder: the whole public interface."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeGuard

from localcluster import buildah, iptables, machine, packages
from localcluster.cache import key_of
from localcluster.cleanup import data_folders, remove_from_machine, stop_components
from localcluster.commands import run
from localcluster.configure import write_configuration
from localcluster.errors import ClusterAliveError, LocalclusterError, NotRunningError
from localcluster.files import locked, locked_if_free
from localcluster.layout import LONGEST_STATE_PATH, Layout
from localcluster.nodebinary import link_components, node_binary
from localcluster.owner import LOCK, RECORD, Owner, read_owner
from localcluster.ports import require_free_ports
from localcluster.processes import ProcessId, boot_id
from localcluster.progress import Progress
from localcluster.readiness import await_components, await_node
from localcluster.settings import Publish, Settings
from localcluster.supervisor import SupervisorReport, start_detached


class Cluster:
    """A cluster of this machine, named by its state folder."""

    def __init__(self, state: Path | str, progress: Progress | None = None) -> None:
        self.layout = Layout(Path(state).resolve())
        self._progress = progress or Progress()

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig; usable while the cluster is up."""
        return self.layout.kubeconfig

    @property
    def running(self) -> bool:
        """Whether the cluster's supervisor runs."""
        report = self.report()
        return report is not None and report.alive

    def report(self) -> SupervisorReport | None:
        """What the supervisor last said of its components."""
        return SupervisorReport.read(self.layout)

    def up(self, *, publish: Sequence[Publish] = (), registry_port: int = 5050) -> None:
        """Bring the cluster up, from nothing or from any remains; does nothing if it is up.

        Raises:
            ClusterAliveError: another folder's cluster runs on this machine.
            LocalclusterError: a step failed; the message says which, and what to do.
        """
        self._require_usable_machine()
        with self._machine_lock():
            owner = read_owner()
            if self._is_foreign(owner) and owner.alive:
                raise ClusterAliveError(Path(owner.state))
            settings = Settings(
                node_binary=str(self._prepare()),
                program=_program_key(),
                publish=tuple(publish),
                registry_port=registry_port,
                pod_mtu=machine.default_mtu(),
            )
            self._remove_foreign_remains(owner)
            if not (self.running and Settings.load(self.layout.settings) == settings):
                with self._progress.step("starting the components"):
                    self._start(settings)
            await_components(self.layout, self._progress)
            with self._progress.step("waiting for the node"):
                self._push_pause_image(settings)
                await_node(self.layout)

    def down(self, *, purge: bool = False) -> None:
        """Remove the cluster from the machine, with its data; the logs stay unless `purge`.

        Remains of another folder's dead cluster go, too; a living one is left alone.
        """
        self._require_root()
        with self._machine_lock(), self._progress.step(f"removing {self.layout.state}"):
            owner = read_owner()
            if self._is_foreign(owner):
                self._down_beside(owner)
            else:
                remove_from_machine(self.layout, owner)
                RECORD.unlink(missing_ok=True)
            buildah.release_storage()
            for path in data_folders(self.layout):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
            if purge:
                shutil.rmtree(self.layout.state, ignore_errors=True)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl as administrator and give its output."""
        return run(self.command("kubectl", *arguments), stdin=stdin)

    def helm(self, *arguments: str) -> str:
        """Run Helm as administrator and give its output."""
        return run(self.command("helm", *arguments))

    def command(self, program: str, *arguments: str) -> tuple[str, ...]:
        """Command line of `kubectl` or `helm` for this cluster."""
        if not self.kubeconfig.exists():
            raise NotRunningError(self.layout.state)
        path = self.layout.bin / program
        return (str(path), f"--kubeconfig={self.kubeconfig}", *arguments)

    def build(
        self,
        context: Path,
        name: str,
        *,
        dockerfile: Path | None = None,
        target: str | None = None,
        build_args: Mapping[str, str] | None = None,
        push: bool = True,
    ) -> buildah.BuiltImage:
        """Build a Dockerfile, and push the image to the node's registry.

        Raises:
            NotRunningError: it is to be pushed and the cluster is down.
            LocalclusterError: the build failed; the message has the end of its log.
        """
        self._require_root()
        settings = Settings.load(self.layout.settings)
        if push and (settings is None or not self.running):
            raise NotRunningError(self.layout.state)
        self._install_packages()
        if ":" not in name.rpartition("/")[2]:
            name = f"{name}:latest"
        log = self.layout.log("build-" + name.replace("/", "-").replace(":", "-"))
        base_log = self.layout.log("base-image")
        with self._progress.step("making sure of the base image", base_log):
            base = buildah.base_image(base_log)
        with self._progress.step(f"building {name}", log):
            image = buildah.build(
                context,
                name,
                base=base,
                dockerfile=dockerfile,
                target=target,
                build_args=build_args,
                log=log,
            )
        if not push or settings is None:
            return image
        with self._progress.step(f"pushing {name}", log):
            reference = buildah.push(image.image_id, settings.registry, name, log)
        return buildah.BuiltImage(name, image.image_id, reference)

    def _require_root(self) -> None:
        if os.geteuid() != 0:
            raise LocalclusterError("this needs root: it makes namespaces, mounts and devices")

    def _require_usable_machine(self) -> None:
        self._require_root()
        if len(str(self.layout.state)) > LONGEST_STATE_PATH:
            raise LocalclusterError(
                f"the state folder's path is too long for a socket in it: {self.layout.state}\n"
                f"Choose one of at most {LONGEST_STATE_PATH} characters by --state."
            )

    @contextmanager
    def _machine_lock(self) -> Iterator[None]:
        with locked_if_free(LOCK) as free:
            if free:
                yield
                return
        self._progress.say("waiting for another localcluster command on this machine to end")
        with locked(LOCK):
            yield

    def _is_foreign(self, owner: Owner | None) -> TypeGuard[Owner]:
        return owner is not None and Path(owner.state) != self.layout.state

    def _prepare(self) -> Path:
        """Everything that takes minutes the first time, at once; gives the node binary."""
        binary_log, base_log = self.layout.log("node-binary"), self.layout.log("base-image")
        with (
            ThreadPoolExecutor(max_workers=1) as pool,
            self._progress.step("making sure of the node binary", binary_log),
        ):
            binary = pool.submit(node_binary, binary_log)
            try:
                self._install_packages()
                with self._progress.step("making sure of the base image", base_log):
                    buildah.base_image(base_log)
            except LocalclusterError as error:
                # The build goes on, for its result is kept; the error need not wait for it.
                self._progress.say(f"error: {error}")
                raise
            return binary.result()

    def _install_packages(self) -> None:
        missing = packages.missing_packages()
        if missing:
            log = self.layout.log("packages")
            with self._progress.step(f"installing {' '.join(missing)}", log):
                packages.install(missing, log)

    def _down_beside(self, owner: Owner) -> None:
        if owner.alive:
            self._progress.say(f"the cluster of {owner.state} is running and stays as it is")
            stop_components(self.layout)
            machine.unmount_under(self.layout.state)
        else:
            self._progress.say(f"removing what the dead cluster of {owner.state} left, too")
            remove_from_machine(Layout(Path(owner.state)), owner)
            remove_from_machine(self.layout, None)
            RECORD.unlink(missing_ok=True)

    def _remove_foreign_remains(self, owner: Owner | None) -> None:
        if self._is_foreign(owner):
            with self._progress.step(f"removing what the dead cluster of {owner.state} left"):
                remove_from_machine(Layout(Path(owner.state)), owner)
                RECORD.unlink(missing_ok=True)
        elif owner is None and not self.running and iptables.has_kubernetes_rules():
            raise LocalclusterError(
                "this machine has rules of another Kubernetes (chain KUBE-SERVICES), and a second "
                "one beside it would break both.\nIf they are remains of a localcluster, "
                f"remove them: localcluster down --state {self.layout.state}"
            )

    def _start(self, settings: Settings) -> None:
        stop_components(self.layout)
        require_free_ports(settings)
        self._own(supervisor=None)
        machine.ensure_bridge()
        machine.ensure_cgroups()
        machine.write_sysctls({"net.ipv4.ip_forward": "1"})
        iptables.add_own_rules()
        link_components(self.layout, Path(settings.node_binary))
        write_configuration(self.layout, settings)
        settings.save(self.layout.settings)
        self._own(supervisor=start_detached(self.layout))

    def _own(self, *, supervisor: ProcessId | None) -> None:
        owner = read_owner()
        if owner is None or not owner.this_boot:
            # What the machine was like is known only before the cluster's first change of it.
            sysctls, paths = machine.read_sysctls(), machine.absent_paths()
        else:
            sysctls, paths = owner.sysctls, owner.paths
        Owner(str(self.layout.state), boot_id(), sysctls, paths, supervisor).save()

    def _push_pause_image(self, settings: Settings) -> None:
        log = self.layout.log("base-image")
        source = buildah.pause_image(log)
        buildah.push(source, settings.registry, source.removeprefix("localhost/"), log)


def _program_key() -> str:
    return key_of(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
