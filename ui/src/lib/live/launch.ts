/** From a card to a playing live. The connection is opened as the pointer goes down, so that the node joins while the finger is still on the way
 * up; the page follows the click. */
import { router } from "../router.svelte";
import { livePlayer } from "./player.svelte";
import type { Live } from "./types";

let grownFrom: DOMRect | null = null;

export function watchLive(live: Live, poster?: Element): void {
  const detail = { id: live.id };
  performance.mark("headwater:click", { detail });
  dispatchEvent(new CustomEvent("headwater:click", { detail }));
  grownFrom = poster?.getBoundingClientRect() ?? null;
  livePlayer.open(live);
  router.go(`/live/${live.id}`);
}

/** Where the clicked card was. Taken once. */
export function takeLiveOrigin(): DOMRect | null {
  const rect = grownFrom;
  grownFrom = null;
  return rect;
}
