"""The configuration: `config/segmentation.yaml`, the segment maps in `config/segment_maps/`, a run's params.

All of it is validated on load. A ConfigError names the file and the key.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from datetime import date
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from include.errors import ConfigError
from include.pipeline import CONFIG_VARIABLE, PROJECT
from include.schedule import CLOCK_TIME, check_schedule, cron_of

CODES = ["".join(scores) for scores in product("12345", repeat=3)]

# Cache versions: increase when a line is read or cleaned differently, or when other columns are stored.
INGEST_VERSION, CLEAN_VERSION = 4, 6

Reason = Literal[
    "no_header",
    "file_damaged",
    "zero_byte",
    "wrong_number_of_fields",
    "quantity_unreadable",
    "unit_price_unreadable",
    "amount_out_of_range",
    "invoice_date_unreadable",
    "invoice_date_out_of_range",
    "missing_customer",
    "excluded_stock_code",
    "unknown_invoice_type",
    "quantity_not_positive",
    "price_not_positive",
    "duplicate_line",
]
Cancellations = Literal["net", "drop"]
Duplicates = Literal["keep", "drop"]
Days = Annotated[int, Field(ge=1, le=36_500, strict=True)]
# `iso`, `excel`, or a pattern as of Java's DateTimeFormatter: letters, separators, and text in single quotes.
DateFormat = Annotated[str, Field(pattern=r"^(iso|excel|([-yuMLdHhmsSaXxZ/.:, \[\]]|'[^']*')+)$")]
Share = Annotated[float, Field(ge=0, le=1)]
Change = Annotated[float, Field(ge=0, le=1000)]  # relative: 0.5 is half of the value before
SegmentMapName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
Override = int | str
M = TypeVar("M", bound=BaseModel)


class Strict(BaseModel):
    """Frozen, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Columns(Strict):
    """For each of our columns, its name or names in the headers of the landed files."""

    invoice_no: str | list[str]
    stock_code: str | list[str]
    description: str | list[str]
    quantity: str | list[str]
    invoice_date: str | list[str]
    unit_price: str | list[str]
    customer_id: str | list[str]
    country: str | list[str]

    @model_validator(mode="after")
    def check_names(self) -> "Columns":
        all_names = [name for names in self.names.values() for name in names]
        if repeated := sorted({name for name in all_names if all_names.count(name) > 1}):
            raise ValueError(f"{', '.join(repeated)} is the name of two columns")
        if empty := [column for column, names in self.names.items() if not all(names)]:
            raise ValueError(f"{', '.join(empty)} has no name")
        return self

    @property
    def names(self) -> dict[str, set[str]]:
        """The names of each column in lower case, as headers are compared."""
        return {
            column: {name.strip().lower() for name in ([names] if isinstance(names, str) else names) or [""]}
            for column, names in self.model_dump().items()
        }

    def first_name(self, column: str) -> str:
        names: str | list[str] = getattr(self, column)
        return names if isinstance(names, str) else names[0]


class Landing(Strict):
    columns: Columns
    date_formats: list[DateFormat] = Field(min_length=1)
    earliest_date: date
    latest_date: date = Field(lt=date.max)
    settle_seconds: Annotated[float, Field(ge=0, le=600)]

    @model_validator(mode="after")
    def check_dates(self) -> "Landing":
        if self.earliest_date > self.latest_date:
            raise ValueError(f"earliest_date {self.earliest_date} is after latest_date {self.latest_date}")
        return self


class CutPointChange(Strict):
    """By metric, the relative change of a cut point that is usual from one day to the next."""

    recency_days: Change
    frequency: Change
    monetary: Change

    @property
    def by_metric(self) -> dict[str, float]:
        return {
            "recency_days": self.recency_days,
            "frequency": self.frequency,
            "monetary": self.monetary,
        }


class Alerts(Strict):
    """When a snapshot looks wrong though nothing failed."""

    segment_change: Share
    cut_point_change: CutPointChange
    fewest_customers: Annotated[int, Field(ge=1, strict=True)]
    reject_rise: Share
    late_file_days: Annotated[int, Field(ge=0, le=36_500, strict=True)]
    sales_weeks: Annotated[int, Field(ge=1, le=5_000, strict=True)]
    old_data_days: Annotated[int, Field(ge=1, le=36_500, strict=True)]


