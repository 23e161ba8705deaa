"""The cluster's packet filter rules: adding our few, and removing all that a cluster made."""

from __future__ import annotations

import re
from collections.abc import Iterable

from localcluster.commands import run, succeeds
from localcluster.layout import POD_CIDR

COMMENT = "localcluster"
FAMILIES = ("iptables", "ip6tables")
_CLUSTER_CHAIN = re.compile(r"^(KUBE|CNI)-")

OWN_RULES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("filter", ("INPUT", "-s", POD_CIDR)),
    ("filter", ("FORWARD", "-s", POD_CIDR)),
    ("filter", ("FORWARD", "-d", POD_CIDR)),
    ("nat", ("POSTROUTING", "-s", POD_CIDR, "!", "-d", POD_CIDR)),
)
"""Pods reach the node and each other although a firewall drops by default; they leave by the
machine's address."""
_TARGETS = {"filter": ("-j", "ACCEPT"), "nat": ("-j", "MASQUERADE")}


def add_own_rules() -> None:
    """Insert our rules where they are missing."""
    present = run(("iptables-save",))
    for table, (chain, *match) in OWN_RULES:
        rule = (*match, "-m", "comment", "--comment", COMMENT, *_TARGETS[table])
        if not _is_present(present, chain, match):
            # Accepting comes before anybody's rules, masquerading after kube-proxy's.
            place = "-I" if table == "filter" else "-A"
            run(("iptables", "--wait", "-t", table, place, chain, *rule))


def _is_present(saved: str, chain: str, match: Iterable[str]) -> bool:
    start = " ".join(("-A", chain, *match))
    return any(line.startswith(start + " ") and COMMENT in line for line in saved.splitlines())


def remove_cluster_rules() -> None:
    """Remove every rule and chain that a cluster made, of both address families."""
    for family in FAMILIES:
        if not succeeds((f"{family}-save",)):
            continue  # a machine may do without IPv6, or not have the program yet
        plan = removal_plan(run((f"{family}-save",)))
        if plan:
            run((f"{family}-restore", "--wait", "--noflush"), stdin=plan)


def removal_plan(saved: str) -> str:
    """From the output of iptables-save, the input of iptables-restore that removes a cluster.

    Everything else stays as it is. Empty if there is nothing to remove.
    """
    plan: list[str] = []
    for table, lines in _tables(saved):
        chains = [line[1:].split()[0] for line in lines if line.startswith(":")]
        ours = [chain for chain in chains if _CLUSTER_CHAIN.match(chain)]
        rules = [
            "-D" + line[2:]
            for line in lines
            if line.startswith("-A ") and line.split()[1] not in ours and _is_ours(line)
        ]
        if ours or rules:
            # Declaring a chain empties it; a chain can go once nothing jumps to it.
            plan += [f"*{table}"]
            plan += [f":{chain} - [0:0]" for chain in ours]
            plan += rules
            plan += [f"-X {chain}" for chain in ours]
            plan += ["COMMIT"]
    return "\n".join(plan) + "\n" if plan else ""


def has_kubernetes_rules() -> bool:
    """Whether some kube-proxy's chains are on this machine."""
    return ":KUBE-SERVICES " in run(("iptables-save",))


def _is_ours(rule: str) -> bool:
    words = rule.split()
    jumps = [words[i + 1] for i, word in enumerate(words[:-1]) if word in {"-j", "-g"}]
    return any(_CLUSTER_CHAIN.match(target) for target in jumps) or (
        re.search(rf'--comment "?{COMMENT}"?( |$)', rule) is not None
    )


def _tables(saved: str) -> Iterable[tuple[str, list[str]]]:
    table, lines = "", list[str]()
    for line in saved.splitlines():
        if line.startswith("*"):
            table, lines = line[1:], []
        elif line == "COMMIT":
            yield table, lines
        elif not line.startswith("#"):
            lines.append(line)
