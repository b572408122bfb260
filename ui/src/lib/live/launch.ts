/** From a card to a playing live. The connection is opened as the pointer goes down, so that the node joins while the finger is still on the way
 * up; the page follows the click. */
import { router } from "../router.svelte";
import { livePlayer } from "./player.svelte";
import type { Live } from "./types";

export function watchLive(live: Live): void {
  const detail = { id: live.id };
  performance.mark("headwater:click", { detail });
  dispatchEvent(new CustomEvent("headwater:click", { detail }));
  livePlayer.open(live);
  router.go(`/live/${live.id}`);
}
