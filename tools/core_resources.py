"""Prints a file of manifests without the custom resources, which Kubernetes's own schemas do not know.

``python3 tools/core_resources.py FILE``; only text is handled, so that it runs before anything is installed.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

API_VERSION = re.compile(r"^apiVersion: *(\S+)$", re.MULTILINE)


def is_core(manifest: str) -> bool:
    """Whether it is of a group that Kubernetes itself brings: ``v1``, ``apps/v1``, ``….k8s.io/v1``."""
    found = API_VERSION.search(manifest)
    group = found[1].rpartition("/")[0] if found else ""
    return "." not in group or group.endswith(".k8s.io")


def main(file: str) -> None:
    """Print them."""
    manifests = re.split(r"^---$\n?", Path(file).read_text(), flags=re.MULTILINE)
    print("---\n".join(filter(is_core, manifests)), end="")


main(sys.argv[1])
