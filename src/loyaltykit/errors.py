"""Every exception and warning that loyaltykit raises on purpose."""

__all__ = [
    "ColumnNotFoundError",
    "ConcentrationWarning",
    "ConvergenceWarning",
    "DataError",
    "DroppedRowsWarning",
    "EmptyRiskSetWarning",
    "LoyaltyKitError",
    "ParameterError",
    "ScaleWarning",
]


def __dir__() -> list[str]:
    return __all__


class LoyaltyKitError(ValueError):
    """Base of all errors: catch this one to catch them all."""


class ColumnNotFoundError(LoyaltyKitError):
    """A column named in the call is not in the frame."""


class ParameterError(LoyaltyKitError):
    """A parameter has a value that is not allowed, or that another one rules out."""


class DataError(LoyaltyKitError):
    """The data hold something that cannot become a true number."""


class ScaleWarning(UserWarning):
    """The answers look as if they were given on a shorter scale than the one named."""


class DroppedRowsWarning(UserWarning):
    """Rows were left out because ``errors="coerce"`` asked for it."""


class ConvergenceWarning(UserWarning):
    """An iteration stopped before it met its aim: what it returns is not what was asked."""


class ConcentrationWarning(UserWarning):
    """A number rests on far fewer customers than are counted: few of them hold the amounts."""


class EmptyRiskSetWarning(UserWarning):
    """Everyone at risk had the event, and more come under observation later: the curve stays 0."""
