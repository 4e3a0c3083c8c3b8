"""What callers may hand in and what they get back, for type checkers; nothing of it runs.

Kinds of frames are told by methods that only they have: no engine needs to be installed, and what
comes back is typed as the caller's own frame. A checker that cannot solve `Result`, as for
queries and arrays, takes its default, which is what the library returns for these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from typing import Any, Protocol, TypeAlias

    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    from typing_extensions import TypeVar

    Result = TypeVar("Result", covariant=True, default=pd.DataFrame)
    Values = TypeVar("Values", covariant=True, default=pd.Series[Any])

    class Eager(Protocol[Result]):
        """A frame of pandas or Polars; Dask has no `transpose`, and a column no plain `corr`."""

        def corr(self) -> Result: ...
        def transpose(self) -> object: ...

    class Arrow(Protocol[Result]):
        """A table of PyArrow."""

        def replace_schema_metadata(self) -> Result: ...

    class Collected(Protocol):
        """A query of Polars or Spark."""

        @property
        def collect(self) -> Callable[..., object]: ...

    class Fetched(Protocol):
        """A relation of DuckDB."""

        @property
        def fetchall(self) -> Callable[..., object]: ...

    class Computed(Protocol):
        """A frame of Dask."""

        @property
        def compute(self) -> Callable[..., object]: ...

    class Limited(Protocol[Result]):
        """A query, of those but Dask's."""

        def limit(self, n: int, /) -> Result: ...

    class Partitions(Protocol[Result]):
        """A frame of Dask."""

        def persist(self) -> Result: ...

    class Column(Protocol[Result]):
        """A series of pandas or Polars."""

        def to_frame(self) -> Result: ...

    class Labelled(Protocol[Values]):
        """The same, where a series of other values comes back."""

        def to_frame(self) -> object: ...
        def shift(self) -> Values: ...

    # In memory.
    Table: TypeAlias = Eager[Result] | Arrow[Result]
    # The same, or queries that are counted and come back as pandas.
    Data: TypeAlias = Table[Result] | Collected | Fetched | Computed
    # The same, where queries come back as queries.
    Rows: TypeAlias = Table[Result] | Limited[Result] | Partitions[Result]
    # One array.
    Array: TypeAlias = (
        list[Any] | tuple[Any, ...] | range | npt.NDArray[Any] | pd.api.extensions.ExtensionArray
    )
    # A frame, or one column of answers.
    Answers: TypeAlias = Data[Result] | Column[Result] | Array

    Moment: TypeAlias = str | dt.date | np.datetime64
    Seed: TypeAlias = int | np.random.Generator
