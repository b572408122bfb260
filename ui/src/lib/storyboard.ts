/** Where in a storyboard picture the tile for a moment lies, as CSS background values. Pure. */
import type { Storyboard } from "./types";

export interface Tile {
  size: string;
  position: string;
}

export function tileAt(board: Storyboard, seconds: number): Tile {
  const count = Math.max(1, board.columns * board.rows);
  const index = Math.min(count - 1, Math.max(0, Math.floor(seconds / (board.step_s || 1))));
  const column = index % board.columns;
  const row = Math.floor(index / board.columns);
  const along = (n: number, of: number): number => (of > 1 ? (100 * n) / (of - 1) : 0);
  return {
    size: `${board.columns * 100}% ${board.rows * 100}%`,
    position: `${along(column, board.columns)}% ${along(row, board.rows)}%`,
  };
}
