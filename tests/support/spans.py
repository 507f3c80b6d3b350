"""The spans of this process, kept for a test to look at."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eci_payments.observability import spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass
class Kept:
    """A recorder; the spans in the order in which they ended."""

    ended: list[spans.Span] = field(default_factory=list)

    def record(self, span: spans.Span) -> None:
        self.ended.append(span)

    def counts(self) -> Mapping[str, int]:
        return {"recorded": len(self.ended)}

    def named(self, name: str) -> spans.Span:
        """The only one of this name."""
        (found,) = (span for span in self.ended if span.name == name)
        return found

    def parent(self, span: spans.Span) -> str | None:
        """The name of the span that this one is in, if we recorded that."""
        ids = {each.context.span_id: each.name for each in self.ended}
        return ids.get(span.parent.span_id) if span.parent else None

    @property
    def tree(self) -> dict[str, str | None]:
        """Each span's name, and its parent's."""
        return {span.name: self.parent(span) for span in self.ended}


@contextmanager
def keeping_spans() -> Iterator[Kept]:
    """Record while the block lasts."""
    kept = Kept()
    spans.record_with(kept)
    try:
        yield kept
    finally:
        spans.record_with(None)
