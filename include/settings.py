"""The configuration: `config/segmentation.yaml`, the segment maps in `config/segment_maps/`, a run's params.

All of it is validated on load. A ConfigError names the file and the key.
"""

import hashlib
import json
import os
import re
from datetime import date
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from include.config_files import Strict, read_yaml, validated
from include.errors import ConfigError
from include.pipeline import CONFIG_VARIABLE, PROJECT
from include.schedule import CLOCK_TIME, check_schedule, cron_of
from include.shop_formats import ShopFormat, load_format

CODES = ["".join(scores) for scores in product("12345", repeat=3)]

# Cache versions: increase when a line is read or cleaned differently, or when other columns are stored.
INGEST_VERSION, CLEAN_VERSION = 5, 7

Reason = Literal[
    "file_damaged",
    "no_header",
    "cut_off",
    "zero_byte",
    "repeated_header",
    "total_row",
    "wrong_number_of_fields",
    "order_not_counted",
    "quantity_unreadable",
    "unit_price_unreadable",
    "amount_unreadable",
    "refunded_unreadable",
    "amount_out_of_range",
    "invoice_date_unreadable",
    "invoice_date_out_of_range",
    "customer_id_damaged",
    "unknown_invoice_type",
    "missing_customer",
    "excluded_stock_code",
    "quantity_not_positive",
    "price_not_positive",
    "amount_not_positive",
    "older_delivery",
    "duplicate_line",
]
Cancellations = Literal["net", "drop"]
Duplicates = Literal["keep", "drop"]
SeveralFiles = Literal["all", "newest"]
Days = Annotated[int, Field(ge=1, le=36_500, strict=True)]
Share = Annotated[float, Field(ge=0, le=1)]
Change = Annotated[float, Field(ge=0, le=1000)]  # relative: 0.5 is half of the value before
SegmentMapName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
Override = int | str


class Landing(Strict):
    formats: tuple[ShopFormat, ...] = Field(min_length=1)  # names in the file: see load_settings
    earliest_date: date
    latest_date: date = Field(lt=date.max)
    shop_from: Literal["folder"] | None = None
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


class Warnings(Strict):
    """When the landed data look doubtful, whatever the snapshots before."""

    one_customer_share: Share
    fewest_customers: Annotated[int, Field(ge=0, strict=True)]


class Segmentation(Strict):
    """segmentation.yaml, with the overrides of a run's params."""

    time_zone: str
    schedule: str = "04:00"
    lookback_days: Days | None
    compare_days: Days
    cancellations: Cancellations
    duplicates: Duplicates
    invoice_in_several_files: SeveralFiles = "all"
    guest_ids: list[str] = Field(default=[])
    excluded_stock_codes: list[str]
    segment_map: SegmentMapName
    reject_baseline: dict[Reason, Share]
    reject_threshold: Share
    warnings: Warnings
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

    @field_validator("guest_ids", "excluded_stock_codes", mode="before")
    @classmethod
    def refuse_numbers(cls, keys: object) -> object:
        for key in keys if isinstance(keys, list) else []:
            if not isinstance(key, str):
                raise ValueError(
                    f"{key}: write it in quotes, as in your files; YAML reads 0077 as 63, and NO as false"
                )
            if not key.strip():
                raise ValueError(f"{key!r} can match nothing: remove it")
        return keys

    @property
    def cron(self) -> str:
        """The schedule as a cron expression."""
        return cron_of(self.schedule)

    @property
    def ingest_fingerprint(self) -> str:
        """A short hash of everything that decides how a landed file is read: the key of its typed lines."""
        landing = self.landing.model_dump(mode="json", exclude={"settle_seconds"})
        return short_hash([INGEST_VERSION, landing, self.time_zone, sorted(self.guest_ids)])

    @property
    def clean_fingerprint(self) -> str:
        """A short hash of everything that decides which lines are kept: the key of cleaned lines."""
        rules = [self.duplicates, self.invoice_in_several_files, sorted(self.excluded_codes)]
        return short_hash([CLEAN_VERSION, self.ingest_fingerprint, *rules])

    @property
    def compares_files(self) -> bool:
        """Whether a file decides which lines of other files are kept."""
        return self.duplicates == "drop" or self.invoice_in_several_files == "newest"

    @property
    def usual_rejects(self) -> dict[str, float]:
        """By reason, the share of the lines that is usually rejected."""
        return {str(reason): share for reason, share in self.reject_baseline.items()}

    @property
    def excluded_codes(self) -> set[str]:
        """The excluded stock codes and their patterns in upper case, as they are compared."""
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
    publish_anyway: bool = Field(
        False,
        title="Publish anyway",
        description="Publish although too many lines are rejected or a date or an amount cannot be right; "
        "the snapshot then carries the reason as a warning. For this run only.",
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
    configured = load_settings(folder)
    overrides = params.overrides(configured)
    settings = validated(Segmentation, configured.model_dump() | overrides, "params")
    segment_map = load_segment_map(folder, settings.segment_map)
    return RunConfig(settings=settings, segment_map=segment_map, overrides=overrides)


def load_settings(folder: Path) -> Segmentation:
    """The settings in `segmentation.yaml`, with the formats that it names. Raises ConfigError."""
    file = folder / "segmentation.yaml"
    values = read_yaml(file)
    landing = values.get("landing") if isinstance(values, dict) else None
    if isinstance(landing, dict):
        if moved := sorted(landing.keys() & {"columns", "date_formats"}):
            raise ConfigError(
                f"{file}: landing.{moved[0]} is now a key of each format in {folder / 'formats'}: copy one "
                f"of them, name your columns in it, and list it under landing.formats"
            )
        names = landing.get("formats")
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            values = values | {"landing": landing | {"formats": [load_format(folder, n) for n in names]}}
    return validated(Segmentation, values, str(file))


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


def code_pattern(key: str) -> str:
    """An excluded stock code as a regular expression, to Java and to Rust: * stands for any characters, ? for
    one, and everything else for itself."""
    return re.escape(key).replace(r"\*", ".*").replace(r"\?", ".")


def short_hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
