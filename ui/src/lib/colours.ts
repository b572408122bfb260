/** One colour a node, the same on every page for as long as the page lives; neighbours in a list never share one while eight suffice. Pure. */

export const NODE_COLOURS = 8;

export class NodeColours {
  private readonly given = new Map<string, number>();

  of(id: string): string {
    if (id === "here" || id === "") return "var(--node-here)";
    let slot = this.given.get(id);
    if (slot === undefined) {
      slot = this.choose(id);
      this.given.set(id, slot);
    }
    return `var(--node-${slot})`;
  }

  private choose(id: string): number {
    const used = new Array<number>(NODE_COLOURS).fill(0);
    for (const slot of this.given.values()) used[slot] = (used[slot] ?? 0) + 1;
    const least = Math.min(...used);
    // Where it can be had, the colour follows from the id, so that two people see Anna in the same one.
    const wish = (Number.parseInt(id.slice(0, 8), 16) || 0) % NODE_COLOURS;
    for (let step = 0; step < NODE_COLOURS; step += 1) {
      const slot = (wish + step) % NODE_COLOURS;
      if (used[slot] === least) return slot;
    }
    return wish;
  }
}

export const colours = new NodeColours();
