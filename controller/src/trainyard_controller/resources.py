"""Paths of the API server, in the terms of RBAC."""


def namespace_of(path: str) -> str:
    """The namespace that a path is in; empty if it is in none."""
    rest = _after_version(path)
    return rest[1] if len(rest) > 2 and rest[0] == "namespaces" else ""


def resource_of(path: str) -> str:
    """What a path names: `pods`, `trainingjobs/status`; empty if it is no resource."""
    rest = _after_version(path)
    if len(rest) > 2 and rest[0] == "namespaces":
        rest = rest[2:]
    return "/".join([*rest[:1], *rest[2:3]])


def _after_version(path: str) -> list[str]:
    parts = path.strip("/").split("/")
    return parts[2:] if parts[0] == "api" else parts[3:]
