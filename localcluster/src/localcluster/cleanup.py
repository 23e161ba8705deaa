"""Removing all that a cluster left on the machine, from whatever state it is in."""

from __future__ import annotations

from pathlib import Path

from localcluster import iptables, machine
from localcluster.layout import Layout
from localcluster.owner import Owner
from localcluster.processes import command_name, end, processes_of
from localcluster.supervisor import SupervisorReport

SUPERVISOR_STOP_SECONDS = 45.0


def stop_components(layout: Layout) -> None:
    """Stop the supervisor and every component; pods go on under their shims."""
    report = SupervisorReport.read(layout)
    if report is not None and report.alive:
        end([report.identity.pid], grace_seconds=SUPERVISOR_STOP_SECONDS)
    end(pid for pid in processes_of(layout.state) if command_name(pid) != "containerd-shim")


def remove_from_machine(layout: Layout, owner: Owner | None) -> None:
    """Remove processes, mounts, links, rules, cgroups and changed settings of a cluster.

    Every part is done by looking at the machine, not by remembering what was done, so it is
    complete after any crash, and may be repeated.
    """
    stop_components(layout)
    end(processes_of(layout.state))
    end(machine.pods_processes())
    machine.unmount_under(layout.state)
    machine.remove_links()
    iptables.remove_cluster_rules()
    machine.remove_cgroups()
    if owner is not None and owner.this_boot:
        machine.write_sysctls(owner.sysctls)
    machine.remove_outside_files(layout.state, owner.paths if owner else ())


def data_folders(layout: Layout) -> list[Path]:
    """What `down` removes in the state folder: everything but the logs."""
    if not layout.state.is_dir():
        return []
    return sorted(path for path in layout.state.iterdir() if path != layout.logs)
