"""Recurring revenue in memory: how the amounts of customers moved from one period to a later one.

Everything follows from what each customer pays in a period and what he pays so many periods later.
The sums of shards that are split by customer add up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import (
    _calendar,
    _codes,
    _cohort_rows,
    _contracts,
    _frame,
    _logs,
    _parallel,
    _refusals,
    _splits,
)

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

# Sums over the customers of a group and period, in the order of the tables. Those who are referred
# are counted only where a column says who they are.
SUMS = (
    *("n", "retained", "start", "new", "expansion", "contraction", "churned", "reactivation"),
    *("end", "amount_sumsq", "amount_start_sumsq", "amount_cross"),
    *("reactivated", "reactivation_sumsq"),
)
REFERRED_SUMS = ("referred", "referred_amount", "referred_sumsq")
NEW, REFERRED = "lk new", "lk referred"
START, END = "lk start amount", "lk end amount"
CELL = {name: _frame.OWN + name for name in (*SUMS, *REFERRED_SUMS)}
# What is left of amounts that cancel out is rounding.
ROUNDING = 1e-9
_LATE = np.iinfo(np.int64).max
_MOST_CELLS = 1 << 14


class Asked(NamedTuple):
    """Which amounts are held against which, and what else is to be known of customers.

    ``one_by_one`` asks for the movements of the customers beside their sums, for the bootstrap.
    """

    amount: str
    trailing: int = 1
    currency: str | None = None
    referred: str | None = None
    one_by_one: bool = False

    @property
    def columns(self) -> dict[str, str]:
        """Return the columns that are asked for, by parameter."""
        roles = ("amount", "currency", "referred")
        return {role: getattr(self, role) for role in roles if getattr(self, role) is not None}

    @property
    def sums(self) -> tuple[str, ...]:
        """Return the names of what is added up."""
        return SUMS if self.referred is None else (*SUMS, *REFERRED_SUMS)


class Moves(NamedTuple):
    """What customers pay in a base period and so many periods later, a row for each of both.

    ``period`` is the later one, counted from the first; a customer has a row where either amount is
    above 0. ``new`` says that the customer never paid up to the base, ``referred`` may be None.
    """

    customer: IntArray
    period: IntArray
    start: FloatArray
    end: FloatArray
    new: BoolArray
    referred: BoolArray | None


class Counts(NamedTuple):
    """The sums of a log or of contracts: groups down, periods across, then `Asked.sums`.

    Only groups that are present have a row. ``known`` says of which periods the base is; ``moves``
    are those of `Asked.one_by_one`, their customers replaced by their groups.
    """

    keys: _frame.Frame
    table: FloatArray
    starts: npt.NDArray[np.datetime64]
    known: BoolArray
    complete: bool
    as_of: np.datetime64
    moves: Moves | None


class Paid(NamedTuple):
    """What customers pay, by distinct pair of customer and period, sorted; all above 0.

    ``first`` is the first period in which each customer paid, `_LATE` for never.
    """

    customer: IntArray
    period: IntArray
    amount: FloatArray
    first: IntArray


def counted(
    frame: _frame.Frame,
    customer: str,
    time: str,
    *,
    by: Sequence[str],
    lookup: _frame.Frame | None,
    freq: str,
    as_of: Any,
    tz: str | None,
    errors: str,
    asked: Asked,
    contract_end: str | None = None,
    observed_from: Any = None,
) -> Counts:
    """Add up the movements of a log, or of contracts, in memory."""
    options: dict[str, Any] = {"as_of": as_of, "tz": tz, "errors": errors}
    frame, amount = _cohort_rows.with_amounts(frame, asked.amount, errors)
    if contract_end is None:
        log = _logs.read_log(frame, customer, time, ordered=False, **options)
        active, paid = _paid_of_log(log, _kept(log, amount), freq, observed_from, asked.amount)
    else:
        contracts = _contracts.read(frame, customer, time, contract_end, **options)
        log = contracts.log
        active, paid = _paid_of_contracts(
            contracts, _kept(log, amount), freq, observed_from, asked.amount
        )
    if asked.currency is not None and asked.currency not in by:
        own = by if lookup is None else []
        cells = _frame.group(frame, [*own, asked.currency])
        there = _frame.rows(cells.keys, _codes.unique(_kept(log, cells.codes)))
        refuse_currencies(there, asked.currency, own)
    referred = None
    if asked.referred is not None:
        told = _kept(log, _frame.flags(frame[asked.referred]))
        referred = who_is_referred(log.customer, told, len(log.ids))
    split = _splits.read_split(frame, log, customer, by, lookup)
    opens = known_from(active, contracts=contract_end is not None)
    moves, table = moved(paid, split, active, opens, asked, referred)
    present = _present(table[:, active.lead :], by)
    keys = _splits.keys_of(split, present)
    return _assembled(keys, table, present, moves, active, log.end, asked, opens)


def from_cells(
    cells: _frame.Frame,
    by: Sequence[str],
    active: _logs.Activity,
    end: np.datetime64 | None,
    asked: Asked,
    *,
    contracts: bool,
) -> Counts:
    """Put together what was added up elsewhere: rows of keys, PERIOD and `Asked.sums`.

    Of `Asked.one_by_one` rows of keys, PERIOD, START, END, NEW, REFERRED, and N, how many are
    alike. Of ``active`` only the periods matter, not the customers.
    """
    groups = _frame.group(cells, by)
    place = cells[_frame.PERIOD].to_numpy().astype(np.int64) - active.first
    moves = None
    if asked.one_by_one:
        moves = _moves_of_cells(cells, groups.codes, place, asked)
        table = _table_of(moves, groups.size, active, asked)
    else:
        size = groups.size * active.span
        _logs.refuse_blow_up(size, active)
        code = groups.codes * active.span + place
        sums = (cells[CELL[name]].to_numpy().astype(np.float64) for name in asked.sums)
        table = np.stack([_codes.added(code, values, size) for values in sums], axis=-1)
        table = table.reshape(groups.size, active.span, len(asked.sums))
    present = _present(table[:, active.lead :], by)
    keys = _frame.rows(groups.keys, present)
    opens = known_from(active, contracts=contracts)
    return _assembled(keys, table, present, moves, active, end, asked, opens)


def rows_of(
    moves: Moves, table: FloatArray, active: _logs.Activity, asked: Asked
) -> tuple[IntArray, dict[str, npt.NDArray[Any]]]:
    """Return a group for each row of `from_cells`, and the columns beside its keys."""
    if not asked.one_by_one:
        group, place = np.nonzero(table.any(axis=2))
        sums = zip(asked.sums, table[group, place].T, strict=True)
        return group, {
            _frame.PERIOD: active.first + place,
            **{CELL[name]: values for name, values in sums},
        }
    columns = {
        _frame.PERIOD: active.first + moves.period,
        START: moves.start,
        END: moves.end,
        NEW: moves.new,
        _frame.N: np.ones(len(moves.period), dtype=np.int64),
    }
    columns |= {} if moves.referred is None else {REFERRED: moves.referred}
    return moves.customer, columns


def no_rows(asked: Asked) -> dict[str, npt.NDArray[Any]]:
    """Return the columns of `rows_of` where nobody pays."""
    nobody = _logs.nobody(0, 0, "day")
    none, flags = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_)
    moves = Moves(
        none, none, np.zeros(0), np.zeros(0), flags, None if asked.referred is None else flags
    )
    return rows_of(moves, np.zeros((0, 0, len(asked.sums))), nobody, asked)[1]


def _moves_of_cells(cells: _frame.Frame, group: IntArray, place: IntArray, asked: Asked) -> Moves:
    rows = np.repeat(np.arange(len(cells)), cells[_frame.N].to_numpy().astype(np.int64))
    start, end = (cells[name].to_numpy().astype(np.float64)[rows] for name in (START, END))
    flags = [NEW] if asked.referred is None else [NEW, REFERRED]
    told = [cells[name].to_numpy().astype(np.bool_)[rows] for name in flags]
    return Moves(group[rows], place[rows], start, end, told[0], told[1] if told[1:] else None)


def _present(table: FloatArray, by: Sequence[str]) -> IntArray:
    """Return the groups that have customers; the only one of no keys if there are periods."""
    if not by and table.shape[1]:
        return np.zeros(1, dtype=np.int64)
    return np.flatnonzero(table.any(axis=(1, 2)))


def who_is_referred(customer: IntArray, told: BoolArray, size: int) -> BoolArray:
    """Return which customers a row says to be referred."""
    referred = np.zeros(size, dtype=np.bool_)
    referred[customer[told]] = True
    return referred


def _kept(log: _logs.Log, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return values if log.kept is None else values[log.kept]


def _assembled(
    keys: _frame.Frame,
    table: FloatArray,
    present: IntArray,
    moves: Moves | None,
    active: _logs.Activity,
    end: np.datetime64 | None,
    asked: Asked,
    opens: int,
) -> Counts:
    """Return the sums of the periods reported, of which the first ones may have no known base."""
    known = np.arange(active.lead, active.span) >= opens + asked.trailing
    if not asked.one_by_one:
        moves = None
    elif moves is not None:
        groups = np.searchsorted(present, moves.customer)
        moves = moves._replace(customer=groups, period=moves.period - active.lead)
    starts = _logs.starts(active)[active.lead :]
    complete = _logs.last_is_complete(end, active)
    table = table[present, active.lead :]
    return Counts(keys, table, starts, known, complete, _logs.as_of_day(end), moves)


def known_from(active: _logs.Activity, *, contracts: bool) -> int:
    """Return the first period whose amounts are known, by place.

    Of contracts it is known who was in force when the first one reported opens.
    """
    return max(active.lead - contracts, 0)


# ---- what customers pay -------------------------------------------------------------------------


def _paid_of_log(
    log: _logs.Log, amount: FloatArray, freq: str, observed_from: Any, name: str
) -> tuple[_logs.Activity, Paid]:
    since = _logs.first_reported(observed_from, log.end, log.zone, freq)
    if log.end is None or not len(log.times):
        return _logs.nobody(0, 0, freq), _nothing(len(log.ids))
    codes, first, _ = _calendar.periods(log.times, freq)
    active = _logs.from_first(first, log.end, since, freq)
    place = _logs.places(codes.astype(np.int64) + first, active)
    return active, paid_of(log.customer, place, amount, active, len(log.ids), log.ids, name)


def _paid_of_contracts(
    contracts: _contracts.Contracts, amount: FloatArray, freq: str, observed_from: Any, name: str
) -> tuple[_logs.Activity, Paid]:
    log = contracts.log
    since = _logs.first_reported(observed_from, log.end, log.zone, freq)
    if log.end is None or not len(log.times):
        return _logs.nobody(0, 0, freq), _nothing(len(log.ids))
    ranges = _contracts.ranges(log.times, contracts.ends, log.end, freq)
    first = int(_calendar.period_codes(_calendar.day_numbers(log.times.min()[np.newaxis]), freq)[0])
    active = _contracts.periods(_logs.from_first(first, log.end, since, freq))
    return active, paid_in_force(log.customer, ranges, amount, active, log.ids, name)


def paid_in_force(
    who: IntArray,
    ranges: _contracts.Ranges,
    amount: FloatArray,
    active: _logs.Activity,
    ids: _frame.Series,
    name: str,
) -> Paid:
    """Return what customers pay whose contracts are given as ranges, at every closing."""
    inside = (ranges.first <= ranges.last) & (ranges.last >= active.first)
    rows = np.flatnonzero(inside)
    low = np.maximum(ranges.first[rows] - active.first, 0)
    length = ranges.last[rows] - active.first - low + 1
    _contracts.refuse_many(int(length.sum()), active.freq)
    place, amounts = _codes.runs(low, length), np.repeat(amount[rows], length)
    paid = paid_of(np.repeat(who[rows], length), place, amounts, active, len(ids), ids, name)
    # Who joined and left within a period, or before all that are reported, is not new later.
    brief = np.flatnonzero(~inside & (ranges.began > _contracts.NEVER) & (amount > 0))
    np.minimum.at(paid.first, who[brief], np.maximum(ranges.began[brief] - active.first, 0))
    return paid


def _nothing(size: int) -> Paid:
    none = np.zeros(0, dtype=np.int64)
    return Paid(none, none, np.zeros(0), np.full(size, _LATE))


def paid_of(
    who: IntArray,
    place: IntArray,
    amount: FloatArray,
    active: _logs.Activity,
    size: int,
    ids: _frame.Series,
    name: str,
) -> Paid:
    """Return the amounts of distinct pairs of customer and place; refuse those below 0.

    Amounts of one customer and place add up. All that was before the periods reported stands in the
    first place, and says no more than who paid then.
    """
    code = who * active.span + place
    pairs = _codes.distinct(code, size * active.span)
    total = _codes.added_of(code, pairs, amount, size * active.span)
    customer = pairs // active.span
    period = pairs - customer * active.span
    if (amount < 0).any():
        turned = _codes.added_of(code, pairs, np.abs(amount), size * active.span)
        total[np.abs(total) <= ROUNDING * turned] = 0.0
        before = (period < active.lead) & (active.lead > 1)
        below = np.flatnonzero((total < 0) & ~before)
        if below.size:
            owners = _codes.unique(customer[below])
            shown = _frame.sample(ids, owners)
            _refusals.negative_amounts(name, len(below), active.freq, shown)
    rows = np.flatnonzero(total > 0)
    customer, period = customer[rows], period[rows]
    first = np.full(size, _LATE)
    begins = _codes.starts_of_runs(customer)
    first[customer[begins]] = period[begins]
    return Paid(customer, period, total[rows], first)


def refuse_currencies(there: _frame.Frame, currency: str, own: Sequence[str]) -> None:
    """Refuse amounts of several currencies that would be added up in one group.

    There are the distinct rows of the groups and their currencies.
    """
    groups = _frame.group(there, own) if own else None
    if len(there) > (1 if groups is None else groups.size):
        found = _frame.python_values(there[currency])
        _refusals.several_currencies(currency, list(dict.fromkeys(found)))


# ---- how it moves -------------------------------------------------------------------------------


def moved(
    paid: Paid,
    split: _splits.Split,
    active: _logs.Activity,
    opens: int,
    asked: Asked,
    referred: BoolArray | None,
) -> tuple[Moves, FloatArray]:
    """Return the movements, with groups for customers, and their sums by group and period."""
    moves = moves_of(paid, active, opens, asked.trailing, referred)
    moves = moves._replace(customer=groups_of(moves, split, active, asked.trailing))
    return moves, _table_of(moves, split.length + 1, active, asked)


def _table_of(moves: Moves, groups: int, active: _logs.Activity, asked: Asked) -> FloatArray:
    size, width = groups * active.span, len(asked.sums)
    _logs.refuse_blow_up(size, active)
    code = moves.customer * active.span + moves.period
    return added(moves, code, size, width).reshape(groups, active.span, width)


def moves_of(
    paid: Paid, active: _logs.Activity, opens: int, trailing: int, referred: BoolArray | None
) -> Moves:
    """Return who pays what in each base period from ``opens`` on, and so many periods later."""
    customer, period, amount, span = paid.customer, paid.period, paid.amount, active.span
    start, stays = _held_against(customer * span + period, amount, trailing)
    ends = np.flatnonzero(period >= trailing + opens)
    gone = np.flatnonzero(~stays & (period >= opens) & (period + trailing < span))
    payer, lost = customer[ends], customer[gone]
    # Whoever paid at the base is not new.
    new = np.zeros(len(ends) + len(gone), dtype=np.bool_)
    new[: len(ends)] = paid.first[payer] > period[ends] - trailing
    who = np.concatenate([payer, lost])
    return Moves(
        who,
        np.concatenate([period[ends], period[gone] + trailing]),
        np.concatenate([start[ends], amount[gone]]),
        np.concatenate([amount[ends], np.zeros(len(gone))]),
        new,
        None if referred is None else referred[who],
    )


def _held_against(key: IntArray, amount: FloatArray, trailing: int) -> tuple[FloatArray, BoolArray]:
    """Return the amounts that lie so many keys before, 0 for none, and which have one after them.

    The keys are sorted. The first and last periods of customers meet those of others there.
    """
    start, stays = np.zeros(len(key)), np.zeros(len(key), dtype=np.bool_)
    if trailing == 1:  # neighbours: a search takes far longer
        follows = np.diff(key) == 1
        start[1:], stays[:-1] = amount[:-1] * follows, follows
        return start, stays
    place = np.searchsorted(key, key - trailing)
    rows = np.flatnonzero(key[place] == key - trailing)
    start[rows] = amount[place[rows]]
    stays[place[rows]] = True
    return start, stays


def groups_of(
    moves: Moves, split: _splits.Split, active: _logs.Activity, trailing: int
) -> IntArray:
    """Return each row's group as of the opening of its span of periods."""
    day = _logs.starts(active).astype(np.int64)
    return _splits.groups_at(split, moves.customer, day[moves.period - trailing + 1])


