/** From a click on a card to a playing picture: the player starts inside the click, then the page follows. */
import { player } from "./player.svelte";
import { router } from "./router.svelte";
import type { Video } from "./types";

/** Where the clicked poster was: the player grows out of it. Taken once. */
let grownFrom: DOMRect | null = null;

export function watch(video: Video, poster?: Element | undefined): void {
  performance.mark("headwater:click", { detail: { id: video.id } });
  player.open(video);
  dispatchEvent(new CustomEvent("headwater:click", { detail: { id: video.id } }));
  grownFrom = poster?.getBoundingClientRect() ?? null;
  router.go(`/watch/${video.id}`);
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
  const scale = from.width / to.width;
  stage.animate(
    [
      {
        transformOrigin: "0 0",
        transform: `translate(${from.left - to.left}px, ${from.top - to.top}px) scale(${scale}, ${from.height / to.height})`,
      },
      { transformOrigin: "0 0", transform: "none" },
    ],
    { duration: 180, easing: "cubic-bezier(0.2, 0, 0, 1)" },
  );
}
