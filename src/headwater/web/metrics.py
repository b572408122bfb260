"""`/metrics`: every subsystem's counters, for Prometheus. No label names a node or a video."""

import dataclasses
import time
from collections.abc import Iterator

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from headwater.web.asked import NodeDep
from headwater.web.gateway.counters import GatewayCounters
from headwater.web.port import Node

__all__ = ["NodeCollector", "router"]

router = APIRouter(tags=["node"])

SUBSYSTEMS = (
    "neighbours",
    "catalogue",
    "store",
    "transfers",
    "shares",
    "gossip",
    "client",
    "lives",
)


@router.get("/metrics", response_class=Response)
async def metrics(request: Request, node: NodeDep) -> Response:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(NodeCollector(node, request.app.state.gateway_counters))
    return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class NodeCollector(Collector):
    """Reads the counters when it is asked; keeps nothing."""

    def __init__(self, node: Node, gateway: GatewayCounters) -> None:
        self._node, self._gateway = node, gateway

    def collect(self) -> Iterator[Metric]:
        node = self._node
        yield _gauge("uptime_seconds", "Since the node started", time.monotonic() - node.started_s)
        yield _gauge("neighbours", "Links open now", len(node.neighbours.connected()))
        yield _gauge("videos", "In the catalogue", node.catalogue.search("", limit=0).total)
        yield _gauge("stored_videos", "At least partly here", len(node.store.videos()))
        running = [job for job in node.activity.jobs() if not job.is_ended]
        yield _gauge("jobs_running", "Shares, uploads and fetches under way", len(running))
        sent, received = node.traffic.up.total_bytes, node.traffic.down.total_bytes
        yield _counter("sent_bytes", "Of videos, to other nodes", sent)
        yield _counter("received_bytes", "Of videos, from other nodes", received)
        yield from _counters("gateway", self._gateway)
        for subsystem in SUBSYSTEMS:
            counters = getattr(getattr(node, subsystem, None), "counters", None)
            if dataclasses.is_dataclass(counters) and not isinstance(counters, type):
                yield from _counters(subsystem, counters)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"headwater_{name}", text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"headwater_{name}", text, value=value)


def _counters(subsystem: str, counters: object) -> Iterator[Metric]:
    """One counter a field; a dict of ints becomes one counter with the label `code`."""
    assert dataclasses.is_dataclass(counters)
    for field in dataclasses.fields(counters):
        value = getattr(counters, field.name)
        name, text = f"headwater_{subsystem}_{field.name}", f"{subsystem}: {field.name}"
        if isinstance(value, dict):
            family = CounterMetricFamily(name, text, labels=["code"])
            for code, count in value.items():
                family.add_metric([str(code)], count)
            yield family
        elif isinstance(value, int | float):
            yield CounterMetricFamily(name, text, value=value)
