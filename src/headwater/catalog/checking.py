"""What happens to a batch of items from a neighbour, in a thread: judged, verified, written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from headwater.catalog.catalogue import Catalogue
from headwater.wire.items import Claim, Item, Signed, claim_of, open_item

__all__ = ["Checked", "check"]


@dataclass(slots=True)
class Checked:
    """What came of it."""

    claims: list[Claim]
    """All that came, in order."""
    taken: list[Item] = field(default_factory=list)
    refused: list[Claim] = field(default_factory=list)
    """Beyond a bound of the catalogue."""
    has_late: bool = False
    """Some were left out because there were too many at once: to be asked for later."""


def check(
    catalogue: Catalogue, batch: Sequence[Signed], may_take: Callable[[Claim], bool]
) -> Checked:
    """A signature costs 0.1 ms: it is checked only for news that the sender may bring now.

    Raises: RemoteProtocolError when one is forged or malformed; nothing was taken then.
    StorageFull."""
    checked = Checked([claim_of(signed) for signed in batch])
    news: list[Item] = []
    for signed, claim in zip(batch, checked.claims, strict=True):
        verdict = catalogue.judge(claim)
        if verdict == "refused":
            checked.refused.append(claim)
        elif verdict == "news" and may_take(claim):
            news.append(open_item(signed))
        elif verdict == "news":
            checked.has_late = True
    if news:
        admission = catalogue.admit(news)
        checked.taken = admission.taken
        checked.refused += admission.refused
    return checked