def added(moves: Moves, codes: IntArray, size: int, width: int) -> FloatArray:
    """Return the sums of `SUMS`, and of those referred where they are known, of each code."""
    per = max(_parallel.BLOCK, size)
    index = {name: at for at, name in enumerate((*SUMS, *REFERRED_SUMS))}

    def add(part: slice) -> FloatArray:
        sums = np.zeros((width, size))
        for block in _parallel.blocks(part, per):
            told = None if moves.referred is None else moves.referred[block]
            for rows, one, values in _values(
                moves.start[block], moves.end[block], moves.new[block], told
            ):
                own = codes[block][rows]
                if one:
                    sums[[index[name] for name in one]] += np.bincount(own, minlength=size)
                for name, value in values.items():
                    sums[index[name]] += np.bincount(own, weights=value, minlength=size)
        return sums

    # Each thread has a table of its own, so that large ones are added up in one.
    whole = [slice(0, len(codes))]
    parts = _parallel.in_parts(add, len(codes)) if size <= _MOST_CELLS else map(add, whole)
    made: FloatArray = sum(parts, np.zeros((width, size))).T
    return made


def _values(
    start: FloatArray, end: FloatArray, new: BoolArray, referred: BoolArray | None
) -> Iterator[tuple[IntArray | slice, tuple[str, ...], dict[str, FloatArray]]]:
    """Yield customers, the `SUMS` to which each adds 1, and what they add to others.

    Those who stay, who leave, who are new and who return add to few sums each: rows that add
    nothing are not looked at.
    """
    base, pays = start > 0, end > 0
    yield slice(None), (), {"start": start, "end": end, "amount_start_sumsq": start * start}
    rows = np.flatnonzero(base & pays)
    s, e = start[rows], end[rows]
    change = e - s
    yield (
        rows,
        ("n", "retained"),
        {
            "expansion": np.maximum(change, 0.0),
            "contraction": np.maximum(-change, 0.0),
            "amount_sumsq": e * e,
            "amount_cross": s * e,
        },
    )
    rows = np.flatnonzero(base & ~pays)
    yield rows, ("n",), {"churned": start[rows]}
    fresh = ~base & new
    rows = np.flatnonzero(fresh)
    yield rows, (), {"new": end[rows]}
    rows = np.flatnonzero(~base & ~new)
    e = end[rows]
    yield rows, ("reactivated",), {"reactivation": e, "reactivation_sumsq": e * e}
    if referred is not None:
        rows = np.flatnonzero(fresh & referred)
        e = end[rows]
        yield rows, ("referred",), {"referred_amount": e, "referred_sumsq": e * e}
