"""How much of what customers pay stays: gross and net revenue retention, and earned growth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from loyaltykit import (
    _behaviour,
    _bootstrap,
    _checks,
    _estimates,
    _frame,
    _results,
    _revenue,
    _sources,
)
from loyaltykit.errors import ConcentrationWarning, ParameterError

if TYPE_CHECKING:
    from loyaltykit._typing import Data, Moment, Result, Seed

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

Method = Literal["bootstrap", "none"]
Like = Literal["chartmogul", "chargify", "saas_capital"]

_ANALYTIC = {"grr": "wilson", "nrr": "linearised", "earned_growth": "linearised"}
# What becomes of the amounts of returned customers, and how long a span is.
_LIKE = {"chartmogul": ("apart", 1), "chargify": ("counted", 1), "saas_capital": ("apart", 12)}
# An interval rests on few where its customers are worth fewer than these, and than this part of n.
_FEW, _PART = 10.0, 0.5
_MOST_DRAWS = 2_000_000_000


def revenue_retention(
    data: Data[Result],
    customer: str,
    time: str,
    amount: str,
    *,
    contract_end: str | None = None,
    freq: _checks.Frequency = "month",
    by: str | Sequence[str] | None = None,
    segments: Data[object] | None = None,
    as_of: Moment | None = None,
    observed_from: Moment | None = None,
    tz: str | None = None,
    errors: _checks.Errors = "raise",
    trailing: int | None = None,
    currency: str | None = None,
    referred: str | None = None,
    like: Like | None = None,
    method: Method | None = None,
    confidence_level: float = 0.95,
    rng: Seed | None = None,
    n_resamples: int = 9999,
) -> Result:
    r"""Return how much of the recurring amounts of a period's customers is left later.

    Of the customers with an amount s above 0 at the start, and e what each of them pays at the end,

    .. math:: GRR = 100 \frac{\sum \min(s, e)}{\sum s}, \quad NRR = 100 \frac{\sum e}{\sum s}

    in percent. Customers without an amount at the start are in neither. In every row

    .. math:: end = start + new + expansion - contraction - churned + reactivation.

    Parameters
    ----------
    data : DataFrame
        The log: one row per amount, such as an invoice or a month's fee, in any supported engine.
        With `contract_end`, one row per contract.
    customer, time : str
        Columns of the customer's id and of the date (a date type or ISO text); for contracts that
        of the start.
    amount : str
        Column of what the customer pays: in the period of the row, or in any one period in which
        the contract is in force. Amounts of one customer and period add up, duplicate rows
        included; where they add up to 0 the customer does not pay then.
    contract_end : str, optional
        Column of the end of each contract, as in `customer_flow`. The amount at a moment is that of
        all contracts in force. Needs `as_of`.
    freq : {"day", "week", "month", "quarter", "year"}, optional
        Length of the period. Weeks are ISO weeks, from Monday.
    by : str or sequence of str, optional
        Key columns, looked up in `segments` first and then in `data`, where they must not change
        within a customer.
    segments : DataFrame, optional
        Of the engine of `data`; one row per customer with the key columns, or one per change with a
        column ``valid_from``: the row that holds when the span from start to end opens decides. A
        customer without one has a null key.
    as_of : date, datetime or str, optional
        End of observation; a date means the end of that day, and so does a datetime at midnight or
        in a day's last second. By default the end of the last row's day. Later rows are left out.
    observed_from : date, datetime or str, optional
        The moment from which the data are complete; a date means its start. Earlier rows only tell
        who is not new.
    tz : str, optional
        Zone in which aware times are read, instead of their own.
    errors : {"raise", "coerce"}, optional
        Whether rows without customer, date or finite amount are refused, or left out with a
        warning; so too contracts that end before they start. Whoever is left out has not paid.
    trailing : int, optional
        Periods from start to end, 1 by default: ``trailing=12`` holds each month against the same
        one a year before. It takes the customers of then as they are now, and does not multiply
        monthly rates.
    currency : str, optional
        Column of the currency of each amount: several in one group are refused.
    referred : str, optional
        Column of true and false, or 1 and 0: whether the customer was referred by others; true in
        any row is true of the customer. Adds the metric earned_growth.
    like : {"chartmogul", "chargify", "saas_capital"} or None, optional
        A definition that is documented elsewhere. "chartmogul": as here, with ``trailing=1``.
        "chargify": net retention also counts what returned customers pay. "saas_capital":
        ``trailing=12`` by month. Another `trailing` beside it is refused; see Notes.
    method : {"bootstrap", "none"} or None, optional
        None is "wilson" for the gross rate, "linearised" for the others; see Notes. "bootstrap"
        draws customers anew in every row; "none" leaves the interval out.
    confidence_level : float, optional
        Between 0 and 1.
    rng : int or numpy.random.Generator, optional
        Where the draws of the bootstrap come from.
    n_resamples : int, optional
        How often it draws.

    Returns
    -------
    DataFrame
        A row per group, period and metric, "grr" and "nrr", in the engine of `data` (pandas for
        lazy and distributed ones): the keys, period (of the end), coverage, metric, n (customers
        who pay at the start), n_missing, retained (those of them who pay at the end), the amounts
        start, new, expansion, contraction, churned, reactivation and end; amount_sumsq,
        amount_start_sumsq and amount_cross, the sums of e squared, s squared and e times s;
        reactivated (customers) and reactivation_sumsq; logo_retention (retained of n in percent),
        estimate, std_error, ci_low, ci_high, n_effective, confidence_level, method, unit,
        definition, as_of. The movements are the same in the rows of all metrics.

        With `referred` also the metric "earned_growth", and after reactivation_sumsq the columns
        referred (new customers who were), referred_amount and referred_sumsq.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in the frame.
    DataError
        If an id, date or amount is missing or unreadable, the amounts of a customer in a period add
        up to less than 0, one group has several currencies, a contract ends before it starts, a key
        changes within a customer, or `segments` has two rows for one key.
    ParameterError
        If a parameter has a value that is not allowed, or one that contradicts another.

    Warns
    -----
    ConcentrationWarning
        If in some row the customers at the start are worth fewer than ten equal ones, and less than
        half of their number.
    DroppedRowsWarning
        If ``errors="coerce"`` left rows out.

    See Also
    --------
    retention_rate : The same of customers, with its interval.
    cohort_retention : Amounts by cohort and age.
    pool, compare : Take one metric's rows.

    Notes
    -----
    New are customers who never paid before; reactivation is what those pay who paid once, but not
    at the start. Contraction is what those pay less who stay, churned what those paid who pay
    nothing at the end. A contract that ends as it starts was paid once. An amount of contracts
    moves with the day; one of a log with the period, so that a fee for a year has to be spread over
    it, or to be a contract.

    Both sides are taken customer by customer. The smaller one of two totals is no gross rate: what
    one customer pays more would hide what another took back.

    The first rows, whose start was not observed, are "unobserved" and null; of contracts the first
    opening is known. A period that is running at `as_of` is "partial". Every amount of a row is
    that of the customers who belong to its group when its span opens; groups keep a row also where
    nobody pays at the start.

    The customers are a sample of what could have happened. Of a few large ones little can be
    known, whatever their number: they are worth

    .. math:: n_{eff} = \frac{(\sum s)^2}{\sum s^2}

    equal ones. The interval of the gross rate is Wilson's with that size. That of the net rate R is
    :math:`R \pm t \, se`, with the error of a linearised ratio,

    .. math:: se^2 = \frac{n}{n - 1} \frac{\sum (e - R s)^2}{(\sum s)^2},

    and Student's t with :math:`n_{eff} - 1` degrees of freedom, null below one; with n - 1 it would
    be too short. In a quiet month hardly any customer changes, and this error knows those alone who
    did: the interval takes none below that of the gross rate g with two customers more who stay,
    and two who leave [6]_,

    .. math:: se_{min}^2 = \frac{\tilde g (1 - \tilde g)}{n_{eff} + 4}, \quad
        \tilde g = \frac{g \, n_{eff} + 2}{n_{eff} + 4}.

    The column std_error is the linearised one, null where all customers have the same ratio. The
    lower limit is not below 0. The bootstrap knows nothing of those who might have changed, and is
    shorter than either interval where few customers are large. `docs/methods.md` shows how often
    all of them hold the truth.

    Earned growth is the net rate, and what referred new customers pay at the end in percent of the
    start, less 100 [1]_; its authors take a year against the one before. Not of all new customers'
    amounts: that share is larger, and adds up to nothing.

    ChartMogul's net and gross retention are these [2]_; but its net churn rate also counts what
    returned customers pay, and so is not what is left to 100 [3]_. Chargify's net churn rate does
    so too [4]_, and with ``like="chargify"`` the net rate is 100 less that. Both book events:
    whoever leaves and returns between start and end is churned there, and retained here. SaaS
    Capital asks for amounts of a month and those of a year before, each customer's capped for the
    gross rate [5]_.

    The sums of shards that are split by customer add up.

    References
    ----------
    .. [1] Reichheld, F., Darnell, D. and Burns, M. (2021). Winning on Purpose. Harvard Business
       Review Press, appendix B.
    .. [2] ChartMogul, "Net MRR Retention",
       https://help.chartmogul.com/hc/en-us/articles/6886664393500-Chart-Net-MRR-Retention
    .. [3] ChartMogul, "Net MRR Churn Rate",
       https://help.chartmogul.com/hc/en-us/articles/4414075567250-Chart-Net-MRR-Churn-Rate
    .. [4] Chargify, "Churn analytics", https://help.chargify.com/reports/churn-analytics.html
    .. [5] SaaS Capital, "2019 SaaS retention benchmarks",
       https://www.edocr.com/v/yol7ozkn/techcelerate/2019-saas-retention-benchmarks
    .. [6] Agresti, A. and Coull, B. A. (1998). Approximate is better than "exact" for interval
       estimation of binomial proportions. The American Statistician 52(2), 119-126.
       https://doi.org/10.1080/00031305.1998.10480550

    Examples
    --------
    Customer a pays 20 more, b 10 less, c and d stop, and e is new:

    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> log = pd.DataFrame(
    ...     {
    ...         "id": ["a", "b", "c", "d", "a", "b", "e"],
    ...         "month": ["2026-01-01"] * 4 + ["2026-02-01"] * 3,
    ...         "mrr": [100, 50, 30, 20, 120, 40, 70],
    ...     }
    ... )
    >>> table = lk.revenue_retention(log, "id", "month", "mrr", as_of="2026-02-28")
    >>> table[["metric", "start", "new", "expansion", "contraction", "churned", "end"]].tail(2)
      metric  start   new  expansion  contraction  churned    end
    2    grr  200.0  70.0       20.0         10.0     50.0  230.0
    3    nrr  200.0  70.0       20.0         10.0     50.0  230.0
    >>> table[["metric", "n", "retained", "logo_retention", "estimate", "n_effective"]].tail(2)
      metric  n  retained  logo_retention  estimate  n_effective
    2    grr  4         2            50.0      70.0     2.898551
    3    nrr  4         2            50.0      80.0     2.898551
    """
    reactivation, periods = _check_span(trailing, like, freq)
    draw = method == _estimates.BOOTSTRAP
    asked = _revenue.Asked(amount, periods, currency, referred, draw)
    if method is not None:
        _checks.check_choice("method", method, get_args(Method))
    level = _checks.check_confidence_level(confidence_level)
    draws = _checks.check_rng(rng), _checks.check_n_resamples(n_resamples)
    with _sources.turn(data):
        counted = _behaviour.count_log(
            data,
            customer,
            time,
            "revenue",
            contract_end=contract_end,
            freq=freq,
            by=by,
            segments=segments,
            as_of=as_of,
            observed_from=observed_from,
            tz=tz,
            errors=errors,
            asked=asked,
        )
    definition = _results.revenue_definition(
        freq, asked.trailing, reactivation, amount, contracts=contract_end is not None
    )
    metrics = ("grr", "nrr") if referred is None else ("grr", "nrr", "earned_growth")
    limits = _drawn(counted, metrics, definition, level, *draws) if asked.one_by_one else {}
    made: Result = _table(counted, metrics, definition, method, level, limits)
    return made


def _check_span(trailing: object, like: object, freq: object) -> tuple[str, int]:
    """Return what becomes of returned customers, and the periods from start to end."""
    given = None if trailing is None else _checks.check_integer("trailing", trailing, low=1)
    if like is None:
        return "apart", given or 1
    reactivation, periods = _LIKE[_checks.check_choice("like", like, tuple(_LIKE))]
    if given not in (None, periods):
        msg = f"trailing={given} contradicts like={like!r}, whose span is {periods}. Give one."
        raise ParameterError(msg)
    if periods == 12 and freq != "month":
        msg = f"freq={freq!r} contradicts like={like!r}, which takes months. Leave freq out."
        raise ParameterError(msg)
    return reactivation, periods


def _table(
    counted: _revenue.Counts,
    metrics: Sequence[str],
    definition: str,
    method: str | None,
    level: float,
    limits: Mapping[str, tuple[FloatArray, FloatArray]],
) -> Any:
    """Return a row for each group, period and metric."""
    size, span, width = counted.table.shape
    known, partial = np.tile(counted.known, size), np.zeros(span, dtype=np.bool_)
    partial[-1:] = not counted.complete
    partial = np.tile(partial, size) & known
    names = (*_revenue.SUMS, *_revenue.REFERRED_SUMS)[:width]
    sums = dict(zip(names, counted.table.reshape(size * span, width).T, strict=True))
    amounts = _results.amounts_of("earned_growth")
    counts: dict[str, npt.NDArray[Any]] = {
        name: np.where(known, values, np.nan) if name in amounts else _integers(values, known)
        for name, values in sums.items()
    }
    n = counts.pop("n")
    made = [
        _results.metric_table(
            _frame.rows(counted.keys, np.repeat(np.arange(size), span)),
            metric,
            counts,
            n,
            np.ma.masked_array(np.zeros(len(n), dtype=np.int64), mask=np.ma.nomask),
            before={
                "period": np.tile(counted.starts, size),
                "coverage": _results.coverage(known & ~partial, partial),
            },
            after={"as_of": np.full(len(n), counted.as_of)},
            limits=limits.get(metric),
            method=method or _ANALYTIC[metric],
            confidence_level=level,
            definition=definition,
        )
        for metric in metrics
    ]
    _warn_of_few({name: np.ma.filled(values, 0) for name, values in sums.items()}, method)
    stacked = _frame.stack([_frame.open_frame(table) for table in made])
    order = np.arange(len(stacked)).reshape(len(metrics), -1).T.ravel()
    return _frame.rows(stacked, order).to_native()


def _integers(values: FloatArray, known: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    return np.ma.masked_array(np.rint(values).astype(np.int64), mask=~known)


def _warn_of_few(sums: Mapping[str, FloatArray], method: str | None) -> None:
    """Warn of intervals that rest on far fewer customers than a reader of n would think."""
    worth = _estimates.effective_customers(sums)
    few = np.flatnonzero((worth < _FEW) & (worth < _PART * sums["n"]))
    if method == "none" or not few.size:
        return
    least = few[np.argmin(worth[few])]
    _checks.warn(
        f"In {_checks.rows(len(few))} the amounts at the start lie with few customers: in the "
        f"worst, {sums['n'][least]:,.0f} are worth {worth[least]:.1f} equal ones. Their intervals "
        "rest on these few; see n_effective. Read large customers one by one, or split them off.",
        ConcentrationWarning,
    )


# ---- bootstrap ----------------------------------------------------------------------------------


def _drawn(
    counted: _revenue.Counts,
    metrics: Sequence[str],
    definition: str,
    level: float,
    rng: np.random.Generator,
    n_resamples: int,
) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return the limits of each metric, from customers drawn anew in every group and period."""
    moves = counted.moves
    if moves is None:
        return {}
    size, span = counted.table.shape[:2]
    code = moves.customer * span + moves.period
    # By amounts too, so that what is drawn does not depend on the order of rows.
    order = np.lexsort((moves.end, moves.start, code))
    if len(order) * n_resamples > _MOST_DRAWS:
        msg = (
            f"method='bootstrap' would draw {len(order):,} customers {n_resamples:,} times over: "
            f"too many. Take n_resamples={max(_MOST_DRAWS // len(order), 100):,}, or leave method "
            "out: with as many customers the plain interval serves as well."
        )
        raise ParameterError(msg)
    code, start, end, new = code[order], moves.start[order], moves.end[order], moves.new[order]
    base = start > 0
    nobody = np.zeros_like(base)
    others = {"grr": nobody, "nrr": nobody}
    if _estimates.kind("nrr", definition) == _estimates.NET_AND_RETURNED:
        others["nrr"] = ~base & ~new
    if moves.referred is not None:
        others["earned_growth"] = ~base & new & moves.referred[order]
    limits = {}
    for metric in metrics:
        rows = np.flatnonzero(base | others[metric])
        top = np.minimum(start, end) if metric == "grr" else end
        low, high = _bootstrap.ratio(
            code[rows],
            top[rows],
            start[rows],
            size * span,
            level,
            rng=rng,
            n_resamples=n_resamples,
        )
        less = 100.0 if metric == "earned_growth" else 0.0
        limits[metric] = 100.0 * low - less, 100.0 * high - less
    return limits
