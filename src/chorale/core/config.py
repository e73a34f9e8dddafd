"""Configuration: validated models, YAML files with includes, overrides, and one canonical form with its hash."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from chorale.core.errors import InputError

# Thousands of tasks read the same few files as they start; libyaml reads them several times as fast.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
ModelT = TypeVar("ModelT", bound="Config")
_HASH_DIGITS = 12
_COMMAND_LINE = "command line"


class Config(BaseModel):
    """Base of every configuration model: immutable, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    def canonical(self, exclude: set[str] | None = None) -> str:
        """Return the one text that equal configurations share: JSON with sorted keys, every default written out.

        Args:
            exclude: Top-level keys to leave out, such as ``{"where"}``.
        """
        tree = self.model_dump(mode="json", exclude=exclude)
        return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)

    def identity(self, exclude: set[str] | None = None) -> str:
        """Return the first 12 hexadecimal digits of the SHA-256 of the canonical form."""
        return short_hash(self.canonical(exclude))


def short_hash(text: str) -> str:
    """Return the first 12 hexadecimal digits of the SHA-256 of ``text``."""
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_DIGITS]


class ConfigTree(NamedTuple):
    """Keys and values not validated yet, and for each dotted key the place that set it."""

    values: dict[str, Any]
    sources: dict[str, str]


def read_tree(path: Path) -> ConfigTree:
    """Read a YAML file and the files it includes.

    ``include: other.yaml`` (or a list, relative to the file) is read first; the file's own keys win.

    Raises:
        InputError: A file is missing, not YAML, not a mapping, sets a key twice, or includes itself.
    """
    return _read_tree(path, ())


def with_overrides(tree: ConfigTree, overrides: Sequence[str]) -> ConfigTree:
    """Return ``tree`` with command-line overrides such as ``--search.population 8`` or ``--seed=3`` applied.

    Values are read as YAML, so ``[1, 2]``, ``null`` and ``true`` mean what they mean in a file.

    Raises:
        InputError: An override has no leading dashes, no value, or its value is not YAML.
    """
    result = ConfigTree(json.loads(json.dumps(tree.values)), dict(tree.sources))
    for key, text in _pairs(overrides):
        try:
            value = parse_yaml(text)
        except yaml.YAMLError as error:
            raise InputError(f"{_COMMAND_LINE}: --{key}: {text!r} is not a YAML value") from error
        nested: Any = value
        for part in reversed(key.split(".")):
            nested = {part: nested}
        _merge(result, nested, _COMMAND_LINE)
    return result


def validate(model: type[ModelT], tree: ConfigTree) -> ModelT:
    """Return the validated configuration.

    Raises:
        InputError: With the file, the key, what was expected and the nearest valid key.
    """
    try:
        return model.model_validate(tree.values)
    except ValidationError as error:
        raise _explain(model, tree, error) from None


def load(model: type[ModelT], path: Path, overrides: Sequence[str] = ()) -> ModelT:
    """Read, override and validate a configuration file in one call."""
    return validate(model, with_overrides(read_tree(path), overrides))


def changed(config: ModelT, **values: object) -> ModelT:
    """Return a configuration with other values, checked like any other.

    Raises:
        ValueError: The values are wrong, or do not fit the others.
    """
    model = type(config)
    return model.model_validate({**{name: getattr(config, name) for name in model.model_fields}, **values})


def dotted_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield every key of a model and of the models nested in it, as ``search.population``."""
    for name, field in model.model_fields.items():
        yield prefix + name
        for inner in _models_in(field.annotation):
            yield from dotted_keys(inner, f"{prefix}{name}.")


def parse_yaml(text: str) -> Any:
    """Return what a YAML text says.

    Raises:
        yaml.YAMLError: It is not YAML.
    """
    return yaml.load(text, Loader=_SafeLoader)  # noqa: S506 (it is safe)


class _UniqueKeyLoader(_SafeLoader):  # type: ignore[misc]
    """PyYAML keeps the last of two equal keys in silence; here that is an error."""


def _mapping_without_duplicates(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if key in seen:
            raise yaml.MarkedYAMLError(problem=f"the key {key!r} stands twice", problem_mark=key_node.start_mark)
        seen.add(key)
    mapping: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    return mapping


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping_without_duplicates)


def _read_tree(path: Path, includers: tuple[Path, ...]) -> ConfigTree:
    resolved = path.resolve()
    if resolved in includers:
        raise InputError(f"{path}: includes itself")
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader) or {}  # noqa: S506 (a SafeLoader)
    except OSError as error:
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*.yaml")], n=1)
        raise InputError(
            f"{path}: {error.strerror}", f"did you mean {path.parent / near[0]}?" if near else ""
        ) from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: not a YAML file ({error})") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: a mapping of keys to values was expected, found {type(values).__name__}")
    includes = values.pop("include", [])
    tree = ConfigTree({}, {})
    for name in [includes] if isinstance(includes, str) else includes:
        included = _read_tree(path.parent / name, (*includers, resolved))
        _merge(tree, included.values, "", included.sources)
    _merge(tree, values, str(path))
    return tree


def _merge(tree: ConfigTree, values: Mapping[str, Any], source: str, sources: Mapping[str, str] | None = None) -> None:
    def walk(target: dict[str, Any], new: Mapping[str, Any], prefix: str) -> None:
        for key, value in new.items():
            dotted = f"{prefix}{key}"
            tree.sources[dotted] = sources.get(dotted, source) if sources is not None else source
            if isinstance(value, Mapping) and isinstance(target.get(key), dict):
                walk(target[key], value, f"{dotted}.")
            elif isinstance(value, Mapping):
                target[key] = {}
                walk(target[key], value, f"{dotted}.")
            else:
                target[key] = value

    walk(tree.values, values, "")


def _pairs(overrides: Sequence[str]) -> Iterator[tuple[str, str]]:
    rest = list(overrides)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--") or len(word) == len("--"):
            raise InputError(f"{_COMMAND_LINE}: {word!r} is not an override", "write --key value, for example --seed 1")
        key, equals, value = word.removeprefix("--").partition("=")
        if not equals:
            if not rest:
                raise InputError(f"{_COMMAND_LINE}: --{key} has no value", f"write --{key} VALUE")
            value = rest.pop(0)
        yield key.replace("-", "_"), value


def _explain(model: type[BaseModel], tree: ConfigTree, error: ValidationError) -> InputError:
    details = error.errors(include_url=False)
    # An unknown key is the likeliest cause of whatever else is wrong.
    first = min(details, key=lambda item: item["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        # Tell the whole key that was written: --serch.population, not serch.
        key = next((k for k in tree.sources if k.startswith(f"{key}.")), key)
        source = tree.sources.get(key, "configuration")
        near = difflib.get_close_matches(key, list(dotted_keys(model)), n=1, cutoff=0.4)
        return InputError(f"{source}: {key}: unknown key", f"did you mean {near[0]}?" if near else "")
    source = _source_of(key, tree.sources)
    if first["type"] == "missing":
        return InputError(f"{source}: {key}: missing", "set it in the file or on the command line")
    expected = first["msg"][0].lower() + first["msg"][1:]
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return InputError(f"{source}: {key}: {expected}, found {first['input']!r}{more}")


def _source_of(key: str, sources: Mapping[str, str]) -> str:
    while key and key not in sources:
        key = key.rpartition(".")[0]
    return sources.get(key, "configuration")


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
