"""Labels: spellings of sector, relationship and tier brought to one, and NPS groups."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from loyaltykit import _checks, _frame, _refusals, _tally

if TYPE_CHECKING:
    from loyaltykit._typing import Array, Labelled, Values

Unknown = Literal["raise", "null", "other"]

# Spellings that customer registers hold, English and Indonesian, in the form `_simplified` gives.
_SECTOR_SPELLINGS = {
    "B2B": "b2b, b to b, btob, business to business, business, businesses, business customer, "
    "business client, company, companies, private company, private sector, corporate, corporation, "
    "enterprise, sme, smb, bisnis, perusahaan, korporat, korporasi, badan usaha, swasta, umkm, "
    "ukm, koperasi, pelanggan bisnis, klien bisnis",
    "B2C": "b2c, b to c, btoc, business to consumer, business to customer, consumer, consumers, "
    "end user, end users, individual, individuals, private individual, person, personal, "
    "household, households, konsumen, perorangan, perseorangan, individu, pribadi, rumah tangga, "
    "masyarakat, pelanggan perorangan",
    "B2G": "b2g, b to g, btog, business to government, government, governments, govt, gov, "
    "government agency, local government, central government, public sector, "
    "public administration, ministry, municipality, pemerintah, pemerintahan, pemerintah daerah, "
    "pemerintah pusat, instansi, instansi pemerintah, lembaga pemerintah, lembaga negara, "
    "badan pemerintah, kementerian, dinas, pemda, pemkab, pemkot, pemprov",
    "NPO": "npo, npos, ngo, ngos, nonprofit, nonprofits, non profit, not for profit, "
    "non governmental organization, non governmental organisation, nonprofit organization, "
    "nonprofit organisation, non profit organization, non profit organisation, "
    "not for profit organization, not for profit organisation, charity, charities, foundation, "
    "association, civil society, nirlaba, organisasi nirlaba, lembaga nirlaba, "
    "organisasi non profit, lembaga non profit, lembaga sosial, yayasan, perkumpulan, lsm, "
    "lembaga swadaya masyarakat, ormas",
}
_RELATIONSHIP_SPELLINGS = {
    "internal": "internal, intern, in house, inhouse, employee, employees, worker, staff, "
    "internal customer, karyawan, pegawai, pekerja, staf, dalam, pelanggan internal",
    "external": "external, extern, outside, customer, customers, client, clients, consumer, "
    "external customer, eksternal, ekstern, pelanggan, klien, konsumen, luar, pihak luar, "
    "pelanggan eksternal",
}
_TIER_SPELLINGS = {
    "prospect": "prospect, prospects, prospective, prospective customer, potential, "
    "potential customer, lead, leads, prospek, prospektif, potensial, calon, calon pelanggan, "
    "calon klien, calon pembeli, calon konsumen, pelanggan potensial, klien potensial, "
    "konsumen potensial",
    "new": "new, new customer, new customers, new client, first time, first time buyer, "
    "first time customer, one time, one time buyer, baru, pelanggan baru, klien baru, "
    "konsumen baru, pembeli baru",
    "repeat": "repeat, repeating, returning, recurring, repeat customer, repeat customers, "
    "repeat buyer, returning customer, returning customers, berulang, pelanggan berulang, "
    "klien berulang, konsumen berulang, langganan",
    "loyal": "loyal, loyal customer, loyal customers, loyal client, setia, pelanggan setia, "
    "pelanggan loyal, klien setia, klien loyal, konsumen setia, konsumen loyal",
}


def normalize_sector(values: Labelled[Values] | Array, *, unknown: Unknown = "raise") -> Values:
    """Map the spellings of a sector to B2B, B2C, B2G or NPO.

    Parameters
    ----------
    values : Series or 1-D array
        Labels in English or Indonesian. Case, blanks and punctuation do not matter; null stays
        null.
    unknown : {"raise", "null", "other"}, optional
        What becomes of a label that is none of the known spellings.

    Returns
    -------
    Series
        An ordered categorical B2B < B2C < B2G < NPO (and "other" last, where asked for), of the
        engine of `values`.

    Raises
    ------
    DataError
        If a label is unknown and ``unknown="raise"``.

    Examples
    --------
    >>> import loyaltykit as lk
    >>> lk.normalize_sector(["b2b", "Pemerintah", "non-profit", "perorangan"]).tolist()
    ['B2B', 'B2G', 'NPO', 'B2C']
    """
    made: Values = _normalized(values, _SECTOR_SPELLINGS, unknown)
    return made


def normalize_relationship(
    values: Labelled[Values] | Array, *, unknown: Unknown = "raise"
) -> Values:
    """Map the spellings of a relationship to internal or external.

    Parameters
    ----------
    values : Series or 1-D array
        Labels in English or Indonesian. Case, blanks and punctuation do not matter; null stays
        null.
    unknown : {"raise", "null", "other"}, optional
        What becomes of a label that is none of the known spellings.

    Returns
    -------
    Series
        An ordered categorical internal < external (and "other" last, where asked for), of the
        engine of `values`.

    Raises
    ------
    DataError
        If a label is unknown and ``unknown="raise"``.

    Examples
    --------
    >>> import loyaltykit as lk
    >>> lk.normalize_relationship(["Karyawan", "pelanggan"]).tolist()
    ['internal', 'external']
    """
    made: Values = _normalized(values, _RELATIONSHIP_SPELLINGS, unknown)
    return made


def normalize_loyalty_tier(
    values: Labelled[Values] | Array, *, unknown: Unknown = "raise"
) -> Values:
    """Map the spellings of a loyalty tier to prospect, new, repeat or loyal.

    Parameters
    ----------
    values : Series or 1-D array
        Labels in English or Indonesian. Case, blanks and punctuation do not matter; null stays
        null.
    unknown : {"raise", "null", "other"}, optional
        What becomes of a label that is none of the known spellings.

    Returns
    -------
    Series
        An ordered categorical prospect < new < repeat < loyal (and "other" last, where asked for),
        of the engine of `values`.

    Raises
    ------
    DataError
        If a label is unknown and ``unknown="raise"``.

    See Also
    --------
    loyalty_tier : The tier that a log of purchases shows.

    Examples
    --------
    >>> import loyaltykit as lk
    >>> lk.normalize_loyalty_tier(["Potensial", "baru", "Repeat ", "setia"]).tolist()
    ['prospect', 'new', 'repeat', 'loyal']
    """
    made: Values = _normalized(values, _TIER_SPELLINGS, unknown)
    return made


def nps_group(
    scores: Labelled[Values] | Array, *, promoter_min: int = 9, detractor_max: int = 6
) -> Values:
    """Label each answer detractor, passive or promoter.

    Parameters
    ----------
    scores : Series or 1-D array
        Answers on the scale 0 to 10; null and NaN stay null.
    promoter_min, detractor_max : int, optional
        The lowest answer of a promoter and the highest of a detractor.

    Returns
    -------
    Series
        An ordered categorical, detractor < passive < promoter, of the engine of `scores` (pandas
        for arrays and lists).

    Raises
    ------
    DataError
        If an answer is off the scale 0 to 10, fractional or not a number.
    ParameterError
        If the cut-offs overlap or leave the scale.

    Examples
    --------
    >>> import loyaltykit as lk
    >>> lk.nps_group([10, 8, 3]).tolist()
    ['promoter', 'passive', 'detractor']
    """
    points = (0, 10)
    promoter, detractor = _checks.check_nps_cutoffs(points, promoter_min, detractor_max)
    series = _frame.open_values(scores, "scores")
    named = series.alias(series.name or "scores")
    slots = _tally.slots(named, _tally.make_scale(points, ()), "Correct them, or make them null.")
    # One code per slot: eleven answers, then missing, which is null.
    answers = np.arange(11)
    codes = np.append((answers > detractor).astype(np.int64) + (answers >= promoter), -1)
    labels = ("detractor", "passive", "promoter")
    made: Values = _frame.categories(series, codes[slots], labels).to_native()
    return made


def _normalized(values: Any, spellings: Mapping[str, str], unknown: str) -> Any:
    _checks.check_choice("unknown", unknown, get_args(Unknown))
    series = _frame.open_values(values, "values")
    encoded = _frame.encode(series)
    labels = [*spellings, "other"] if unknown == "other" else list(spellings)
    lookup = {
        text: code for code, label in enumerate(spellings) for text in spellings[label].split(", ")
    }
    if unknown == "other":
        lookup["other"] = len(spellings)
    # A loop over the distinct labels, which are few.
    found = [lookup.get(_simplified(label)) for label in encoded.levels.to_list()]
    strange = np.array([code is None for code in found], dtype=np.bool_)
    used = np.zeros(len(found) + 1, dtype=np.bool_)
    used[encoded.codes] = True
    if unknown == "raise" and (strange & used[:-1]).any():
        rows = int((strange & used[:-1])[encoded.codes[encoded.codes >= 0]].sum())
        names = _frame.sample(encoded.levels, np.flatnonzero(strange & used[:-1]))
        _refusals.unknown_labels(series.name or "values", rows, names, list(spellings))
    rest = len(spellings) if unknown == "other" else -1
    codes = np.array([*(rest if code is None else code for code in found), -1], dtype=np.int64)
    return _frame.categories(series, codes[encoded.codes], labels).to_native()


def _simplified(label: object) -> str:
    """Return a label in lower case, with one blank between words and nothing else."""
    # Full-width letters become plain ones; "gov't" is one word.
    text = unicodedata.normalize("NFKC", str(label)).casefold().replace("'", "")
    words = "".join(c if c.isalnum() else " " for c in text)
    return " ".join(words.split())
