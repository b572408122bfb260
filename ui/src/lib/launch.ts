/** From a click on a card to a playing picture. The order is what makes it quick: first the address (the fetch starts), then the stage, which
 * stands ready and only has to be shown, and the rest of the page when the picture runs or has taken longer than a blink. */
import { player } from "./player.svelte";
import { router } from "./router.svelte";
import type { Video } from "./types";

/** Longer than this the page does not wait for the picture. */
const PAGE_AFTER_MS = 100;

/** Where the clicked poster was: the stage grows out of it. Taken once. */
let grownFrom: DOMRect | null = null;
let launched = 0;

export function watch(video: Video, poster?: Element | undefined): void {
  performance.mark("headwater:click", { detail: { id: video.id } });
  dispatchEvent(new CustomEvent("headwater:click", { detail: { id: video.id } }));
  const address = `/watch/${video.id}`;
  if (video.stream.kind === "none") {
    router.go(address);
    return;
  }
  grownFrom = poster?.getBoundingClientRect() ?? null;
  player.open(video);
  const mine = (launched += 1);
  const entry = router.visit;
  const follow = (): void => {
    player.element.removeEventListener("playing", follow);
    clearTimeout(timer);
    if (mine !== launched) return;
    // Whoever has gone elsewhere in that tenth of a second is not brought back.
    if (entry === router.visit) router.go(address);
    else if (router.route.page !== "watch") player.stop();
  };
  const timer = setTimeout(follow, PAGE_AFTER_MS);
  player.element.addEventListener("playing", follow);
}

export function takeOrigin(): DOMRect | null {
  const rect = grownFrom;
  grownFrom = null;
  return rect;
}

/** Let `stage` grow from where the poster was. Only a transform: the video decodes meanwhile undisturbed. */
export function grow(stage: HTMLElement, from: DOMRect | null): void {
  if (!from || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const to = stage.getBoundingClientRect();
  if (!to.width || !to.height) return;
  const move = `translate(${from.left - to.left}px, ${from.top - to.top}px) scale(${from.width / to.width}, ${from.height / to.height})`;
  stage.animate([{ transformOrigin: "0 0", transform: move }, { transformOrigin: "0 0", transform: "none" }], {
    duration: 180,
    easing: "cubic-bezier(0.2, 0, 0, 1)",
  });
}
