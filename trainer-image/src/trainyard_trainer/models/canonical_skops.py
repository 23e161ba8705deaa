"""Skops files that are the same, byte for byte, for the same model.

As skops writes them they differ from process to process: objects and the members of the archive are
numbered by their place in memory, members carry the time, and the unused bytes between the fields
of a tree's nodes are whatever the memory held.
"""

import io
import json
from typing import IO, Any
from zipfile import ZipFile, ZipInfo

import numpy as np

_SCHEMA = "schema.json"
_ARRAY = "NdArrayNode"
_NODES = b"'left_child'"
"""What tells the nodes of a tree from other arrays: a field of theirs."""
_HEADER_BYTES = 512


def _renumber(node: Any, objects: dict[int, int], arrays: dict[str, str]) -> None:
    """Number what skops names by address in the order in which it occurs."""
    if isinstance(node, list):
        for item in node:
            _renumber(item, objects, arrays)
    elif isinstance(node, dict):
        if "__loader__" in node and "__id__" in node:
            node["__id__"] = objects.setdefault(node["__id__"], len(objects))
        if node.get("__loader__") == _ARRAY and "file" in node:
            node["file"] = arrays.setdefault(node["file"], f"{len(arrays)}.npy")
        for value in node.values():
            _renumber(value, objects, arrays)


def _without_padding(content: bytes) -> bytes:
    """An array in numpy's format; the nodes of a tree with zeros where no field lies."""
    if _NODES not in content[:_HEADER_BYTES]:
        return content
    nodes = np.load(io.BytesIO(content), allow_pickle=False)
    clean = np.zeros(nodes.nbytes, dtype=np.uint8).view(nodes.dtype)
    for name in nodes.dtype.names:
        clean[name] = nodes[name]
    # scikit-learn sets it at splits only.
    clean["missing_go_to_left"][nodes["left_child"] == -1] = 0
    out = io.BytesIO()
    np.save(out, clean, allow_pickle=False)
    return out.getvalue()


def rewrite(dumped: IO[bytes], target: IO[bytes]) -> None:
    """Copy what `skops.io.dump` wrote into `target`, in its canonical form. `skops.io.load` reads
    both alike.
    """
    with ZipFile(dumped) as source, ZipFile(target, "w") as archive:
        state = json.loads(source.read(_SCHEMA))
        arrays: dict[str, str] = {}
        _renumber(state, {}, arrays)
        # A ZipInfo of its own has 1980 as its time, and not the present.
        for old, new in arrays.items():
            archive.writestr(ZipInfo(new), _without_padding(source.read(old)))
        archive.writestr(ZipInfo(_SCHEMA), json.dumps(state))