class Segmentation(Strict):
    """segmentation.yaml, with the overrides of a run's params."""

    time_zone: str
    schedule: str = "04:00"
    lookback_days: Days | None
    compare_days: Days
    cancellations: Cancellations
    duplicates: Duplicates
    excluded_stock_codes: list[str]
    segment_map: SegmentMapName
    reject_baseline: dict[Reason, Share]
    reject_threshold: Share
    alerts: Alerts
    published_by: str | None = None
    landing: Landing

    @field_validator("time_zone")
    @classmethod
    def check_time_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"unknown time zone {name!r}, expected a name like Europe/London") from None
        return name

    @field_validator("schedule", mode="before")
    @classmethod
    def refuse_wrong_schedule(cls, schedule: object, known: ValidationInfo) -> object:
        if not isinstance(schedule, str):
            raise ValueError('write it in quotes, as "04:00": without them YAML may read a number')
        if "time_zone" in known.data:
            check_schedule(schedule, known.data["time_zone"], date.today())  # noqa: DTZ011 - any day will do
        return schedule

    @field_validator("published_by", mode="before")
    @classmethod
    def refuse_wrong_time(cls, clock: object) -> object:
        if clock is not None and not (isinstance(clock, str) and CLOCK_TIME.fullmatch(clock)):
            raise ValueError('expected null, or a time in quotes such as "06:00"')
        return clock

    @property
    def cron(self) -> str:
        """The schedule as a cron expression."""
        return cron_of(self.schedule)

    @property
    def ingest_fingerprint(self) -> str:
        """A short hash of everything that decides how a landed file is read: the key of its typed lines."""
        landing = self.landing.model_dump(mode="json", exclude={"settle_seconds"})
        return short_hash([INGEST_VERSION, landing, self.time_zone])

    @property
    def clean_fingerprint(self) -> str:
        """A short hash of everything that decides which lines are kept: the key of cleaned lines."""
        return short_hash(
            [CLEAN_VERSION, self.ingest_fingerprint, self.duplicates, sorted(self.excluded_codes)]
        )

    def most_rejects(self, reason: str) -> float:
        """The largest share of the landed lines that may be rejected for a reason."""
        baseline: Mapping[str, float] = {str(name): share for name, share in self.reject_baseline.items()}
        return min(1.0, baseline.get(reason, 0.0) + self.reject_threshold)

    @property
    def excluded_codes(self) -> set[str]:
        """The excluded stock codes in upper case, as they are compared."""
        return {code.strip().upper() for code in self.excluded_stock_codes}


class Params(Strict):
    """The settings that a run may override, with their limits. None: as configured.

    Airflow's trigger form is made from this model.
    """

    as_of: date | None = Field(
        None,
        title="As-of date",
        description="Count what was bought before this day. Empty: the day the run's data interval ends. "
        "Not for backfills, which take parameters only where "
        "'Override parameters on existing runs' is ticked.",
    )
    lookback_days: Days | None = Field(
        None,
        title="Look-back in days",
        description="Count only this many days before the as-of date. Empty: as configured.",
    )
    cancellations: Cancellations | None = Field(
        None,
        title="Cancellations",
        description="net: subtract them from what was spent; drop: leave them out.",
    )
    duplicates: Duplicates | None = Field(
        None, title="Duplicate lines", description="keep or drop exact repeats of a line."
    )
    segment_map: SegmentMapName | None = Field(
        None, title="Segment map", description="A file of segment_maps/ in the configuration."
    )
    export_cleaned_data: bool = Field(
        False,
        title="Export the cleaned data",
        description="Also publish cleaned_data.csv, which holds every kept line of the whole history.",
    )

    def overrides(self, configured: Segmentation) -> dict[str, Override]:
        """The params that change the result: those that differ from the configured settings."""
        overridable = {"cancellations", "duplicates", "lookback_days", "segment_map"}
        given = self.model_dump(include=overridable, exclude_none=True)
        return {key: value for key, value in given.items() if value != getattr(configured, key)}


class Segment(Strict):
    name: str = Field(min_length=1)
    description: str
    codes: list[str] = Field(min_length=1)


class SegmentMap(Strict):
    """Segments by rank, the best first. Every code from 111 to 555 belongs to exactly one."""

    segments: list[Segment] = Field(min_length=1)

    @property
    def names(self) -> list[str]:
        return [segment.name for segment in self.segments]

    @property
    def by_code(self) -> dict[str, str]:
        return {code: s.name for s in self.segments for p in s.codes for code in matching_codes(p)}


