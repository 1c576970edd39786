// Outlines of regions, along the edges of their pixels.

// Path2D, in pixels of the image, around the pixels whose level is of a size that reaches a threshold.
function outlineOf(levels, threshold, sizes) {
  const { rows, columns } = content;
  const path = new Path2D();
  const isIn = (row, column) =>
    row >= 0 && row < rows && column >= 0 && column < columns && sizes[levels[row * columns + column]] >= threshold;
  // Between two rows, and between two columns, an edge goes on as long as one side is in and the other is not.
  for (let row = 0; row <= rows; row += 1) {
    for (let column = 0, from = -1; column <= columns; column += 1) {
      const isEdge = column < columns && isIn(row - 1, column) !== isIn(row, column);
      if (isEdge && from < 0) from = column;
      if (!isEdge && from >= 0) {
        path.moveTo(from, row);
        path.lineTo(column, row);
        from = -1;
      }
    }
  }
  for (let column = 0; column <= columns; column += 1) {
    for (let row = 0, from = -1; row <= rows; row += 1) {
      const isEdge = row < rows && isIn(row, column - 1) !== isIn(row, column);
      if (isEdge && from < 0) from = row;
      if (!isEdge && from >= 0) {
        path.moveTo(column, from);
        path.lineTo(column, row);
        from = -1;
      }
    }
  }
  return path;
}

function strokeOutline(context, path, colour) {
  const { width, height } = context.canvas;
  const scaled = new Path2D();
  scaled.addPath(path, new DOMMatrix().scale(width / content.columns, height / content.rows));
  context.lineCap = "square";
  const thin = Math.max(1.6, Math.max(width, height) / 450);
  for (const [stroke, wide] of [["#000000", 2 * thin], [colour, thin]]) {
    context.strokeStyle = stroke;
    context.lineWidth = wide;
    context.stroke(scaled);
  }
}
