"""The trigger form: which params a run may have, and how Airflow shows them."""

import copy
from pathlib import Path

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError

from include.settings import Params
from tests.dag.conftest import parsed_dag


def resolved(dag: DAG, name: str, value: object) -> object:
    """The param that a run would get for the value; of a copy, because a Param keeps what it resolves."""
    return copy.deepcopy(dag.params.get_param(name)).resolve(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lookback_days", 0),
        ("lookback_days", -1),
        ("lookback_days", "ninety"),
        ("lookback_days", 1.5),
        ("cancellations", "x"),
        ("cancellations", ""),
        ("cancellations", "as configured (net)"),
        ("duplicates", "maybe"),
        ("segment_map", "../secrets"),
        ("segment_map", ""),
        ("segment_map", "my-own_map"),
        ("as_of", "10.12.2011"),
        ("as_of", "2011-02-30"),
        ("as_of", 20111210),
        ("export_cleaned_data", "yes"),
    ],
)
def test_a_wrong_param_is_refused_by_the_form(dag: DAG, name: str, value: object) -> None:
    with pytest.raises(ParamValidationError):
        resolved(dag, name, value)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("lookback_days", [None, 1, 365]),
        ("cancellations", [None, "net", "drop"]),
        ("duplicates", [None, "keep", "drop"]),
        ("segment_map", [None, "rfm11", "rf10"]),
        ("as_of", [None, "2011-12-10"]),
        ("export_cleaned_data", [True, False]),
    ],
)
def test_right_params_and_null_are_accepted(dag: DAG, name: str, values: list[object]) -> None:
    assert [resolved(dag, name, value) for value in values] == values


def test_the_form_offers_the_user_s_own_segment_maps_and_no_others(config_copy: Path) -> None:
    (config_copy / "segment_maps" / "rf10.yaml").rename(config_copy / "segment_maps" / "my-own_map.yaml")
    dag = parsed_dag()
    assert resolved(dag, "segment_map", "my-own_map") == "my-own_map"
    with pytest.raises(ParamValidationError):
        resolved(dag, "segment_map", "rf10")


def test_the_form_has_every_param_of_a_run(dag: DAG) -> None:
    assert set(dag.params) == set(Params.model_fields)


@pytest.mark.parametrize("name", Params.model_fields)
def test_every_param_explains_itself_and_has_a_default_that_changes_nothing(dag: DAG, name: str) -> None:
    param = dag.params.get_param(name)
    assert param.schema.get("title")
    assert param.description
    assert not param.value


def test_the_defaults_are_valid(dag: DAG) -> None:
    dag.params.validate()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("cancellations", ["as configured (net)", "net", "drop"]),
        ("duplicates", ["as configured (keep)", "keep", "drop"]),
        ("segment_map", ["as configured (rfm11)", "rf10", "rfm11"]),
    ],
)
def test_a_choice_shows_what_is_configured_first(dag: DAG, name: str, shown: list[str]) -> None:
    """Airflow's form looks the name of an empty choice up under "null"."""
    schema = dag.params.get_param(name).schema
    names = schema["values_display"]
    assert [names["null" if choice is None else choice] for choice in schema["enum"]] == shown


def test_the_form_shows_another_configuration(config_copy: Path) -> None:
    file = config_copy / "segmentation.yaml"
    file.write_text(file.read_text().replace("cancellations: net", "cancellations: drop"))
    names = parsed_dag().params.get_param("cancellations").schema["values_display"]
    assert names["null"] == "as configured (drop)"
