/** Where the nodes of an overlay are drawn: the source on top, whoever is fed below whoever feeds. Pure. Units: of the drawing. */
import type { Named } from "../types";
import type { Overlay, OverlayLink } from "./types";

export const ROW = 84;
export const WIDTH = 360;
const MARGIN = 52;
const STRIPE_GAP = 3;
const MOST_IN_ROW = 6;

export interface Placed extends Named {
  x: number;
  y: number;
  role: "source" | "me" | "feeds" | "fed" | "above";
  /** More of them than are drawn: how many this one stands for besides itself. */
  more: number;
}

export interface Line {
  key: string;
  stripe: number;
  path: string;
  toMe: boolean;
  fromMe: boolean;
}

export interface Picture {
  width: number;
  height: number;
  nodes: Placed[];
  lines: Line[];
}

export function draw(overlay: Overlay): Picture {
  const depth = depths(overlay);
  const rows = new Map<number, string[]>();
  const places = new Map<string, string>();
  for (const node of overlay.nodes) {
    const row = depth.get(node.id) ?? 0;
    rows.set(row, [...(rows.get(row) ?? []), node.id]);
  }
  const nodes: Placed[] = [];
  const byId = new Map(overlay.nodes.map((node) => [node.id, node]));
  for (const [row, all] of rows) {
    // By id, so that nobody changes places when somebody else comes or goes; this machine stays in the middle.
    const ids = all.filter((id) => id !== overlay.me).sort();
    if (all.includes(overlay.me)) ids.splice(Math.floor(ids.length / 2), 0, overlay.me);
    const shown = ids.slice(0, MOST_IN_ROW);
    // Lines that pass this row run through its middle: who is in it stands aside.
    const passed = overlay.links.some((link) => (depth.get(link.from) ?? 0) < row && (depth.get(link.to) ?? 0) > row);
    const across = spread(shown.length, passed && !shown.includes(overlay.me));
    ids.forEach((id, i) => places.set(id, shown[Math.min(i, shown.length - 1)] ?? id));
    shown.forEach((id, i) => {
      const named = byId.get(id);
      if (!named) return;
      nodes.push({
        ...named,
        x: across[i] ?? WIDTH / 2,
        y: ROW / 2 + row * ROW,
        role: role(overlay, id),
        more: i === shown.length - 1 ? ids.length - shown.length : 0,
      });
    });
  }
  const at = new Map(nodes.map((node) => [node.id, node]));
  const height = (Math.max(0, ...depth.values()) + 1) * ROW;
  const lines = overlay.links.flatMap((link) => line(link, overlay, at.get(places.get(link.from) ?? ""), at.get(places.get(link.to) ?? "")));
  return { width: WIDTH, height, nodes, lines };
}

/** From left to right, at equal distances; with `aside` the middle stays free. */
function spread(count: number, aside: boolean): number[] {
  const slots = aside && count % 2 === 1 ? count + 1 : count;
  if (slots === 1) return [WIDTH / 2];
  const all = Array.from({ length: slots }, (_, i) => MARGIN + ((WIDTH - 2 * MARGIN) * i) / (slots - 1));
  return slots === count ? all : all.filter((_, i) => i !== slots / 2);
}

/** Rows from the source down: one below the lowest of those that feed it; whoever feeds nobody and is fed by nobody beside the source. */
function depths(overlay: Overlay): Map<string, number> {
  const depth = new Map<string, number>([[overlay.source, 0]]);
  // Paths are short and free of loops; a report caught between two states might not be, so the rounds are counted.
  for (let round = 0; round < overlay.nodes.length; round += 1) {
    let moved = false;
    for (const { from, to } of overlay.links) {
      if (to === overlay.source) continue;
      const wanted = Math.min((depth.get(from) ?? 0) + 1, overlay.nodes.length - 1);
      if (wanted > (depth.get(to) ?? 0)) {
        depth.set(to, wanted);
        moved = true;
      }
    }
    if (!moved) break;
  }
  if (!depth.has(overlay.me) && overlay.me !== overlay.source) depth.set(overlay.me, 1);
  return depth;
}

function role(overlay: Overlay, id: string): Placed["role"] {
  if (id === overlay.me) return "me";
  if (id === overlay.source) return "source";
  if (overlay.links.some((link) => link.from === id && link.to === overlay.me)) return "feeds";
  return overlay.links.some((link) => link.from === overlay.me && link.to === id) ? "fed" : "above";
}

function line(link: OverlayLink, overlay: Overlay, from: Placed | undefined, to: Placed | undefined): Line[] {
  if (!from || !to || from === to) return [];
  const aside = (link.stripe - (overlay.stripes - 1) / 2) * STRIPE_GAP;
  const [x1, x2] = [from.x + aside, to.x + aside];
  const middle = (from.y + to.y) / 2;
  return [
    {
      key: `${link.stripe} ${link.from} ${link.to}`,
      stripe: link.stripe,
      path: `M${x1} ${from.y}C${x1} ${middle} ${x2} ${middle} ${x2} ${to.y}`,
      toMe: link.to === overlay.me,
      fromMe: link.from === overlay.me,
    },
  ];
}

/** The same in words: "From Anna (stripes 1, 3) and the source (2, 4). To Bob (1)." */
export function inWords(overlay: Overlay): string {
  const name = (id: string): string => overlay.nodes.find((n) => n.id === id)?.name ?? "somebody";
  const told = (links: OverlayLink[], end: (link: OverlayLink) => string): string => {
    const by = new Map<string, number[]>();
    for (const link of links) by.set(end(link), [...(by.get(end(link)) ?? []), link.stripe + 1]);
    return [...by].map(([id, stripes]) => `${name(id)} (${stripes.length === overlay.stripes ? "all of it" : `part ${stripes.sort().join(", ")}`})`).join(", ");
  };
  const fedBy = told(overlay.links.filter((l) => l.to === overlay.me), (l) => l.from);
  const feeds = told(overlay.links.filter((l) => l.from === overlay.me), (l) => l.to);
  return [fedBy ? `Fed by ${fedBy}.` : "", feeds ? `Feeds ${feeds}.` : ""].filter(Boolean).join(" ");
}
