"""P-values adjusted for how many of them were looked at."""

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

Adjust = Literal["holm", "bh", "none"]
ADJUSTMENTS: tuple[str, ...] = get_args(Adjust)


def adjusted(p: FloatArray, adjust: str) -> FloatArray:
    r"""Return the adjusted p-values of a family: reject where they are at most the level.

    With the m p-values in ascending order,

    .. math:: \tilde p_{(i)} = \min\Bigl(1, \max_{j \le i} (m - j + 1) \, p_{(j)}\Bigr)
        \;\text{(Holm)}, \qquad
        \tilde p_{(i)} = \min\Bigl(1, \min_{j \ge i} \frac{m}{j} \, p_{(j)}\Bigr)
        \;\text{(Benjamini-Hochberg)}.

    Holm's keep the chance of any false rejection below the level, whatever the dependence;
    Benjamini and Hochberg's keep the expected share of false rejections below it, where the
    p-values are independent or positively dependent.

    Parameters
    ----------
    p : array of shape (rows,)
        P-values in [0, 1]. NaN, where there is no test, stays NaN and does not count in m.
    adjust : {"holm", "bh", "none"}
        Taken as already checked.

    Returns
    -------
    array of shape (rows,)
        A new array; never below ``p``.

    References
    ----------
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal
    of Statistics 6(2), 65-70. https://www.jstor.org/stable/4615733

    Benjamini, Y. and Hochberg, Y. (1995). Controlling the false discovery rate: a practical and
    powerful approach to multiple testing. Journal of the Royal Statistical Society B 57(1),
    289-300. https://doi.org/10.1111/j.2517-6161.1995.tb02031.x
    """
    made = np.array(p, dtype=np.float64)
    tested = np.flatnonzero(~np.isnan(made))
    if adjust == "none" or not tested.size:
        return made
    order = tested[np.argsort(made[tested], kind="stable")]
    rank = np.arange(1, order.size + 1)
    if adjust == "holm":
        steps = np.maximum.accumulate((order.size + 1 - rank) * made[order])
    else:
        # m / rank first: exactly 1 for the largest p, which then stays as it is.
        steps = np.minimum.accumulate((order.size / rank * made[order])[::-1])[::-1]
    made[order] = np.minimum(steps, 1.0)
    return made
