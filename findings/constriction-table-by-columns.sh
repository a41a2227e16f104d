#!/bin/sh
# constriction reads a table of probabilities that lies by columns as if it lay by rows.
#
# Versions: constriction 0.5.0, numpy 2.4.6.
# Input: 500 symbols of 0..3 and a float64 table (500, 4), a distribution for each symbol, for `Categorical(perfect=False)`
#   without own probabilities. The table is given as it is, and as the transpose of a (4, 500) array, with equal values: so
#   it lies in memory if the classes were the first axis of a network's output, as in (channels, height, width).
# Expected: the same bytes for equal arrays; or the error that every other array gets that isn't contiguous
#   ("The given array is not contiguous or is misaligned.").
# Seen: no error. Each symbol gets four numbers from the wrong places of the table (they are scaled to a sum of 1 without
#   a word): 2080 bits instead of 544. Whoever decodes with the same transpose gets the right symbols, so a test of the
#   round trip passes and nothing but the rate shows it; a decoder with the rows in order gets other symbols. The range
#   coder and the ANS coder do the same, and so does `perfect=True`.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check constriction==0.5.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import constriction
import numpy

queue, stack = constriction.stream.queue, constriction.stream.stack
generator = numpy.random.default_rng(0)
by_rows = generator.dirichlet([0.3] * 4, size=500)
by_columns = numpy.ascontiguousarray(by_rows.T).T
assert numpy.array_equal(by_rows, by_columns) and by_columns.flags.f_contiguous
symbols = numpy.array([generator.choice(4, p=row) for row in by_rows], numpy.int32)
print(f"information of the symbols: {-numpy.log2(by_rows[numpy.arange(500), symbols]).sum():.0f} bits")


def range_coded(family, table):
    coder = queue.RangeEncoder()
    coder.encode(symbols, family, table)
    return coder.get_compressed(), queue.RangeDecoder


def ans_coded(family, table):
    coder = stack.AnsCoder()
    coder.encode_reverse(symbols, family, table)
    return coder.get_compressed(), stack.AnsCoder


as_seen = []
for perfect in (False, True):
    family = constriction.stream.model.Categorical(perfect=perfect)
    for coded in (range_coded, ans_coded):
        bits = []
        for title, table in (("by rows", by_rows), ("by columns", by_columns)):
            words, decoder = coded(family, table)
            bits.append(32 * len(words))
            same = numpy.array_equal(decoder(words).decode(family, table), symbols)
            other = numpy.array_equal(decoder(words).decode(family, by_rows), symbols)
            print(f"perfect={perfect}, {coded.__name__}, {title}: {bits[-1]} bits; decoded with the same table: {same}, by rows: {other}")
            as_seen.append(same and other == (table is by_rows))
        as_seen.append(bits[1] > 3 * bits[0])
try:
    range_coded(constriction.stream.model.Categorical(perfect=False), numpy.repeat(by_rows, 2, axis=1)[:, ::2])
    as_seen.append(False)
except Exception as error:
    print("every second column of a wider table:", error)
raise SystemExit(0 if all(as_seen) else 1)
PYTHON
