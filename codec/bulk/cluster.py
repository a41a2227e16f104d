"""The engine of a Ray cluster, on Ray Data: actors that load the weights once, each with one processor.

```
sources --from_items--> rows --flat_map over actors: read, recode, write--> rows of the manifest, streamed back
```
Every actor reads and writes by URL, so all nodes must be able to reach the folders. The outputs are those of the local
engine, byte for byte, because both call the same unit. If an actor dies, other sources don't suffer: those without a
result are tried once more, each in a task of its own.
"""

import contextlib
import dataclasses
import json
import logging
import warnings
from collections.abc import Generator, Sequence
from typing import Any

from lpcodec.codec import storage
from lpcodec.codec.arrays import ceil_div
from lpcodec.codec.bulk import unit
from lpcodec.codec.bulk.local import Event, end_of_shard, read_members
from lpcodec.codec.bulk.processes import use_one_thread
from lpcodec.codec.bulk.shards import ShardWriter
from lpcodec.codec.bulk.sources import Source
from lpcodec.codec.bulk.unit import Row, Settings, ToRecode
from lpcodec.codec.errors import UsageError

_SOURCES_PER_TASK = 16


def run(
    sources: Sequence[Source], settings: Settings, to: str, endings: frozenset[str],
    workers: int | None = None, address: str | None = None,
) -> Generator[Event, None, None]:  # fmt: skip
    """Recode `sources` into the folder or URL `to` by `workers` actors, by default one per processor of the cluster.

    `address` is that of a cluster ("auto", "ray://head:10001"). None means the cluster that RAY_ADDRESS names; without
    one, Ray is started on this machine, and stopped afterwards.

    Raises:
        UsageError: Ray isn't installed.
    """
    ray = _ray()
    started_here = not ray.is_initialized()
    if started_here:
        ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        context = ray.data.DataContext.get_current()
        with _changed(context, enable_progress_bars=False, max_errored_blocks=-1), _quiet():
            actors = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
            left = {source.name: source for source in sources}
            for per_task in (_SOURCES_PER_TASK, 1):
                if left:
                    for name, event in _pass(ray, list(left.values()), settings, to, endings, actors, per_task):
                        if event.settled:
                            left.pop(name, None)
                        yield event
            for source in left.values():
                error = "the process died over this file"
                row = unit.failure(source.name, settings.output_name(source.name), error, source.size)
                yield Event(row, (row,))
    finally:
        if started_here:
            ray.shutdown()


class _Recoder:
    """An actor: it loads the weights once, and then recodes source after source."""

    def __init__(self, settings: Settings, to: str, endings: frozenset[str]) -> None:
        use_one_thread()
        self._settings, self._to, self._endings = settings, to, endings
        with contextlib.suppress(Exception):  # each picture fails for the same reason, and says so
            unit.prepare(settings)

    def __call__(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        source = Source(row["name"], row["url"], row["size"])
        return [{"source": source.name, "event": _to_text(event)} for event in self._events(source)]

    def _events(self, source: Source) -> list[Event]:
        if source.is_shard:
            return self._shard(source)
        output = self._settings.output_name(source.name)
        picture = ToRecode(source.name, output, url=source.url, target=storage.join(self._to, output))
        done = unit.recode_file(picture, self._settings).row
        return [Event(done, (done,))]

    def _shard(self, source: Source) -> list[Event]:
        writer, events, error = ShardWriter(source, self._to, self._settings), [], None
        try:
            for member in read_members(source, self._endings):
                if isinstance(member, Exception):
                    error = member
                elif not member.is_picture:
                    writer.add(member)
                else:
                    name, output = writer.member_names(member)
                    seen = writer.add(member, unit.recode(member.data, self._settings, name, output))
                    events.append(Event(seen))
            return [*events, end_of_shard(writer, source, error)]
        finally:
            writer.discard()


def _pass(
    ray: Any, sources: list[Source], settings: Settings, to: str, endings: frozenset[str], actors: int, per_task: int
) -> Generator[tuple[str, Event], None, None]:
    """Run Ray Data over the sources once. Yields each event with the name of its source."""
    rows = [dataclasses.asdict(source) for source in sources]
    data = ray.data.from_items(rows, override_num_blocks=ceil_div(len(rows), per_task))
    alone = per_task == 1
    actors_of_pass = ray.data.ActorPoolStrategy(
        size=min(actors, ceil_div(len(rows), per_task)), max_tasks_in_flight_per_actor=1 if alone else None
    )
    with warnings.catch_warnings():  # by default Ray repeats a task that kills its actor, without end
        warnings.simplefilter("ignore")
        data = data.flat_map(
            _Recoder, fn_constructor_args=(settings, to, endings), compute=actors_of_pass, num_cpus=1, max_restarts=-1,
            max_task_retries=int(alone),
        )  # fmt: skip
    for row in data.iter_rows():
        yield row["source"], _from_text(row["event"])


def _to_text(event: Event) -> str:
    return json.dumps(dataclasses.asdict(event))


def _from_text(text: str) -> Event:
    found = json.loads(text)
    seen = None if found["seen"] is None else _row(found["seen"])
    return Event(seen, tuple(_row(each) for each in found["settled"]))


def _row(fields: dict[str, Any]) -> Row:
    return Row(**(fields | {"notes": tuple(fields["notes"])}))


def _ray() -> Any:
    try:
        import ray  # type: ignore[import-not-found, import-untyped, unused-ignore]
        import ray.data  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        raise UsageError("the engine ray needs Ray: pip install 'lpcodec[ray]'") from None
    return ray


@contextlib.contextmanager
def _quiet() -> Generator[None, None, None]:
    """Within it Ray Data doesn't log its plan and resources. We count failures ourselves."""
    logger = logging.getLogger("ray.data")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextlib.contextmanager
def _changed(context: Any, **values: Any) -> Generator[None, None, None]:
    """Within it attributes of an object have these values; afterwards those from before."""
    before = {name: getattr(context, name) for name in values}
    for name, value in values.items():
        setattr(context, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(context, name, value)
