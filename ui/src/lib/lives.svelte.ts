/** What is on air, as the page knows it; kept fresh by events. */
import { liveApi } from "./live/api";
import { live as events } from "./live.svelte";
import { paced } from "./pace";
import type { Live } from "./live/types";

class Lives {
  list = $state.raw<Live[]>([]);
  known = $state(false);
  /** When `list` was read, for clocks that go on. Units: milliseconds of performance.now(). */
  readAt = $state(0);

  readonly refresh = paced(300, () => {
    void liveApi
      .lives()
      .then((lives) => {
        this.list = lives;
        this.readAt = performance.now();
        this.known = true;
      })
      .catch(() => (this.known = true));
  });

  readonly onAir = $derived(this.list.filter((one) => one.state !== "ended"));

  get(id: string): Live | undefined {
    return this.list.find((one) => one.id === id);
  }

  start(): void {
    this.refresh();
    events.listen((event) => {
      if (event.topic === "resync" || event.topic === "lives") this.refresh();
    });
  }
}

export const lives = new Lives();
