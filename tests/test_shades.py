"""Cells coloured by a number."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import Normalize, to_rgba
from matplotlib.figure import Figure

from loyaltykit import _shades

mpl.use("Agg")


def test_only_the_cells_of_the_mask_are_drawn() -> None:
    ax = Figure().subplots()
    values = np.array([[1.0, 2.0], [3.0, 4.0]])
    mesh = _shades.mesh(ax, values, values > 1, _shades.pale_to_dark(), Normalize(0, 4))
    assert np.ma.getmaskarray(mesh.get_array()).ravel().tolist() == [True, False, False, False]
    _shades.colour_bar(ax, mesh, "customers", "id", whole=True)
    (beside,) = ax.child_axes
    assert beside.get_xlabel() == "pelanggan"
    assert all(tick == round(tick) for tick in beside.get_yticks())


@pytest.mark.parametrize(("colour", "dark"), [("black", True), ("white", False), ("#777", False)])
def test_white_stands_out_on_dark(colour: str, dark: bool) -> None:
    assert bool(_shades.is_dark(np.array(to_rgba(colour)))) == dark
