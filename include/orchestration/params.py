"""The trigger form: Airflow's params, made from the one model of a run's params (settings.Params)."""

from pathlib import Path
from typing import Any

from airflow.sdk import Param

from include.settings import Params, Segmentation, segment_map_names

NULL = "null"  # the key under which Airflow's form looks for the name of an empty choice


def trigger_form(config: Path, configured: Segmentation) -> dict[str, Param]:
    """A param for each field of settings.Params, with its title, description and limits.

    No default changes a result. A choice that stands for the configured value shows that value. The
    segment maps offered are those of the `config` folder.
    """
    properties = Params.model_json_schema()["properties"]
    properties["segment_map"] |= {"enum": segment_map_names(config)}
    return {name: param(name, schema, configured) for name, schema in properties.items()}


def param(name: str, field: dict[str, Any], configured: Segmentation) -> Param:
    """The Param of a field, from its JSON schema: `anyOf` a type and null becomes a list of types, which
    Airflow's form can show."""
    alternatives = field.get("anyOf", [field])
    types = [alternative["type"] for alternative in alternatives]
    limits = {key: value for found in [*alternatives, field] for key, value in found.items()}
    schema = {key: value for key, value in limits.items() if key not in ("anyOf", "default", "description")}
    schema["type"] = types if len(types) > 1 else types[0]
    if "enum" in schema:
        schema["values_display"] = {NULL: f"as configured ({getattr(configured, name)})"} | {
            choice: choice for choice in schema["enum"]
        }
        schema["enum"] = [None, *schema["enum"]]
    return Param(field["default"], description=field["description"], **schema)
