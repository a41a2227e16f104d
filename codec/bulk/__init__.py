"""Very many pictures, on one machine or on a cluster: what `lpcodec batch` runs.

```
sources.py      folders, globs, lists and tar shards -> names, places and sizes
unit.py         one picture: bytes -> bytes and facts, a pure function; one file: read, recode, write
shards.py       one tar shard: members in, members out
processes.py    worker processes: jobs in, results out, in order
local.py        the engine of one machine       cluster.py    the engine of a Ray cluster
manifest.py     what was done, as JSON lines, so that a stopped run goes on
run.py          all of it together
```
"""
