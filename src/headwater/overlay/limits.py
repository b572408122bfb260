"""The constants of an overlay, each with its reason. Pure."""

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Units: seconds where the name ends in _s, else counts. Bounds on memory come first."""

    # Memory.
    window_s: float = 20.0
    """Parts that the overlay knows of: two groups of the longest kind (10 s)."""
    min_window_parts: int = 256
    """What a LiveHave can tell."""
    max_window_parts: int = 1024
    """20 s of parts of a single frame at 50 frames/s."""
    neighbours: int = 512
    """Nodes that take part and are linked with us; more are sent away with names of others."""
    known: int = 64
    """Names kept of nodes that are not linked; the design asks for 30."""
    hints: int = 8
    """Names that a Redirect leaves with a stripe."""
    pulls: int = 96
    """Parts asked for and not yet here: a burst of a group of 2 s at 33 ms a part and some."""
    parts_per_pull: int = 32
    inits: int = 8
    """Inits remembered as held: one per restart of the encoder inside the window."""
    probes: int = 32
    """Announcements whose part has not come here yet, kept for measuring lateness."""

    # What neighbours tell each other.
    have_s: float = 0.15
    """Between two LiveHave to the same neighbour: 8 neighbours cost 1 % of 4 Mbit/s, and who has
    lost a parent waits that much less to hear who has what."""
    partners: int = 8
    """Neighbours without a parent or child relation that get LiveHave."""
    few_partners: int = 5
    """With fewer, more are dialled."""
    tick_s: float = 1.0
    """Housekeeping: free slots, viewers, better parents, dialling."""
    gossip_ticks: int = 3
    """Ticks between two LivePeers to a partner, one after the other."""
    explore_ticks: int = 10
    """Ticks between two dials of a node that a partner named; without a pause while parents are
    poor."""
    names_per_message: int = 8

    # Holes and silence.
    hole_s: float = 0.06
    """How late a part may be before it is pulled elsewhere: a scheduler's hiccup and a retransmit
    on a short path."""
    silence_s: float = 0.25
    """How late a parent's next part may be before another parent is looked for."""
    hold_s: float = 0.7
    """How much longer a child waits whose parent said Hold: it mends in about 0.4 s."""
    max_hold_s: float = 1.5
    """However often it says so."""
    hold_pull_s: float = 0.15
    """Added to hole_s under Hold: the parent forwards what it pulls."""
    pull_s: float = 0.15
    """A pull without an answer is repeated elsewhere after that, or twice the time that its answer
    should take by the uplink over there..."""
    max_pull_s: float = 0.4
    """...but not longer; plus a round trip."""
    deadline_s: float = 1.2
    """How late a part may be at all: then players skip to a keyframe. Twice their buffer."""
    still_s: float = 0.5
    """When nobody has had a newer part for so long, the whole stream stood still."""
    behind_s: float = 2.0
    """A keyframe skipped to is at most that far behind the edge, if there is a choice."""
    jump_s: float = 2.5
    """Who is that far behind (a laptop that slept) starts over at the newest group."""

    # Parents.
    answer_s: float = 0.25
    """For an answer to Subscribe, plus three round trips."""
    refused_s: float = 2.0
    """Before a node that refused is asked again for the same stripe; half to one and a half."""
    avoid_s: float = 30.0
    """For a parent that fell silent while others went on; doubled each time."""
    max_avoid_s: float = 600.0
    suspected_s: float = 1.5
    """A node that may be gone is asked for nothing so long: by then its link tells."""
    strikes: int = 4
    """Times that a node may fail us within max_avoid_s before its link is dropped."""
    silent_s: float = 0.75
    """A parent silent for that long after silence_s is avoided, for all stripes."""
    silences: int = 3
    """Shorter silences of a node before it is avoided as well; each counts for a minute."""
    idle_partners: int = 12
    """Linked nodes without a parent or child relation that are kept; the others are let go."""
    keep_ms: int = 2000
    """A child handed over keeps its feed so long: a dial, a join, a subscription and a part."""
    better_s: float = 0.04
    """Another parent must be so much earlier..."""
    better_for_s: float = 10.0
    """...for so long..."""
    switch_s: float = 20.0
    """...and that long after the last change: eager overlays never settle."""
    climb_s: float = 10.0
    """Between two tries of a strong node to get nearer to the source."""
    young_s: float = 15.0
    """After its join a node settles: better_for_s and switch_s are a tenth."""
    same_parent_s: float = 0.02
    """What a second stripe off the same parent is thought to cost: two parents are each other's
    warm backup."""
    displace_ratio: int = 2
    """A joiner with so many times the slots of a child takes its place and adopts it."""
    uplink_share: float = 0.8
    """Of an uplink that is given out as slots; the rest is for repair, control and bursts."""

    # Capacity.
    push_wait_s: float = 0.5
    """A part that waited so long to be sent to a child is left out: it has been pulled elsewhere by
    then, or soon will be, and what comes late as well only makes the next ones later."""
    backlog_s: float = 0.15
    """A part that waits so long to be sent, and until the next of its stripe comes, says that the
    child or our uplink is too slow..."""
    backlog_for_s: float = 1.0
    """...when it lasts."""
    calm_s: float = 3.0
    """After that long without backlog a slot that was taken away is given out again."""
    repair_share: float = 0.3
    """Of the stream may be pulled in the long run: one stripe of four that nobody has room to push.
    More would be a feed by the back door, out of uplinks that have been given away."""
    repair_burst_s: float = 8.0
    """So much of the stream may be pulled at once: a group at a join, and all while parents die."""

    # Floods.
    messages_per_s: int = 60
    """From one neighbour: LiveHave 7, changes of path in a storm of churn 30..."""
    messages_burst: int = 500
    """...and so many more at a time: what waits for a laptop that opens its eyes."""
    subscribes_per_s: int = 10
    """From one neighbour: all stripes twice a second..."""
    subscribes_burst: int = 64
    """...and so many more at a time: 16 stripes, four times over."""
    useless_parts: int = 64
    """Pushed parts in 10 s that we had from the same node already, or never asked for."""

    def patience_s(self, stripes: int, part_s: float) -> float:
        """push_wait_s, or when parts are so long that the next of a stripe comes later: then."""
        return max(self.push_wait_s, (stripes + 1) * part_s)
