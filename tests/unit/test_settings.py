"""The configuration: what it accepts, and how it names what is wrong."""

from datetime import date
from pathlib import Path

import pytest
import yaml

from include.errors import ConfigError
from include.pipeline import PROJECT
from include.settings import (
    CODES,
    Params,
    RunConfig,
    SegmentMap,
    load_config,
    load_params,
    load_segment_map,
    map_problems,
)

CONFIG = PROJECT / "include" / "config"


# -- segment maps -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rfm11", "rf10"])
def test_the_maps_that_come_with_the_project_cover_each_code_once(name: str) -> None:
    assert sorted(load_segment_map(CONFIG, name).by_code) == CODES


def test_a_map_that_misses_or_doubles_codes_is_refused_with_them() -> None:
    segments = [
        {"name": "low", "description": "", "codes": ["[1-3]..", "[123]..", "111"]},
        {"name": "high", "description": "", "codes": ["5..", "4[1234]."]},
    ]
    assert map_problems(SegmentMap.model_validate({"segments": segments})) == [
        "low: '[1-3]..' matches none of the codes 111 to 555",
        "codes missing: 451 452 453 454 455",
        "codes doubled: 111 (low, low)",
    ]


def test_two_segments_with_the_same_name_are_refused() -> None:
    segments = [{"name": "all", "description": "", "codes": [code]} for code in ("[12345]..", "111")]
    problems = map_problems(SegmentMap.model_validate({"segments": segments}))
    assert problems[-1] == "two segments have the same name"


# -- params -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ('{"lookback_days": 0}', "params: lookback_days"),
        ('{"cancellations": "gross"}', "params: cancellations"),
        ('{"lookback": 5}', "params: lookback"),
        ("{", "not valid JSON"),
        ("[]", "params"),
    ],
)
def test_wrong_params_are_refused_by_name(params: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        load_params(params)


def test_params_that_repeat_the_configuration_make_no_variant() -> None:
    same = Params(as_of=date(2011, 12, 10), segment_map="rfm11", export_cleaned_data=True)
    assert load_config(CONFIG, same).variant is None


def test_params_that_change_the_result_make_a_variant_named_after_them() -> None:
    other = Params(segment_map="rf10", cancellations="drop")
    assert load_config(CONFIG, other).variant == "cancellations=drop,segment_map=rf10"


# -- the file -----------------------------------------------------------------------------------


def link_others(folder: Path) -> None:
    """Everything but segmentation.yaml as it comes with the project."""
    for name in ("segment_maps", "formats"):
        (folder / name).symlink_to(CONFIG / name)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("time_zone", "Europe/Lundon", "time_zone: .*unknown time zone"),
        ("schedule", 240, "schedule: .*in quotes"),
        ("schedule", "4 am", "schedule: .*expected an hour like"),
        ("schedule", "01:30", "schedule: .*there is no 01:30 in Europe/London"),
        ("published_by", 360, "published_by: .*in quotes"),
        ("published_by", "24:00", "published_by: .*in quotes"),
        ("compare_days", 0, "compare_days"),
        ("segment_map", "rfm12", "unknown map 'rfm12'; .* has rf10, rfm11"),
        ("look_back", 3, "look_back"),
        ("landing", {}, r"landing\.formats: Field required"),
        ("guest_ids", [99999], "guest_ids: .*99999: write it in quotes"),
        ("guest_ids", [""], "guest_ids: .*'' can match nothing"),
        ("excluded_stock_codes", ["M", " "], "excluded_stock_codes: .*' ' can match nothing"),
        ("excluded_stock_codes", [False], "excluded_stock_codes: .*in quotes"),
        ("alerts", {"segment_change": 3}, r"alerts\.segment_change: Input should be less than or equal to 1"),
        ("alerts", {"cut_point_change": {"recency": 1}}, r"alerts\.cut_point_change\.recency: unknown key"),
    ],
)
def test_a_wrong_key_of_the_configuration_is_refused_by_file_and_name(
    tmp_path: Path, key: str, value: object, problem: str
) -> None:
    link_others(tmp_path)
    given = yaml.safe_load((CONFIG / "segmentation.yaml").read_text()) | {key: value}
    (tmp_path / "segmentation.yaml").write_text(yaml.safe_dump(given))
    with pytest.raises(ConfigError, match=problem):
        load_config(tmp_path, Params())


def test_the_usual_service_codes_can_be_uncommented(tmp_path: Path) -> None:
    link_others(tmp_path)
    given = (CONFIG / "segmentation.yaml").read_text()
    start, end = given.index("# excluded_stock_codes:"), given.index("# publish")
    uncommented = given[start:end].replace("# ", "", 1).replace("\n#   -", "\n  -")
    changed = given[:start].replace("\nexcluded_stock_codes: []", "") + uncommented + given[end:]
    (tmp_path / "segmentation.yaml").write_text(changed)
    codes = load_config(tmp_path, Params()).settings.excluded_codes
    assert {"POST", "M", "BANK CHARGES", "ADJUST*", "GIFT_*", "TEST*"} < codes


# -- fingerprints -------------------------------------------------------------------------------


def changed(config: RunConfig, **values: object) -> RunConfig:
    return config.model_copy(update={"settings": config.settings.model_copy(update=values)})


@pytest.mark.parametrize(
    "values",
    [{"duplicates": "drop"}, {"invoice_in_several_files": "newest"}, {"excluded_stock_codes": ["M"]}],
    ids=str,
)
def test_settings_of_clean_leave_the_ingested_lines_as_they_are(
    config: RunConfig, values: dict[str, object]
) -> None:
    other = changed(config, **values).settings
    assert other.ingest_fingerprint == config.settings.ingest_fingerprint
    assert other.clean_fingerprint != config.settings.clean_fingerprint


@pytest.mark.parametrize("values", [{"time_zone": "Europe/Berlin"}, {"guest_ids": ["99999"]}], ids=str)
def test_settings_of_ingest_make_both_kinds_of_lines_again(
    config: RunConfig, values: dict[str, object]
) -> None:
    other = changed(config, **values).settings
    assert other.ingest_fingerprint != config.settings.ingest_fingerprint
    assert other.clean_fingerprint != config.settings.clean_fingerprint


@pytest.mark.parametrize(
    "values", [{"lookback_days": 5}, {"compare_days": 5}, {"cancellations": "drop"}], ids=str
)
def test_settings_of_rfm_leave_the_lines_and_change_the_snapshot(
    config: RunConfig, values: dict[str, object]
) -> None:
    other = changed(config, **values)
    assert other.settings.clean_fingerprint == config.settings.clean_fingerprint
    assert other.fingerprint != config.fingerprint


def test_how_many_rejects_a_snapshot_may_have_does_not_change_it(config: RunConfig) -> None:
    assert changed(config, reject_threshold=0.9).fingerprint == config.fingerprint


def test_when_a_snapshot_is_late_does_not_change_it(config: RunConfig) -> None:
    assert changed(config, published_by="07:30").fingerprint == config.fingerprint


def test_what_a_snapshot_is_warned_of_does_not_change_it(config: RunConfig) -> None:
    alerts = config.settings.alerts.model_copy(update={"segment_change": 1})
    assert changed(config, alerts=alerts).fingerprint == config.fingerprint
