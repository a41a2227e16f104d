"""A picture's symbols at one quality, group by group, and the payload that they make.

groups --range coder--> the stream of each --payload.py--> payload
"""

from collections.abc import Iterable

from lpcodec.codec.families.hyperprior import payload
from lpcodec.codec.families.hyperprior.entropy import Group
from lpcodec.codec.freed import give_back
from lpcodec.entropy.coder import Encoder, SymbolsHash, symbols_hash


class HyperpriorCoded:
    """A picture's symbols at one quality. `bits` is their ideal size.

    Args:
        groups: in coding order.
        keep: whether the attribute `groups` holds them, up to 22 bytes per pixel; their bytes are then made on demand.
            If not, each group is turned into bytes as it comes, and `groups` is empty.
    """

    def __init__(self, groups: Iterable[Group], keep: bool = True) -> None:
        self.groups = list[Group]()
        self._streams, self._hash = list[bytes](), SymbolsHash()
        bits = list[float]()
        for group in groups:
            bits += [run.tables.bits(run.symbols, run.indexes) for run in group.runs]
            if keep:
                self.groups.append(group)
                continue
            self._streams.append(_stream(group))
            for run in group.runs:
                self._hash.add(run.symbols)
        if not keep:  # a large picture
            give_back()
        self.bits = float(sum(bits))

    @property
    def symbols_hash(self) -> bytes:
        return groups_hash(self.groups) if self.groups else self._hash.digest()

    def payloads(self) -> tuple[bytes]:
        return (payload.join(self._streams or [_stream(group) for group in self.groups]),)


def _stream(group: Group) -> bytes:
    """The range-coded stream of a group."""
    encoder = Encoder()
    for run in group.runs:
        encoder.put(run.symbols, run.indexes, run.tables)
    return encoder.finish()


def groups_hash(groups: list[Group]) -> bytes:
    """The 4-byte hash of all coded symbols, in coding order."""
    return symbols_hash(*(run.symbols for g in groups for run in g.runs))
