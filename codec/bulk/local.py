"""The engine of one machine: worker processes with one thread each, which load the weights once.

The worker that recodes a picture also reads and writes its file. Shards are read and written here, in order, and
workers recode only their members. So all workers can work on one shard.
"""

import tarfile
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from lpcodec.codec import storage
from lpcodec.codec.bulk import unit
from lpcodec.codec.bulk.processes import Died, Item, in_order
from lpcodec.codec.bulk.shards import Member, ShardWriter, members
from lpcodec.codec.bulk.sources import Source
from lpcodec.codec.bulk.unit import Recoded, Row, Settings, ToRecode


@dataclass(frozen=True)
class Event:
    """What an engine reports. `seen` is a picture that was recoded or failed, if any. `settled` are the rows that are
    final and go to the manifest; those of the pictures in a shard are final when the shard is."""

    seen: Row | None
    settled: tuple[Row, ...] = ()


@dataclass(frozen=True)
class _End:
    """The end of a shard, in place of a member. `error` is set if the shard couldn't be read to its end."""

    error: Exception | None = None


_Place = tuple[Source, Member | _End | None]
"""A source, and which part of it: a member or the end of a shard, or None for a file that is a picture."""


def run(
    sources: Sequence[Source], settings: Settings, to: str, endings: frozenset[str], workers: int
) -> Generator[Event, None, None]:
    """Recode `sources` into the folder or URL `to`, by `workers` processes. Closing the iterator stops them."""
    results = in_order(
        _items(sources, settings, to, endings),
        partial(unit.recode_file, settings=settings),
        workers=workers,
        prepare=partial(unit.prepare, settings),
    )
    writer: ShardWriter | None = None
    try:
        for (source, member), result in results:
            if member is None:
                done = _coded(result, source.name, settings.output_name(source.name), source.size).row
                yield Event(done, (done,))
                continue
            if writer is None:
                writer = ShardWriter(source, to, settings)
            if isinstance(member, Member):
                coded_member = (
                    _coded(result, *writer.member_names(member), len(member.data)) if member.is_picture else None
                )
                row = writer.add(member, coded_member)
                if row is not None:
                    yield Event(row)
                continue
            current, writer = writer, None
            yield end_of_shard(current, source, member.error)
    finally:
        results.close()
        if writer is not None:
            writer.discard()


def end_of_shard(writer: ShardWriter, source: Source, error: Exception | None) -> Event:
    """Finish a shard, or discard it if it couldn't be read or can't be written."""
    if error is None:
        try:
            return Event(None, writer.finish())
        except Exception as failed:
            error = failed
    writer.discard()
    row = unit.failure(source.name, writer.output, error, source.size)
    return Event(row, (row,))


def read_members(source: Source, endings: frozenset[str]) -> Iterator[Member | Exception]:
    """The members of a shard, and at the end the error that stopped the reading, if one did."""
    try:
        yield from members(source, endings)
    except (tarfile.TarError, OSError, EOFError) as error:
        yield error


def _items(
    sources: Sequence[Source], settings: Settings, to: str, endings: frozenset[str]
) -> Iterator[Item[_Place, ToRecode]]:
    for source in sources:
        if not source.is_shard:
            output = settings.output_name(source.name)
            yield Item((source, None), ToRecode(source.name, output, url=source.url, target=storage.join(to, output)))
            continue
        error = None
        for member in read_members(source, endings):
            if isinstance(member, Exception):
                error = member
            else:
                picture = ToRecode(member.info.name, "", data=member.data) if member.is_picture else None
                yield Item((source, member), picture, len(member.data))
        yield Item((source, _End(error)))


def _coded(result: Recoded | Died | None, name: str, output: str, size: int) -> Recoded:
    """A result with the names that it has in the manifest. If the process died, that is the picture's error."""
    if isinstance(result, Recoded):
        return Recoded(result.data, replace(result.row, name=name, output=output))
    how = result.how if result is not None else "no result"
    return Recoded(None, unit.failure(name, output, f"the process died over this picture: {how}", size))
