"""Words and numbers of pictures and pages in the reader's language: English or Indonesian.

The English text is the key, so that code reads as the picture does. Tables and errors stay English.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

from loyaltykit import _checks

Language = Literal["en", "id"]
LANGUAGES: Final[tuple[str, ...]] = get_args(Language)

INDONESIAN: Final[dict[str, str]] = {
    # What a row or a picture has nothing of.
    "missing": "kosong",
    "no answers": "tidak ada jawaban",
    "no customers": "tidak ada pelanggan",
    "no data": "tidak ada data",
    "no estimate": "tidak ada estimasi",
    "no estimates": "tidak ada estimasi",
    "no known start": "awal tidak diketahui",
    "no rows": "tidak ada baris",
    "not reached": "belum tercapai",
    # Units.
    "percent": "persen",
    "percentage points": "poin persentase",
    "points": "poin",
    "ratio": "rasio",
    "scale points": "poin skala",
    "tn": "T",
    "bn": "M",
    "M": "jt",
    "k": "rb",
    # Coverage.
    "observed": "teramati",
    "partial": "belum lengkap",
    "unobserved": "belum teramati",
    "hollow and dashed: partial": "kosong dan putus-putus: belum lengkap",
    "without {periods}, still running": "tanpa {periods}, masih berjalan",
    # Intervals and base sizes.
    "{level}% interval": "interval {level}%",
    "{first} to {last}": "{first} sampai {last}",
    "{level} against {reference}": "{level} dibanding {reference}",
    "and": "dan",
    "All": "Semua",
    # Metrics.
    "retention rate": "tingkat retensi",
    "churn rate": "tingkat churn",
    "cohort retention": "retensi kohor",
    "cohort revenue": "pendapatan kohor",
    "quick ratio": "rasio cepat",
    "earned growth": "pertumbuhan organik",
    "restricted mean": "rata-rata terbatas",
    "survival quantile": "kuantil bertahan",
    "tier transitions": "perpindahan tingkat",
    # How it was counted.
    "by {value}": "per {value}",
    "of {value}": "dari {value}",
    "{value} window": "jendela {value}",
    "trailing {value}": "{value} periode terakhir",
    "amount {value}": "jumlah {value}",
    "with reactivation": "dengan reaktivasi",
    "day": "hari",
    "week": "minggu",
    "month": "bulan",
    "quarter": "kuartal",
    "year": "tahun",
    "days": "hari",
    "weeks": "minggu",
    "months": "bulan",
    "quarters": "kuartal",
    "years": "tahun",
    "calendar": "kalender",
    "rolling": "bergulir",
    "rule": "aturan",
    "on": "tepat",
    "on or after": "tepat atau sesudah",
    "grace": "masa tenggang",
    "denominator": "penyebut",
    "average": "rata-rata",
    "start plus new": "awal ditambah baru",
    "renewal due": "jatuh tempo",
    "contract": "kontrak",
    "counts": "hitungan",
    # Answers.
    "Share of answers, percent": "Bagian dari jawaban, persen",
    "promoters": "promotor",
    "passives": "pasif",
    "detractors": "detraktor",
    "Answer": "Jawaban",
    "Share of each answer": "Bagian tiap jawaban",
    "Share of each answer, by weight": "Bagian tiap jawaban, menurut bobot",
    "highest bar: {share}": "batang tertinggi: {share}",
    "{number} missing": "{number} kosong",
    # Flows, and the times between purchases.
    "Customer flow": "Arus pelanggan",
    "Customers": "Pelanggan",
    "retained": "bertahan",
    "returned": "kembali",
    "new": "baru",
    "churned": "berhenti",
    "migrated in": "pindah masuk",
    "migrated out": "pindah keluar",
    "at the end": "di akhir periode",
    "Time between activities": "Jarak antaraktivitas",
    "Days from one to the next": "Hari dari satu ke berikutnya",
    "Times": "Banyaknya",
    "Times, by {days} days": "Banyaknya, per {days} hari",
    "Within, percent": "Sampai jarak ini, persen",
    "No gap proposed": "Tidak ada jarak yang diusulkan",
    "Proposed gap: {days} days ({share} within)": "Jarak usulan: {days} hari (mencakup {share})",
    # Cohorts and tiers.
    "Age of the cohort": "Umur kohor",
    "age {age}": "umur {age}",
    "at 0 all lines are at 100%, above the picture": (
        "pada 0 semua garis ada di 100%, di atas gambar"
    ),
    "Tier transitions": "Perpindahan tingkat",
    "From": "Dari",
    "To": "Ke",
    # Customers one by one: their tiers, stages and scores.
    "Loyalty tiers": "Tingkat loyalitas",
    "customers": "pelanggan",
    "prospect": "prospek",
    "lapsed": "tidak aktif",
    "repeat": "berulang",
    "loyal": "setia",
    "Stages of life": "Tahap pelanggan",
    "acquisition": "akuisisi",
    "onboarding": "orientasi",
    "retention": "retensi",
    "at risk": "berisiko",
    "advocacy": "advokasi",
    "Recency and frequency": "Kebaruan dan frekuensi",
    "Recency score ({best} = latest)": "Skor kebaruan ({best} = terbaru)",
    "Frequency score ({best} = most often)": "Skor frekuensi ({best} = tersering)",
    "without a purchase: {number}": "tanpa pembelian: {number}",
    "champions": "juara",
    "loyal customers": "pelanggan setia",
    "potential loyalists": "calon setia",
    "new customers": "pelanggan baru",
    "promising": "menjanjikan",
    "need attention": "perlu perhatian",
    "about to sleep": "hampir tidak aktif",
    "cant lose": "jangan sampai hilang",
    "hibernating": "lama tidak aktif",
    # Survival.
    "Survival": "Ketahanan pelanggan",
    "Still customers": "Masih pelanggan",
    "Duration": "Durasi",
    "Duration (strokes: censored)": "Durasi (garis kecil: tersensor)",
    "At risk": "Masih diamati",
    "Median": "Median",
    "median {median}": "median {median}",
    # Comparisons.
    "Difference in {name}": "Selisih {name}",
    "p adjusted by Holm, comparisons: {number}": "p disesuaikan cara Holm, perbandingan: {number}",
    "p adjusted by Benjamini and Hochberg, comparisons: {number}": (
        "p disesuaikan cara Benjamini dan Hochberg, perbandingan: {number}"
    ),
    "p not adjusted, comparisons: {number}": "p tidak disesuaikan, perbandingan: {number}",
    "clear: p below {limit}": "jelas: p di bawah {limit}",
    "the rest": "lainnya",
    "may be chance": "mungkin kebetulan",
    # Scorecards.
    "clear change from the period before": "perubahan yang jelas dari periode sebelumnya",
    "total": "total",
    "sector": "sektor",
    "tier": "tingkat loyalitas",
    "relationship": "hubungan",
    "channel": "kanal",
    # Pages.
    "Customer scorecard": "Kartu skor pelanggan",
    "Estimates with intervals and base sizes.": (
        "Estimasi dengan interval dan banyaknya jawaban atau pelanggan."
    ),
    "The latest periods that are observed in full.": "Periode terakhir yang teramati penuh.",
    "Observed until {day}.": "Teramati sampai {day}.",
    "Lines are intervals; every panel has an axis of its own.": (
        "Garis adalah interval; setiap panel punya sumbu sendiri."
    ),
    "change not known": "perubahan tidak diketahui",
    "no clear change from {period} ({by})": "belum jelas berubah sejak {period} ({by})",
    "clear rise from {period}": "naik dengan jelas sejak {period}",
    "clear fall from {period}": "turun dengan jelas sejak {period}",
    "All periods: {count} rows": "Semua periode: {count} baris",
    "name": "nama",
    "group": "kelompok",
    "period": "periode",
    "estimate": "estimasi",
    "interval": "interval",
    "change": "perubahan",
    "How to read this": "Cara membaca",
    "Definitions": "Definisi",
    "The range below a number holds the true value in {level}% of such surveys or periods.": (
        "Rentang di bawah angka memuat nilai sebenarnya pada {level}% survei atau periode seperti "
        "ini."
    ),
    "n is how many answers or customers a number rests on.": (
        "n adalah banyaknya jawaban atau pelanggan di balik angka itu."
    ),
    "A clear rise or fall is more than chance would explain, also given how many changes "
    "were looked at; without one, nothing is shown to have moved.": (
        "Naik atau turun dengan jelas berarti lebih dari sekadar kebetulan, juga mengingat "
        "banyaknya perubahan yang diperiksa; tanpa itu, perubahan belum terbukti."
    ),
    # Changes and revenue.
    "Change in {name}": "Perubahan {name}",
    "Total change": "Perubahan total",
    "mix": "komposisi",
    "within": "dalam segmen",
    "Revenue bridge": "Jembatan pendapatan",
    "Amount": "Jumlah",
    "start": "awal",
    "reactivation": "reaktivasi",
    "expansion": "ekspansi",
    "contraction": "kontraksi",
    "end": "akhir",
    "gained": "bertambah",
    "lost": "berkurang",
}

# A point becomes a comma and a comma a point, in one pass.
_SEPARATORS: Final = str.maketrans(",.", ".,")


def check_language(language: object) -> str:
    """Return ``language`` when there are words of it here."""
    return _checks.check_choice("language", language, LANGUAGES)


def say(text: str, language: str, /, **places: object) -> str:
    """Return a text of ours in the language, with its places filled; numbers by `number`.

    A text that has no Indonesian is a mistake of ours, and a KeyError.
    """
    return (INDONESIAN[text] if language == "id" else text).format(**places)


def word(name: str, language: str) -> str:
    """Return what may be a word of ours, such as a unit; a word of the caller's stays as it is."""
    plain = name.replace("_", " ")
    return INDONESIAN.get(plain, plain) if language == "id" else plain


def number(value: float, form: str, language: str) -> str:
    """Return a number in a form such as ``"{:,.1f}%"``, with the separators of the language."""
    return localised(form.format(value), language)


def localised(number: str, language: str) -> str:
    """Return a number that is written the English way with the separators of the language."""
    return number.translate(_SEPARATORS) if language == "id" else number
