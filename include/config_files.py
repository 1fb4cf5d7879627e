"""Configuration files: YAML as frozen models. A ConfigError names the file and each wrong key."""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from include.errors import ConfigError

M = TypeVar("M", bound=BaseModel)


class Strict(BaseModel):
    """Frozen, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
