"""Coverage-guided fuzzing of the parsers with atheris (`pip install atheris`, which is for Linux and macOS).

    python -m tests.fuzz.harness container --seconds 600        one target, from the repository's root
    tests/fuzz/run 600                                          all of them, and what they covered

The corpus is kept in `fuzz/TARGET/` below the current folder and grows from the seeds; a finding is written to
`fuzz/TARGET-crash-...`, and `python -m tests.fuzz.harness TARGET FILE` runs it alone. `--coverage FILE` runs the corpus
once and writes which share of the lines of each module of ours it reached, with what libFuzzer said in
`fuzz/TARGET.log` of the inputs that were tried.
"""

import argparse
import datetime
import hashlib
import json
import re
import sys
from pathlib import Path

MODULES = ("lpcodec.codec.container", "lpcodec.codec.lossless", "lpcodec.codec.alpha", "lpcodec.codec.cells",
           "lpcodec.codec.decoding", "lpcodec.codec.inspection", "lpcodec.codec.picture", "lpcodec.entropy.coder",
           "lpcodec.entropy.tables")  # fmt: skip
MOST_BYTES = 8192  # more than the largest seed has


def corpus(name: str) -> Path:
    """The folder of a target's inputs, with its seeds in it."""
    from tests.fuzz.targets import seeds

    folder = Path("fuzz") / name
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds(name):
        (folder / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    return folder


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one target; never returns: libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["lpcodec", "tests.fuzz"]):  # what is imported here for the first time
        from tests.fuzz.targets import TARGETS

    words = [f"-max_total_time={seconds}", f"-max_len={MOST_BYTES}", "-timeout=30", "-rss_limit_mb=4096"]
    words += [f"-artifact_prefix=fuzz/{name}-", "-print_final_stats=1", str(corpus(name))]
    atheris.Setup([sys.argv[0], *words], TARGETS[name])
    atheris.Fuzz()


def covered(name: str, out: Path) -> None:
    """Run the corpus of a target, or those of all, once and write the share of lines that they reach, by module."""
    import coverage

    measured = coverage.Coverage(source_pkgs=list(MODULES), branch=True)
    measured.start()
    from tests.fuzz.targets import TARGETS

    inputs = {each: sorted(corpus(each).iterdir()) for each in (TARGETS if name == "all" else [name])}
    for each, files in inputs.items():
        for path in files:
            TARGETS[each](path.read_bytes())
    measured.stop()
    shares = {}
    for module in MODULES:
        _, statements, _, missing, _ = measured.analysis2(sys.modules[module])
        shares[module] = round(1 - len(missing) / len(statements), 3)
    document = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "targets": {each: {"corpus": len(files), **_tried(each)} for each, files in inputs.items()},
        "lines": shares,
    }
    out.write_text(json.dumps(document, indent=1) + "\n")
    print(json.dumps(document, indent=1))


def _tried(name: str) -> dict[str, int]:
    """How many inputs libFuzzer tried, and for how many seconds; nothing if there is no log of it."""
    log = Path("fuzz") / f"{name}.log"
    done = re.search(r"^Done (\d+) runs in (\d+) second", log.read_text(errors="replace") if log.exists() else "", re.M)
    return {} if done is None else {"tried": int(done[1]), "seconds": int(done[2])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", help="a key of targets.TARGETS; all, with --coverage")
    parser.add_argument("inputs", nargs="*", type=Path, help="run these files alone")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--coverage", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.coverage:
        covered(options.target, options.coverage)
    elif options.inputs:
        from tests.fuzz.targets import TARGETS

        for path in options.inputs:
            TARGETS[options.target](path.read_bytes())
    else:
        fuzz(options.target, options.seconds)


if __name__ == "__main__":
    main()
