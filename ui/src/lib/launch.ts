/** From a click on a card to a playing picture. The order is what makes it quick: first the address (the fetch starts), then the stage, which
 * stands ready and only has to be shown, and the rest of the page when the picture runs or has taken longer than a blink. Nothing moves
 * meanwhile: without a GPU a stage that grows out of its poster delays the picture by 20 ms. */
import { player } from "./player.svelte";
import { router } from "./router.svelte";
import type { Video } from "./types";

/** Longer than this the page does not wait for the picture: drawing it takes the browser as long as the first picture does. */
const PAGE_AFTER_MS = 300;

let launched = 0;

export function watch(video: Video): void {
  performance.mark("headwater:click", { detail: { id: video.id } });
  dispatchEvent(new CustomEvent("headwater:click", { detail: { id: video.id } }));
  const address = `/watch/${video.id}`;
  if (video.stream.kind === "none") {
    router.go(address);
    return;
  }
  player.open(video);
  const mine = (launched += 1);
  const entry = router.visit;
  const follow = (): void => {
    player.element.removeEventListener("playing", follow);
    clearTimeout(timer);
    if (mine !== launched) return;
    // Whoever has gone elsewhere in that moment is not brought back.
    if (entry === router.visit) router.go(address);
    else if (router.route.page !== "watch") player.stop();
  };
  const timer = setTimeout(follow, PAGE_AFTER_MS);
  player.element.addEventListener("playing", follow);
}