class RunConfig(Strict):
    """Everything that decides a run's result, except for the landed files and the as-of date."""

    settings: Segmentation
    segment_map: SegmentMap
    overrides: dict[str, Override]

    @property
    def variant(self) -> str | None:
        """The label of a run whose params change the result, such as `segment_map=rf10`."""
        return ",".join(f"{key}={value}" for key, value in sorted(self.overrides.items())) or None

    @property
    def hash(self) -> str:
        """A short hash of the whole configuration."""
        return short_hash(self.model_dump(mode="json"))

    @property
    def fingerprint(self) -> str:
        """A short hash of everything that decides the content of a snapshot. Limits of rejects and
        alerts do not."""
        settings = self.settings
        rfm_settings = [settings.lookback_days, settings.compare_days, settings.cancellations]
        return short_hash([settings.clean_fingerprint, *rfm_settings, self.segment_map.model_dump()])


def config_folder() -> Path:
    return Path(os.environ.get(CONFIG_VARIABLE, PROJECT / "include" / "config"))


def load_config(folder: Path, params: Params) -> RunConfig:
    """The configuration in a folder, with the overrides of a run's params.

    Raises ConfigError, naming the file and the key.
    """
    file = folder / "segmentation.yaml"
    configured = validated(Segmentation, read_yaml(file), str(file))
    overrides = params.overrides(configured)
    settings = validated(Segmentation, configured.model_dump() | overrides, "params")
    segment_map = load_segment_map(folder, settings.segment_map)
    return RunConfig(settings=settings, segment_map=segment_map, overrides=overrides)


def load_params(text: str) -> Params:
    """A run's params from JSON text.

    Raises ConfigError, naming the key, when one is unknown or out of its limits.
    """
    try:
        given = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        raise ConfigError(f"params are not valid JSON ({error}): {text}") from None
    return validated(Params, given, "params")


def segment_map_names(config: Path) -> list[str]:
    """The names of the segment maps in a configuration folder."""
    return sorted(path.stem for path in (config / "segment_maps").glob("*.yaml"))


def load_segment_map(config: Path, name: str) -> SegmentMap:
    file = config / "segment_maps" / f"{name}.yaml"
    if not file.is_file():
        known = ", ".join(segment_map_names(config))
        raise ConfigError(f"segment_map: unknown map {name!r}; {file.parent} has {known or 'none'}")
    segment_map = validated(SegmentMap, read_yaml(file), str(file))
    if problems := map_problems(segment_map):
        raise ConfigError(f"{file}: segment_map {name!r}: {'; '.join(problems)}")
    return segment_map


def map_problems(segment_map: SegmentMap) -> list[str]:
    """Why a map does not cover each of the 125 codes exactly once. Empty if it does."""
    owners: dict[str, list[str]] = {code: [] for code in CODES}
    problems = []
    for segment in segment_map.segments:
        for pattern in segment.codes:
            codes = matching_codes(pattern)
            if not codes:
                problems.append(f"{segment.name}: {pattern!r} matches none of the codes 111 to 555")
            for code in codes:
                owners[code].append(segment.name)
    if missing := [code for code, names in owners.items() if not names]:
        problems.append(f"codes missing: {' '.join(missing)}")
    if doubled := {code: names for code, names in owners.items() if len(names) > 1}:
        listed = (f"{code} ({', '.join(names)})" for code, names in doubled.items())
        problems.append(f"codes doubled: {', '.join(listed)}")
    if len(set(segment_map.names)) < len(segment_map.names):
        problems.append("two segments have the same name")
    return problems


def matching_codes(pattern: str) -> list[str]:
    """The codes that a pattern matches: `5[45].` matches 541 to 555. None if it is not a pattern."""
    if not re.fullmatch(r"(?:[1-5.]|\[[1-5]+\]){3}", pattern):
        return []
    whole = re.compile(pattern)
    return [code for code in CODES if whole.fullmatch(code)]


def validated(model: type[M], values: Any, source: str) -> M:
    """The values as a model. Raises ConfigError with the source and every wrong key."""
    if values is None:
        raise ConfigError(f"{source}: is empty")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        found = []
        for problem in error.errors():
            key = ".".join(str(part) for part in problem["loc"]) or "(the whole)"
            if problem["type"] == "extra_forbidden":
                known = f"; known are {', '.join(model.model_fields)}" if len(problem["loc"]) == 1 else ""
                found.append(f"{key}: unknown key{known}")
                continue
            value = "" if problem["type"] == "missing" else f", got {problem['input']!r}"
            found.append(f"{key}: {problem['msg']}{value}")
        raise ConfigError(f"{source}: {'; '.join(found)}") from None


def read_yaml(file: Path) -> Any:
    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not valid YAML: {' '.join(str(error).split())}") from None


def short_hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
