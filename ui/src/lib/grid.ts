/** Which cells of a long grid are on screen. Pure. Units: CSS pixels. */

export interface GridShape {
  columns: number;
  cellWidth: number;
  rowHeight: number;
  height: number;
}

export interface Span {
  first: number;
  end: number;
}

/** Shape: `textHeight` is what lies under a card's 16:9 picture; `gap` lies between cards both ways. */
export function gridShape(width: number, count: number, minWidth: number, textHeight: number, gap: number): GridShape {
  const columns = Math.max(1, Math.floor((width + gap) / (minWidth + gap)));
  const cellWidth = Math.max(0, (width - gap * (columns - 1)) / columns);
  const rowHeight = Math.round((cellWidth * 9) / 16) + textHeight + gap;
  const rows = Math.ceil(count / columns);
  return { columns, cellWidth, rowHeight, height: Math.max(0, rows * rowHeight - gap) };
}

/** The cells between `top` and `bottom` (of the grid's own box) and `extraRows` more on both sides, whole rows only. */
export function visible(shape: GridShape, count: number, top: number, bottom: number, extraRows = 2): Span {
  const first = Math.max(0, Math.floor(top / shape.rowHeight) - extraRows) * shape.columns;
  const end = Math.min(count, (Math.ceil(bottom / shape.rowHeight) + extraRows) * shape.columns);
  return { first: Math.min(first, Math.max(0, count - 1)), end: Math.max(0, end) };
}
