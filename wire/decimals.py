"""Values of many series end to end, written as decimals where that is what they are.

Instruments print: 230.12 is 23012 and two decimals, a third of its float64 after
compression. A form is chosen by reading it back and comparing every bit, so nothing
is ever rounded, and -0.0, NaN and infinities come back as they went.

``counts`` is how many of the ``values`` float64 [n] are each series': int64 [s], or one number where all
are equally long.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from wire.batch import Times, Values
from wire.columns import FLOAT32, INT32
from wire.errors import UnknownFormError
from wire.times import any_of_each

SHORT, EXACT = 254, 255  # forms of values: float32, float64; a smaller one is a number of decimals
POWERS = np.array([float(f"1e{decimals}") for decimals in range(23)])  # a float64 holds no larger one exactly
DECIMAL_FORMS = bytes(range(len(POWERS)))
# Which are tried: none, or as many as instruments print; a larger mantissa than 32 bits hold never fits.
TRIED = POWERS[:11, None]
DIVISORS = np.ones(256)  # by form
DIVISORS[: len(POWERS)] = POWERS
FORMS = np.array([*range(len(TRIED)), SHORT], np.uint8)
PROBES = 8  # values of each series that are looked at first: some print most of theirs without a fraction
KEPT = 4096  # probes for which powers are kept laid out
ALL = np.uint64(0x0101010101010101)  # eight flags that are set
NO_MANTISSAS, NO_SHORT, NO_EXACT = np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0)

Flags = npt.NDArray[np.bool_]
Forms = npt.NDArray[np.uint8]
Mantissas = npt.NDArray[np.int32]


class ValueColumns(NamedTuple):
    """``forms`` uint8 [s]; the others hold the series of their form."""

    forms: Forms
    mantissas: Mantissas
    short: npt.NDArray[np.float32]
    exact: Values


@np.errstate(invalid="ignore", over="ignore")  # what does not fit is found by comparing
def written(values: Values, counts: Times | int) -> ValueColumns:
    """The columns that ``read`` makes the same values of, bit by bit."""
    probes = _probes(values, counts)
    forms, mantissas = _decimals(values, counts, probes)
    if mantissas is not None and SHORT not in forms.tobytes():
        return ValueColumns(forms=forms, mantissas=mantissas, short=NO_SHORT, exact=NO_EXACT)
    if mantissas is None and not _any(probes.astype(FLOAT32).astype(np.float64) == probes):
        forms.fill(EXACT)
        return ValueColumns(forms=forms, mantissas=NO_MANTISSAS, short=NO_SHORT, exact=values)
    short = values.astype(FLOAT32)
    other = short.astype(np.float64).view(np.int64) != values.view(np.int64)
    forms[(forms == SHORT) & any_of_each(other, np.broadcast_to(counts, forms.shape))] = EXACT
    return ValueColumns(
        forms=forms,
        mantissas=NO_MANTISSAS if mantissas is None else mantissas[(forms < SHORT).repeat(counts)],
        short=short[(forms == SHORT).repeat(counts)],
        exact=values[(forms == EXACT).repeat(counts)],
    )


def read(columns: ValueColumns, counts: Times) -> Values:
    """The values; lengths and forms have been looked at."""
    forms = columns.forms
    values = np.empty(counts.sum())
    decimal = forms < SHORT
    powers = POWERS[forms[decimal]].repeat(counts[decimal])
    values[decimal.repeat(counts)] = columns.mantissas / powers
    values[(forms == SHORT).repeat(counts)] = columns.short
    values[(forms == EXACT).repeat(counts)] = columns.exact
    return values


def check_forms(forms: Forms) -> None:
    wrong = (forms >= len(POWERS)) & (forms < SHORT)
    if wrong.any():
        raise UnknownFormError(
            f"expected 0 to {len(POWERS) - 1} decimals, {SHORT} or {EXACT} as the form of values,"
            f" got {forms[wrong][0]}"
        )


def _decimals(values: Values, counts: Times | int, probes: Values) -> tuple[Forms, Mantissas | None]:
    """The fewest decimals that every value of a series has, ``SHORT`` where it is not made of such.

    A few values of each series say how many it might be; all of them are tried with that, and the
    first value that does not fit says how many it needs.
    """
    forms = _enough(probes)
    while len(values) and min(forms.tobytes()) < SHORT:
        divisors = DIVISORS.take(forms).repeat(counts)
        mantissas: Mantissas = np.rint(values * divisors).astype(INT32)
        found = mantissas / divisors
        if found.tobytes() == values.tobytes():
            return forms, mantissas
        different = np.flatnonzero(found.view(np.int64) != values.view(np.int64))
        ends = np.broadcast_to(counts, forms.shape).cumsum()
        owners, places = np.unique(ends.searchsorted(different, "right"), return_index=True)
        wrong = forms[owners] < SHORT
        if not wrong.any():
            return forms, mantissas
        owners, needed = (
            owners[wrong],
            _enough(values[different[places[wrong]]].repeat(PROBES).reshape(-1, PROBES)),
        )
        forms[owners] = np.where(needed > forms[owners], needed, SHORT)
    return forms, None


def _probes(values: Values, counts: Times | int) -> Values:
    """Eight values of each series [s, 8], from the first to the last; any value of an empty one."""
    if isinstance(counts, int) and counts >= PROBES:
        step = (counts - 1) // (PROBES - 1)
        return values.reshape(-1, counts)[:, : step * (PROBES - 1) + 1 : step].copy()
    each = np.broadcast_to(counts, len(values) // counts) if isinstance(counts, int) else counts
    places = (each.cumsum() - each)[:, None] + (each - 1)[:, None] * np.arange(PROBES) // (PROBES - 1)
    return values[np.minimum(places, len(values) - 1)] if len(values) else np.zeros(places.shape)


def _enough(values: Values) -> Forms:
    """The fewest decimals with which all ``values`` of a row [s, 8] could be written, else ``SHORT``."""
    tried = values.reshape(-1)
    powers = _powers(tried.size) if tried.size <= KEPT else TRIED
    found = tried * powers
    np.rint(found, out=found)
    found /= powers
    fits = found == tried
    if not _any(fits):
        return FORMS[-1:].repeat(len(values))
    enough = np.empty((len(FORMS), len(values)), np.bool_)
    enough[-1] = True
    np.equal(fits.view(np.uint64), ALL, out=enough[:-1])
    forms: Forms = FORMS.take(enough.argmax(axis=0))
    return forms


@lru_cache(maxsize=4)
def _powers(many: int) -> Values:
    """``TRIED`` for so many values: what is laid out already is multiplied twice as quickly."""
    powers: Values = TRIED.repeat(many, axis=1)
    return powers


def _any(flags: Flags) -> bool:
    """Like ``flags.any()``, at a fifth of its price for a few of them."""
    return b"\1" in flags.tobytes()
