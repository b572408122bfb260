/** Where the bytes of the video on stage come from, read again while it is there. */
import { api } from "./api";
import { live } from "./live.svelte";
import { paced } from "./pace";
import { stripes } from "./stripes";
import type { Sources } from "./types";

const POLL_MS = 1000;

class SourcesOnStage {
  view = $state.raw<Sources | null>(null);
  readonly strip = $derived(stripes(this.view?.ranges ?? [], this.view?.size_bytes ?? 0));
  readonly size = $derived(this.view?.size_bytes ?? 0);
  readonly waitingFor = $derived(this.view?.waiting_for ?? "");
  readonly changedOn = $derived(this.view?.changed_on ?? "");
  private id = "";

  readonly read = paced(250, () => {
    const { id } = this;
    if (!id) return;
    void api
      .sources(id)
      .then((answer) => {
        if (id === this.id) this.view = answer;
      })
      .catch(() => undefined);
  });

  /** For an effect: follow one video until the returned function is called. */
  follow(id: string): () => void {
    this.id = id;
    this.view = null;
    this.read();
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") this.read();
    }, POLL_MS);
    const end = live.listen((event) => {
      if (event.topic === "resync" || event.topic === "peers" || (event.topic === "sources" && (!event.subject || event.subject === id))) this.read();
    });
    return () => {
      clearInterval(timer);
      end();
      this.id = "";
      this.view = null;
    };
  }

  nameOf(source: string): string {
    if (source === "here") return "was here already";
    const found = this.view?.nodes.find((n) => n.id === source);
    return found?.is_me ? "this machine" : (found?.name ?? "");
  }
}

export const sources = new SourcesOnStage();
