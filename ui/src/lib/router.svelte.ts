/** The address bar as state: the page's own routes, moved through without a reload. */
import { flushSync } from "svelte";

export type Route =
  | { page: "library"; q: string; scope: "" | "all" | "here"; channel: string }
  | { page: "watch"; id: string; at: number }
  | { page: "live"; id: string }
  | { page: "golive" }
  | { page: "machines" }
  | { page: "activity" }
  | { page: "settings" }
  | { page: "unknown" };

export function parse(pathname: string, search: string): Route {
  const words = new URLSearchParams(search);
  const [first = "", second = ""] = pathname.split("/").filter(Boolean);
  if (first === "") {
    const scope = words.get("scope");
    return {
      page: "library",
      q: words.get("q") ?? "",
      scope: scope === "here" || scope === "all" ? scope : "",
      channel: words.get("channel") ?? "",
    };
  }
  if (first === "watch" && second) {
    return { page: "watch", id: second.toLowerCase(), at: Math.max(0, Number(words.get("t")) || 0) };
  }
  if (first === "live" && second) return { page: "live", id: second.toLowerCase() };
  if (first === "golive") return { page: "golive" };
  if (first === "machines" || first === "activity" || first === "settings") return { page: first };
  return { page: "unknown" };
}

class Router {
  route = $state<Route>(parse(location.pathname, location.search));
  /** How far down each place was left, by history entry. */
  private readonly left = new Map<number, number>();
  /** Counts every move, back and forward included. */
  visit = 0;
  private entry = 0;
  private newest = 0;

  constructor() {
    history.scrollRestoration = "manual";
    const kept = (history.state as { entry?: number } | null)?.entry;
    this.entry = this.newest = kept ?? 0;
    history.replaceState({ entry: this.entry }, "");
    addEventListener("popstate", (event) => {
      this.left.set(this.entry, scrollY);
      this.entry = (event.state as { entry?: number } | null)?.entry ?? 0;
      this.show(this.left.get(this.entry) ?? 0);
    });
  }

  /** Everything that the new page draws at once is in the document when this returns. */
  go(address: string): void {
    this.left.set(this.entry, scrollY);
    this.entry = this.newest += 1;
    history.pushState({ entry: this.entry }, "", address);
    this.show(0);
  }

  /** Typing in the search field: the address follows, the history does not fill up. */
  replace(address: string): void {
    history.replaceState({ entry: this.entry }, "", address);
    this.route = parse(location.pathname, location.search);
  }

  private show(scroll: number): void {
    this.visit += 1;
    flushSync(() => {
      this.route = parse(location.pathname, location.search);
    });
    scrollTo(0, scroll);
  }
}

export const router = new Router();

/** For `<a onclick>`: a plain click stays in the page, every other (new tab, save) is the browser's. */
export function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.currentTarget as Element).closest("a");
  if (!link?.href) return;
  event.preventDefault();
  router.go(link.getAttribute("href") ?? "/");
}

export function libraryAddress(query: { q?: string; scope?: string; channel?: string }): string {
  const words = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value) words.set(key, value);
  const text = words.toString();
  return text ? `/?${text}` : "/";
}
