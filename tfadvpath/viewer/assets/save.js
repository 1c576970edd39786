// The pictures as they are shown, with bars and flags, as one PNG file.

const lineHeight = 26;
const margin = 16;

function savePicture() {
  const slice = decoded[view.slice];
  const canvas = sheetOf(slice);
  canvas.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = content.count > 1 ? `explanation_${content.noun}_${view.slice}.png` : "explanation.png";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }, "image/png");
}

function sheetOf(slice) {
  const bars = barsShown(slice, mapsShown(slice));
  const across = panes.map((pane) => pane.canvas.width + margin).reduce((sum, wide) => sum + wide, margin);
  const width = Math.max(across, 640);
  const flags = content.flags[view.slice].map(([kind, text]) => `${marks[kind]} ${text}`);
  const scores = content.images
    .filter(({ name }) => name in content.scores)
    .map(({ name, title }) => `${title}: f = ${content.scores[name][view.slice]?.toFixed(4) ?? "–"}`);
  const place = content.count > 1 ? `${content.noun} ${view.slice}; ` : "";
  const lines = [...flags, place + scores.join("; "), "For research, not for diagnosis. Made by tfadvpath."];
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  const font = '16px system-ui, "DejaVu Sans", sans-serif';
  context.font = font;
  const wrapped = lines.flatMap((line) => inLines(context, line, width - 2 * margin));
  const picturesHigh = panes[0].canvas.height;
  canvas.width = width;
  canvas.height =
    margin + picturesHigh + lineHeight + bars.length * 2.6 * lineHeight + wrapped.length * lineHeight + 2 * margin;
  context.fillStyle = "#000000";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.font = font;
  context.fillStyle = "#ffffff";
  let left = margin;
  for (const pane of panes) {
    context.drawImage(pane.canvas, left, margin);
    context.fillText(titleOf(pane.name), left, margin + picturesHigh + 20, pane.canvas.width);
    left += pane.canvas.width + margin;
  }
  let top = margin + picturesHigh + lineHeight;
  for (const bar of bars) {
    drawBar(context, bar, top, Math.min(width - 2 * margin, 600));
    top += 2.6 * lineHeight;
  }
  context.fillStyle = "#ffffff";
  for (const line of wrapped) {
    top += lineHeight;
    context.fillText(line, margin, top);
  }
  return canvas;
}

function drawBar(context, bar, top, wide) {
  context.fillStyle = "#ffffff";
  context.fillText(bar.title + (bar.note ? `, ${bar.note}` : ""), margin, top + 20, wide);
  for (let i = 0; i < wide; i += 1) {
    context.fillStyle = `rgb(${bar.colourOf(i / (wide - 1)).join(" ")})`;
    context.fillRect(margin + i, top + 26, 1, 14);
  }
  context.fillStyle = "#ffffff";
  bar.ticks.forEach((_, place) => {
    const text = tickText(bar, place);
    const share = place / (bar.ticks.length - 1);
    context.fillText(text, margin + share * (wide - context.measureText(text).width), top + 58);
  });
}

function inLines(context, text, wide) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = `${lines[lines.length - 1]} ${word}`.trim();
    if (context.measureText(longer).width <= wide) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
