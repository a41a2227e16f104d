"""A batch, from its sources to its summary: an engine does what is left to do, and the manifest keeps the results."""

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from lpcodec.codec.bulk import shards
from lpcodec.codec.bulk.local import Event
from lpcodec.codec.bulk.manifest import Manifest
from lpcodec.codec.bulk.sources import Found, Source
from lpcodec.codec.bulk.unit import Row, Settings
from lpcodec.codec.errors import UsageError

Engine = Callable[[Sequence[Source], Settings, str, frozenset[str]], Generator[Event, None, None]]


@dataclass
class Summary:
    """How far a batch is.

    `sources` are all of it, `before` those that earlier runs did. `pictures` are those of this run, done or failed, and
    `failed` those that failed. `failed_before` are the pictures that failed in shards that earlier runs did; they
    aren't tried again. `bytes_in` and `bytes_out` are the sizes of the pictures that are done, before and after.
    `bytes_read` counts failed ones too. `part` of the work is done, 0..1, by bytes of input. `seconds` is the time so
    far. `code` is the largest exit code of all sources, earlier runs included.
    """

    sources: int = 0
    before: int = 0
    pictures: int = 0
    failed: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    bytes_read: int = 0
    part: float = 0.0
    seconds: float = 0.0
    code: int = 0
    failed_before: int = 0

    @property
    def seconds_left(self) -> float | None:
        """The time left at the speed so far, in seconds; None before any work is done."""
        return self.seconds * (1 - self.part) / self.part if self.part > 0 else None


def run(
    found: Found, settings: Settings, to: str, endings: frozenset[str], engine: Engine,
    report: Callable[[Summary, Row | None], None],
) -> Summary:  # fmt: skip
    """Recode all sources that aren't done yet into `to`, a folder or URL.

    Args:
        endings: of the pictures in shards (".png", ...).
        engine: `local.run` or `cluster.run`, with its own options bound.
        report: called after each picture, with the summary so far and the picture's row.

    Raises:
        UsageError: two sources would have one output, or the folder is that of another batch.
    """
    outputs = _outputs(found.sources, settings)
    manifest = Manifest(to, settings)
    before = [source for source in found.sources if manifest.has(source.name, outputs[source.name])]
    left = {source.name for source in found.sources} - {source.name for source in before}
    todo = [source for source in found.sources if source.name in left]
    failed_before = sum(code != 0 for code in _codes(before, manifest.codes))
    summary = Summary(sources=len(found.sources), before=len(before), failed_before=failed_before)
    total, start = max(1, sum(source.size for source in todo)), time.monotonic()
    events = engine(todo, settings, to, endings) if todo else None
    try:
        for event in events or ():
            for row in event.settled:
                manifest.add(row)
            if event.seen is not None:
                _count(summary, event.seen)
            summary.part = min(1.0, summary.bytes_read / total)
            summary.seconds = time.monotonic() - start
            report(summary, event.seen)
    finally:
        if events is not None:
            events.close()
        manifest.close()
    summary.code = max(_codes(found.sources, manifest.codes), default=0)
    return summary


def output_of(source: Source, settings: Settings) -> str:
    """The name of a source's output."""
    return shards.output_name(source.name) if source.is_shard else settings.output_name(source.name)


def _outputs(sources: Sequence[Source], settings: Settings) -> dict[str, str]:
    names: dict[str, str] = {}
    for source in sources:
        output = output_of(source, settings)
        if output in names:
            raise UsageError(
                f"{names[output]} and {source.name} would both become {output}: rename one, or run them apart"
            )
        names[output] = source.name
    return {name: output for output, name in names.items()}


def _count(summary: Summary, row: Row) -> None:
    summary.pictures += 1
    summary.bytes_read += row.bytes_in
    if row.error is None:
        summary.bytes_in += row.bytes_in
        summary.bytes_out += row.bytes
    else:
        summary.failed += 1


def _codes(sources: Sequence[Source], codes: dict[str, int]) -> list[int]:
    """The codes of the sources, and of the pictures in those that are shards, as far as they have any."""
    names = {source.name for source in sources}
    roots = tuple(f"{source.name}/" for source in sources if source.is_shard)
    return [code for name, code in codes.items() if name in names or name.startswith(roots)]
