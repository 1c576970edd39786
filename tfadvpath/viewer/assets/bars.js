// Bars of colours with their values, below the pictures.

const barSteps = 256;

// Paints a bar; `colourOf` gives red, green and blue of a share of its length.
function paintBar(canvas, colourOf) {
  canvas.width = barSteps;
  canvas.height = 1;
  const context = canvas.getContext("2d");
  const image = context.createImageData(barSteps, 1);
  for (let i = 0; i < barSteps; i += 1) image.data.set([...colourOf(i / (barSteps - 1)), 255], 4 * i);
  context.putImageData(image, 0, 0);
}

function shortNumber(value) {
  if (value === 0) return "0";
  return Math.abs(value) >= 0.01 && Math.abs(value) < 1e4 ? String(+value.toPrecision(3)) : value.toExponential(1);
}

// The bars that stand on the page: { title, note, ticks, colourOf }.
function barsShown(slice, maps) {
  const low = view.level - view.width / 2;
  const image = {
    title: "Image",
    note: "",
    ticks: [low, view.level, low + view.width],
    colourOf: (share) => Array(3).fill(Math.round(255 * share)),
  };
  return [image, ...maps.map((map) => mapBar(slice, map))];
}

function mapBar(slice, map) {
  const { title, signed } = content.maps[map.place];
  const threshold = mapValue(map.place, zeroOf(map.place) + map.threshold);
  const reached = histogramOf(slice, map.place).subarray(map.threshold).reduce((sum, count) => sum + count, 0);
  const share = ((100 * reached) / pixelCount).toFixed(1);
  const from = `${signed ? "±" : ""}${shortNumber(threshold)}`;
  const note = reached ? `from ${from}: ${share} % of the pixels` : `no pixel reaches ${from}`;
  return {
    title,
    note,
    signed,
    ticks: signed ? [-map.brightest, 0, map.brightest] : [0, map.brightest / 2, map.brightest],
    colourOf: (part) => {
      const value = (signed ? 2 * part - 1 : part) * map.brightest;
      if (Math.abs(value) < threshold) return [96, 96, 96]; // as in the middle of an image
      const { colour, opacity } = shade(map.place, value);
      return colour.map((one) => Math.round(opacity * one + (1 - opacity) * 96));
    },
  };
}

const shownBars = [];

function showBars(slice, maps) {
  const bars = barsShown(slice, maps);
  const room = document.getElementById("bars");
  while (room.children.length > bars.length) room.lastChild.remove();
  while (room.children.length < bars.length) room.append(newBar());
  bars.forEach((bar, place) => {
    const key = JSON.stringify([bar, place ? Object.values(view.maps[maps[place - 1].place]) : ""]);
    if (shownBars[place] === key) return;
    shownBars[place] = key;
    const [title, note, canvas, ticks] = room.children[place].children;
    title.textContent = bar.title;
    note.textContent = bar.note ? `, ${bar.note}` : "";
    paintBar(canvas, bar.colourOf);
    [...ticks.children].forEach((tick, i) => (tick.textContent = tickText(bar, i)));
  });
}

function tickText(bar, place) {
  const isTop = bar.title !== "Image" && place === bar.ticks.length - 1;
  const isBottom = bar.signed && place === 0;
  return `${isTop ? "≥ " : isBottom ? "≤ " : ""}${shortNumber(bar.ticks[place])}`;
}

function newBar() {
  const bar = document.createElement("div");
  bar.className = "bar";
  const canvas = document.createElement("canvas");
  canvas.setAttribute("aria-hidden", "true");
  const [title, note] = [document.createElement("b"), document.createElement("span")];
  const ticks = document.createElement("div");
  ticks.className = "ticks";
  for (let i = 0; i < 3; i += 1) ticks.append(document.createElement("span"));
  bar.append(title, note, canvas, ticks);
  return bar;
}
