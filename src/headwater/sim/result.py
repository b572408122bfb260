"""What a run amounts to: figures, and curves to draw."""

from dataclasses import dataclass

from headwater.sim.peer import Peer
from headwater.sim.simulation import Simulation, path
from headwater.wire.ids import NodeId

__all__ = ["Curve", "Result", "Watch"]

Curve = list[tuple[float, float]]

SAMPLE_S = 2.0
"""Between two looks for loops; one that is there twice lasts."""
FED_S = 5.0
"""Fed is who was delivered nearly all of the parts of the last seconds."""
FED_SHARE = 0.9
GRACE_S = 3.0
"""After its start a node is taken to be there, fed or not."""


@dataclass(frozen=True, slots=True)
class Result:
    """`figures`: units are in the names. `delay`, `gap`: (seconds, share of the samples up to
    there). `in_time`: (second, share of the parts that players showed when they should)."""

    scenario: str
    nodes: int
    seed: int
    figures: dict[str, float]
    delay: Curve
    gap: Curve
    in_time: Curve


class Watch:
    """Looks on while the window of a simulation runs: made when that starts."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._loops: set[tuple[NodeId, int]] = set()
        self._lasting_loops = 0
        self._before_end: dict[NodeId, int] = {}
        plan, clock = simulation.plan, simulation.clock
        begin = clock.now
        self.end_s = begin + plan.window_s
        simulation.record.window()
        for peer in simulation.viewers:
            peer.player.restart()
        for step in range(int(plan.window_s / SAMPLE_S)):
            clock.at(begin + (step + 1) * SAMPLE_S, self._look_for_loops)
        clock.at(self.end_s - FED_S, self._note_delivered)

    def _look_for_loops(self) -> None:
        found = set()
        for peer in self._simulation.alive():
            for stripe in peer.parents:
                above = path(peer, stripe)
                if above and (above[-1] is peer or above[-1] in above[:-1]):
                    found.add((peer.id, stripe))
        self._lasting_loops += len(found & self._loops)
        self._loops = found

    def _note_delivered(self) -> None:
        self._before_end = {peer.id: peer.player.delivered for peer in self._simulation.alive()}

    def result(self, scenario: str) -> Result:
        """Call it once the run is over."""
        simulation = self._simulation
        record, plan = simulation.record, simulation.plan
        for peer in simulation.hit:
            if peer.is_alive and not peer.is_hostile:
                silent_s = simulation.clock.now - peer.player.came_s
                record.gap.add(max(peer.player.gap_s, silent_s))
        figures = {
            **self._fed(),
            **self._delays(),
            **self._traffic(),
            **self._players(),
            **self._shape(),
            **self._faults(),
        }
        rounded = {name: round(float(value), 6) for name, value in figures.items()}
        seconds = [
            (float(second), round(in_time / parts, 6))
            for second, (in_time, parts) in sorted(record.seconds.items())
            if parts
        ]
        return Result(
            scenario,
            plan.nodes,
            plan.seed,
            rounded,
            record.delay.curve(),
            record.gap.curve(),
            seconds,
        )

    def _fed(self) -> dict[str, float]:
        expected = FED_S / self._simulation.plan.form.part_s
        grown = [
            peer.player.delivered - before
            for peer in self._simulation.alive()
            if (before := self._before_end.get(peer.id)) is not None
            and self._simulation.clock.now - peer.began_s > FED_S + GRACE_S
        ]
        fed = sum(each >= FED_SHARE * expected for each in grown)
        return {"fed_ratio": fed / max(len(grown), 1), "unfed": len(grown) - fed}

    def _delays(self) -> dict[str, float]:
        record = self._simulation.record
        return {
            "delay_p50_s": record.delay.percentile(0.5),
            "delay_p95_s": record.delay.percentile(0.95),
            "delay_p99_s": record.delay.percentile(0.99),
            "gap_p50_s": record.gap.percentile(0.5),
            "gap_p95_s": record.gap.percentile(0.95),
            "gap_max_s": record.gap.percentile(1.0),
            "hit": record.gap.total,
            "join_p50_s": record.first.percentile(0.5),
            "join_p95_s": record.first.percentile(0.95),
        }

    def _traffic(self) -> dict[str, float]:
        tally = self._simulation.record.tally
        came = tally.parts_pushed + tally.parts_pulled + tally.parts_burst
        wasted = tally.parts_duplicate + tally.parts_unwanted
        arrivals = max(came + wasted, 1)
        return {
            "source_egress_ratio": tally.source_bytes / max(tally.stream_bytes, 1),
            "duplicate_percent": 100 * wasted / arrivals,
            "pull_percent": 100 * tally.parts_pulled / arrivals,
            "burst_percent": 100 * tally.parts_burst / arrivals,
            "control_percent": 100 * tally.control_bytes / max(tally.part_bytes, 1),
        }

    def _players(self) -> dict[str, float]:
        """Continuity: of the time that players should have shown a picture, the share that they
        did. A stall is a part that came too late for a player with 0.5 s of buffer."""
        end_s, plan = self._simulation.clock.now, self._simulation.plan
        present_s = lost_s = 0.0
        stalls = skips = stalled = 0
        for peer in self._simulation.viewers:
            if peer.is_hostile:
                continue
            until_s = min(end_s, peer.died_s)
            began_s = max(peer.began_s + GRACE_S, plan.window_from_s)
            if until_s <= began_s:
                continue
            awake_s = until_s - began_s - peer.slept_s
            present_s += awake_s
            lost_s += min(_lost_s(peer, until_s, plan.form.part_s), awake_s)
            stalls += peer.player.stalls
            skips += peer.player.skipped
            stalled += peer.player.stalls > 0 or peer.player.skipped > 0
        watched = max(sum(not peer.is_hostile for peer in self._simulation.viewers), 1)
        return {
            "continuity_percent": 100 * (1 - lost_s / max(present_s, 1e-9)),
            "stalls": stalls,
            "stalled_nodes_percent": 100 * stalled / watched,
            "skipped_parts": skips,
        }

    def _shape(self) -> dict[str, float]:
        simulation = self._simulation
        alive = simulation.alive()
        depths = [len(path(peer, stripe)) for peer in alive for stripe in peer.parents]
        minutes = (simulation.clock.now - simulation.plan.window_from_s) / 60
        return {
            "depth_mean": sum(depths) / max(len(depths), 1),
            "depth_max": max(depths, default=0),
            "reparents_per_minute": simulation.record.tally.reparents
            / max(len(alive), 1)
            / max(minutes, 1e-9),
            "lasting_loops": self._lasting_loops,
        }

    def _faults(self) -> dict[str, float]:
        tally = self._simulation.record.tally
        names = (
            *("forged_refused", "out_of_order", "protocol_errors"),
            *("banned_honest", "banned_hostile", "dials", "dials_failed"),
        )
        late = sum(peer.uplink.late for peer in self._simulation.viewers)
        return {name: getattr(tally, name) for name in names} | {"parts_late": late}


def _lost_s(peer: Peer, until_s: float, part_s: float) -> float:
    """Seconds without a picture, the silence before the end included, sleep not."""
    player = peer.player
    if player.began_s < 0:
        return until_s
    silent_s = max(until_s - player.came_s - 1.0, 0.0)
    return max(player.stalled_s + player.skipped * part_s + silent_s - peer.slept_s, 0.0)
