"""Peak memory of a codec: a process that codes one picture once, above what it had before.

    fresh process: import, load weights, code a small piece --reset the peak--> encode --> MB above the start
    fresh process: the same                                 --reset the peak--> decode --> MB above the start

The peak is the resident set as Linux counts it, reset beforehand, after freed memory was given back. Elsewhere there
is no such figure. A command runs in a process of its own, whose peak is taken whole.
"""

import gc
import multiprocessing
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

from lpcodec.codec.evaluation.run.workers import Setup, become_worker, end_quietly
from lpcodec.codec.freed import give_back

Result = TypeVar("Result")

MOST_SECONDS = 600.0
MB = 10**6
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peaks(name: str, path: Path, setup: Setup) -> tuple[float | None, float | None]:
    """MB (10**6 bytes) to encode and to decode the picture at `path` at the codec's middle setting, None if it can't
    be measured."""
    return _in_process(name, path, setup, encodes=True), _in_process(name, path, setup, encodes=False)


def _in_process(name: str, path: Path, setup: Setup, *, encodes: bool) -> float | None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(theirs, name, path, setup, encodes), daemon=True)
    process.start()
    theirs.close()
    try:
        answer: float | None = ours.recv() if ours.poll(MOST_SECONDS) else None
    except (EOFError, OSError):  # it died: the points of this codec say how
        answer = None
    finally:
        process.terminate()
        process.join()
        ours.close()
    return answer


def _measure(pipe: Connection, name: str, path: Path, setup: Setup, encodes: bool) -> None:
    become_worker(setup.threads)
    from lpcodec.codec.evaluation.codecs.registry import find_codec
    from lpcodec.codec.evaluation.run.originals import load_original

    answer = None
    try:
        chosen = find_codec(name, setup.commands, setup.threads)
        codec, setting = chosen.codec, chosen.settings[len(chosen.settings) // 2]
        pixels = load_original(path, "").pixels
        whole_process = chosen.about.kind == "command"
        if not whole_process:
            codec.decode(codec.encode(pixels[:64, :64], setting))
        if encodes:
            _, answer = _peak(lambda: codec.encode(pixels, setting), whole_process)
        else:
            data = codec.encode(pixels, setting)
            _, answer = _peak(lambda: codec.decode(data), whole_process)
    except Exception:
        answer = None  # whatever fails here fails as a point too, and is reported there
    end_quietly()
    pipe.send(answer)


def _peak(action: Callable[[], Result], whole_process: bool) -> tuple[Result, float | None]:
    """What `action` returns, and the MB that it took: above the resident set at its start, or of its child."""
    if whole_process:
        result = action()
        return result, _children_mb()
    try:
        gc.collect()
        give_back()
        _CLEAR.write_text("5")  # the peak starts again from what is resident now
        before = _status_mb("VmRSS")
        result = action()
        return result, _status_mb("VmHWM") - before
    except OSError:
        return action(), None


def _status_mb(field: str) -> float:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024 / MB
    raise OSError(f"no {field}")


def _children_mb() -> float | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, the others kilobytes
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / MB
