"""A trace as a tree of text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from tracing.collector import Seen

TOLD = {
    "SERVER": ("http.response.status_code",),
    "CLIENT": ("server.address", "server.port", "http.response.status_code"),
    "INTERNAL": ("eci.operation", "eci.gateway", "eci.outcome"),
    "CONSUMER": ("eci.event_type", "eci.state"),
}
"""Of the attributes, those that the tree shows."""
NAME_WIDTH, TIME_WIDTH = 40, 9


def drawn(spans: Sequence[Seen]) -> str:
    """The tree, one line per span: name, process, when it began after the first and how long it took, in ms."""
    begun = min(span.begun_ns for span in spans)
    heading = f"{'span':{NAME_WIDTH}} {'process':7} {'begins':>{TIME_WIDTH}} {'takes':>{TIME_WIDTH}}"
    return "\n".join([heading, *(_line(lead, span, begun).rstrip() for lead, span in _walk(spans))])


def paths(spans: Sequence[Seen]) -> list[tuple[str, ...]]:
    """The tree's shape: of every span the names from the root to it, and its process; sorted."""
    by_id = {span.span_id: span for span in spans}

    def names(span: Seen) -> tuple[str, ...]:
        parent = by_id.get(span.parent_id)
        return (*(names(parent) if parent else ()), span.name)

    return sorted((*names(span), span.process) for span in spans)


def paths_of_text(text: str) -> list[tuple[str, ...]]:
    """The same of a tree that was drawn."""
    found: list[tuple[str, ...]] = []
    above: list[str] = []
    for line in text.splitlines()[1:]:
        lead = len(line) - len(line.lstrip("│├└─ "))
        name, process = line[lead:NAME_WIDTH].strip(), line[NAME_WIDTH:].split()[0]
        above = [*above[: lead // 3], name]
        found.append((*above, process))
    return sorted(found)


def _walk(spans: Sequence[Seen]) -> Iterator[tuple[str, Seen]]:
    known = {span.span_id for span in spans}
    below: dict[str, list[Seen]] = defaultdict(list)
    for span in sorted(spans, key=lambda span: span.begun_ns):
        below[span.parent_id if span.parent_id in known else ""].append(span)

    def walk(span: Seen, lead: str, mark: str) -> Iterator[tuple[str, Seen]]:
        yield lead + mark, span
        deeper = lead + {"": "", "├─ ": "│  ", "└─ ": "   "}[mark]
        for child in below[span.span_id]:
            yield from walk(child, deeper, "└─ " if child is below[span.span_id][-1] else "├─ ")

    for root in below[""]:
        yield from walk(root, "", "")


def _line(lead: str, span: Seen, begun_ns: int) -> str:
    told = " ".join(str(span.attributes[name]) for name in TOLD[span.kind] if name in span.attributes)
    begins, takes = (ns / 1e6 for ns in (span.begun_ns - begun_ns, span.ended_ns - span.begun_ns))
    return (
        f"{lead + span.name:{NAME_WIDTH}} {span.process:7}"
        f" {begins:{TIME_WIDTH}.1f} {takes:{TIME_WIDTH}.1f}  {told}"
    )
