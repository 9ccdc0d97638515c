"""Read a table of prices, and say what tokens cost by it. sessscan itself has no prices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..stores.locate import StrPath
from .responses import Tokens

KINDS = {
    "input_tokens": "input",
    "output_tokens": "output",
    "cache_creation_5m_input_tokens": "cache_creation_5m",
    "cache_creation_1h_input_tokens": "cache_creation_1h",
    "cache_read_input_tokens": "cache_read",
}
"""The names that a table has for the kinds of tokens, as the API spells them."""
OTHER_CREATION = "cache_creation_input_tokens"
"""The price of a token written to the cache, where none is given for its lifetime or that is not known."""
_MILLION = 1_000_000
_LARGEST = 10 * 1024 * 1024
"""Bytes of the largest file that is read."""
_EXAMPLE = '{"currency": "USD", "models": {"claude-*": {"input_tokens": 3, "output_tokens": 15}}}'


@dataclass(frozen=True)
class Prices:
    """Prices for a million tokens, by model and kind of token."""

    currency: str
    models: Mapping[str, Mapping[str, Decimal]]
    """By the name of a model, or a pattern with `*`."""

    def cost(self, model: str | None, tokens: Tokens) -> Decimal | None:
        """Return what tokens of a model cost; None where a price that is needed is not given."""
        prices = self._of(model or "")
        known = tokens.cache_creation_5m + tokens.cache_creation_1h
        counts = {name: getattr(tokens, kind) for name, kind in KINDS.items()}
        counts[OTHER_CREATION] = max(tokens.cache_creation - known, 0)
        total = Decimal(0)
        for name, count in counts.items():
            if not count:
                continue
            price = prices.get(name, prices.get(OTHER_CREATION) if "creation" in name else None)
            if price is None:
                return None
            total += price * count
        return total / _MILLION

    def _of(self, model: str) -> Mapping[str, Decimal]:
        """Return the prices of a model: under its own name, else under the longest pattern that fits."""
        if model in self.models:
            return self.models[model]
        fitting = [pattern for pattern in self.models if fnmatchcase(model, pattern)]
        return self.models[max(fitting, key=len)] if fitting else {}


def read_prices(path: StrPath) -> Prices:
    """Read a table of prices: JSON with `currency` and `models`, prices for a million tokens.

    Raises `UsageError` for a file that is no such table, with the place; OSError for one that cannot be read.
    """
    with Path(path).open("rb") as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise UsageError(f"{path}: this is no table of prices: it has more than {_LARGEST:,} bytes")
    try:
        # `Decimal`, so that a price is what is written and not the nearest binary fraction.
        content = json.loads(data.decode("utf-8-sig"), parse_float=Decimal, parse_int=Decimal)
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}, line {error.lineno}, column {error.colno}: {error.msg}") from None
    except (ValueError, RecursionError, InvalidOperation) as error:
        raise UsageError(f"{path}: this is not JSON: {error}") from None
    return check_prices(content, str(path))


def check_prices(content: Any, where: str = "prices") -> Prices:
    """Return a table of prices from its JSON value. Raises `UsageError` that says what is wrong with it."""
    if not isinstance(content, Mapping) or not isinstance(content.get("models"), Mapping):
        raise UsageError(f"{where}: a table of prices has the form {_EXAMPLE}, for a million tokens")
    currency = content.get("currency", "")
    if not isinstance(currency, str):
        raise UsageError(f"{where}: `currency` is not a text")
    models: dict[str, dict[str, Decimal]] = {}
    for model, prices in content["models"].items():
        if not isinstance(prices, Mapping):
            raise UsageError(f"{where}: the prices of {model!r} are not an object")
        models[model] = {}
        for name, price in prices.items():
            if name not in KINDS and name != OTHER_CREATION:
                names = ", ".join([*KINDS, OTHER_CREATION])
                raise UsageError(f"{where}: {model!r} has a price for {name!r}; there are {names}")
            models[model][name] = _price(price, f"{where}: the price of {model!r} for {name}")
    return Prices(currency, models)


def _price(value: Any, what: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise UsageError(f"{what} is not a number")
    price = value if isinstance(value, Decimal) else Decimal(str(value))
    if not price.is_finite() or price < 0:
        raise UsageError(f"{what} is not a price: {value}")
    return price
