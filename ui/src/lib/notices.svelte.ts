/** Sentences for the person: shown in a corner for a while, and spoken by a screen reader. */

export interface Notice {
  id: number;
  text: string;
  kind: "good" | "bad";
  at: number;
  /** A question: it stays until it is answered or dismissed. */
  answer?: { label: string; act: () => void };
}

const SHOWN_MS = { good: 4000, bad: 10_000 };
const REMEMBERED = 50;

class Notices {
  shown = $state<Notice[]>([]);
  /** The latest problems, newest first, for the page of activity. */
  problems = $state<Notice[]>([]);
  private next = 1;

  say(text: string, kind: "good" | "bad" = "good"): void {
    if (!text) return;
    if (this.shown.some((n) => n.text === text)) return;
    const notice: Notice = { id: this.next++, text, kind, at: Date.now() };
    this.shown = [...this.shown.slice(-2), notice];
    if (kind === "bad") this.problems = [notice, ...this.problems].slice(0, REMEMBERED);
    setTimeout(() => this.dismiss(notice.id), SHOWN_MS[kind]);
  }

  ask(text: string, label: string, act: () => void): void {
    const id = this.next++;
    const answer = {
      label,
      act: (): void => {
        this.dismiss(id);
        act();
      },
    };
    this.shown = [...this.shown.slice(-2), { id, text, kind: "good", at: Date.now(), answer }];
  }

  /** What went wrong with something that the person asked for. */
  failed(cause: unknown): void {
    this.say(cause instanceof Error ? cause.message : String(cause), "bad");
  }

  dismiss(id: number): void {
    this.shown = this.shown.filter((n) => n.id !== id);
  }
}

export const notices = new Notices();

export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Off localhost and without HTTPS there is no clipboard API; a selected field still copies.
    const field = document.createElement("textarea");
    field.value = text;
    field.style.position = "fixed";
    field.style.opacity = "0";
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  notices.say(`${what} copied`);
}
