"""The columns of daily measures: what each is, in which unit, how it is defined, and whose definition that is."""

from __future__ import annotations

from dataclasses import dataclass

from app.har.measures.timeline import NODES
from app.har.vocabulary import ANYTHING, NOT_WORN, normalised

OWN = "Kinelab"
VAN_HEES_2013 = "van Hees et al., PLoS ONE 8(4): e61691, 2013"
VAHA_YPYA_2015 = "Vähä-Ypyä et al., Clin Physiol Funct Imaging 35: 64-70, 2015"
TROIANO = "Troiano et al., Med Sci Sports Exerc 40(1): 181-8, 2008"
SBRN = "terms of Tremblay et al., Int J Behav Nutr Phys Act 14: 75, 2017; gaps: Kinelab"
HDCZA = "van Hees et al., Sci Rep 8: 12975, 2018 (wrist); Kinelab (from lying)"
SALVI = "after Salvi et al., EMBC 2018; measured: docs/BENCHMARKS.md"
FOUND = "Kinelab; measured: docs/BENCHMARKS.md (transitions)"
PUBLISHED = "the publication in cut_points"


@dataclass(frozen=True)
class Column:
    """A column of the tables of days and hours."""

    name: str
    unit: str  # "" of a text
    definition: str
    source: str
    only_of_days: bool = False


def column_of(node: str) -> str:
    """Return the name of the column with the minutes of an activity."""
    other = {ANYTHING: "no_answer"}
    return f"{other.get(node, normalised(node).replace(' ', '_'))}_min"


_DEFINED = {
    ANYTHING: "Minutes in which something was recorded, and no activity is sure enough, known, or long enough",
    NOT_WORN: "Minutes in which the device recorded and nobody wore it: not moved for an hour, or so recognised",
}
ACTIVITIES = tuple(
    Column(
        column_of(node),
        "min",
        _DEFINED.get(node, f"Minutes answered “{node}”, no deeper and no less deep; corrected answers count"),
        VAN_HEES_2013 + " (an hour still)" if node == NOT_WORN else OWN,
    )
    for node in NODES
)
COLUMNS: tuple[Column, ...] = (
    Column("date", "", "The day, from local midnight to midnight; “day 1” where no time of day is known", OWN),
    Column("start", "", "When the period begins: local time with its offset from UTC", OWN),
    Column("hours", "h", "How long the period is: a day of a change of clocks has 23 or 25 h", OWN),
    Column("recordings", "number", "How many recordings are of the period; no moment counts twice", OWN),
    Column("signal_h", "h", "Hours in which something was recorded", OWN),
    Column("no_signal_h", "h", "Hours in which nothing was recorded", OWN),
    Column("worn_h", "h", "Hours recorded without those in which nobody wore the device", OWN),
    Column(
        "valid", "true or false", "Whether worn_h reaches what the site asks of a day: VALID_DAY_HOURS, 10 unless set",
        TROIANO, only_of_days=True,
    ),
    *ACTIVITIES,
    Column("steps", "number", "Steps while answered to be on foot; empty where a sensor cannot tell", SALVI),
    Column(
        "sit_to_stand", "number",
        "How often somebody stood up from sitting; empty where a model was taught no transitions", FOUND,
    ),
    Column("sit_to_stand_mean_s", "s", "How long standing up took, from the first move to standing: the mean", FOUND),
    Column("sedentary_min", "min", "Minutes answered sitting, lying, or either, outside the rest window", SBRN),
    Column(
        "sedentary_bouts_30", "number",
        "Bouts of at least 30 min, where they begin: sedentary without standing or moving between, and without more "
        "than 60 s of which nothing is known",
        SBRN,
    ),
    Column("sedentary_bouts_60", "number", "The same of at least 60 min", SBRN),
    Column("sedentary_30_min", "min", "Sedentary minutes in bouts of at least 30 min", SBRN),
    Column("sedentary_60_min", "min", "Sedentary minutes in bouts of at least 60 min", SBRN),
    Column("longest_sedentary_min", "min", "Length of the longest bout that begins in the period", SBRN),
    Column(
        "sedentary_breaks", "number",
        "Bouts of any length that end by standing or moving within 60 s; not by rest, nor with the recording", SBRN,
    ),
    Column("enmo_mg", "mg", "Mean of max(|a| - 1 g, 0) over the slots of 5 s (epochs) that were worn", VAN_HEES_2013),
    Column(
        "mad_mg", "mg", "Mean over the slots of 5 s worn of the mean deviation of |a| from its mean in the slot",
        VAHA_YPYA_2015,
    ),
    Column("intensity_h", "h", "Hours worn outside the rest window to which cut-points were applied", PUBLISHED),
    Column("inactive_min", "min", "Minutes below “light”, outside the rest window; not what sedentary is", PUBLISHED),
    Column("light_min", "min", "Minutes from “light” to below “moderate”", PUBLISHED),
    Column("moderate_min", "min", "Minutes from “moderate” to below “vigorous”", PUBLISHED),
    Column("vigorous_min", "min", "Minutes from “vigorous” on", PUBLISHED),
    Column("mvpa_min", "min", "Minutes from “moderate” on", PUBLISHED),
    Column("cut_points", "", "Which cut-points: publication, device, place, age; or why there are none", PUBLISHED),
    Column("rest_start", "", "When the rest window of the night to this day begins", HDCZA, only_of_days=True),
    Column("rest_end", "", "When it ends. Rest is lying quite still; it is not sleep", HDCZA, only_of_days=True),
    Column(
        "rest_h", "h", "How long it is; nights worn for less than 16 h from noon to noon have none", HDCZA,
        only_of_days=True,
    ),
    Column(
        "rest_by", "", "How it was found: by the angle of the wrist (HDCZA), or by answers of lying", HDCZA,
        only_of_days=True,
    ),
)  # fmt: skip


def columns(period: str) -> tuple[Column, ...]:
    """Return the columns of the table of days or of hours."""
    return tuple(column for column in COLUMNS if period == "day" or not column.only_of_days)
