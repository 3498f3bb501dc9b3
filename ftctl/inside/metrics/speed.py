"""Latency and throughput of an evaluation."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any

import numpy as np

from .bootstrap import Value
from .figures import Figure, Quantile
from .rows import Row


class Speed:
    """Quantiles of the seconds that answers took; a question that failed took endless time, so that a server
    that gives up early is not the faster one."""

    def __init__(self) -> None:
        self._latency = array("d")
        self._answers = self._tokens = 0

    def look(self, row: Row) -> None:
        """Take a row down."""
        failed = row.error is not None
        self._latency.append(np.inf if failed or row.latency is None else row.latency)
        self._answers += not failed
        self._tokens += 0 if failed else row.completion_tokens

    def figures(self) -> Mapping[str, Figure]:
        """The median and the 99th percentile of the latency, in seconds."""
        values = np.array(self._latency)
        return {"latency_p50": Quantile(values, 0.5), "latency_p99": Quantile(values, 0.99)}

    def throughput(self, seconds: Any) -> Mapping[str, Value]:
        """Answers and their tokens by the seconds of asking; nothing where these are not known."""
        if not isinstance(seconds, int | float) or seconds <= 0:
            return {}
        rates = {"requests_per_second": self._answers, "tokens_per_second": self._tokens}
        return {name: Value(count / seconds) for name, count in rates.items()}
