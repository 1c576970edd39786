// Pictures: the image, the maps over it, outlines and the cursor.

const panes = []; // { name, figure, canvas, caption }
const proportion = content.proportions[1] / content.proportions[0]; // width by height
const leastPane = 150; // pixels across
// Outlines that were followed, the latest last.
const followed = new Map();
const mostFollowed = 500;

function remembered(key, make) {
  const known = followed.get(key) ?? make();
  followed.delete(key);
  followed.set(key, known);
  if (followed.size > mostFollowed) followed.delete(followed.keys().next().value);
  return known;
}

// A canvas of the arrays' size that every picture is painted on before it is enlarged.
function newSheet(rows, columns) {
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  return { canvas, pixels, finish: () => context.putImageData(image, 0, 0) };
}

const sheet = newSheet(content.rows, content.columns);
const detailSheet = content.detail && newSheet(content.detail.rows, content.detail.columns);

function paintLevels(pixels, levels, table) {
  for (let i = 0; i < levels.length; i += 1) pixels[i] = table[levels[i]];
}

// Lays a map over what is painted.
function blend(pixels, levels, threshold, sizes, table) {
  for (let i = 0; i < levels.length; i += 1) {
    const level = levels[i];
    if (sizes[level] < threshold) continue;
    const over = table[level];
    const under = pixels[i];
    const share = (over >>> 24) / 255;
    const mixed = (shift) => {
      const below = (under >>> shift) & 255;
      return Math.round(below + share * (((over >>> shift) & 255) - below)) << shift;
    };
    pixels[i] = 0xff000000 | mixed(16) | mixed(8) | mixed(0);
  }
}

function between(slice) {
  const { start, adversary } = slice.images;
  const levels = new Uint16Array(pixelCount);
  for (let i = 0; i < pixelCount; i += 1) {
    levels[i] = Math.round(start[i] + view.along * (adversary[i] - start[i]));
  }
  return levels;
}

function drawPicture(context, name, index, slice, maps) {
  const { width, height } = context.canvas;
  context.imageSmoothingEnabled = view.smooth;
  const areas = maps.filter((map) => map.style !== "outline");
  if (name === "detail") {
    paintLevels(detailSheet.pixels, details[index], greys(content.detail.top));
    detailSheet.finish();
    context.imageSmoothingQuality = width < content.detail.columns ? "medium" : "low";
    context.drawImage(detailSheet.canvas, 0, 0, width, height);
    for (const map of areas) {
      const table = mapColours(map.place);
      const size = sizesOf(map.place);
      slice.maps[map.place].forEach((level, i) => (sheet.pixels[i] = size[level] < map.threshold ? 0 : table[level]));
      sheet.finish();
      context.drawImage(sheet.canvas, 0, 0, width, height);
    }
    return;
  }
  const levels = name === "along" ? between(slice) : slice.images[name];
  paintLevels(sheet.pixels, levels, greys(content.image_top));
  for (const { place, threshold } of areas) {
    blend(sheet.pixels, slice.maps[place], threshold, sizesOf(place), mapColours(place));
  }
  sheet.finish();
  context.imageSmoothingQuality = width < content.columns ? "medium" : "low";
  context.drawImage(sheet.canvas, 0, 0, width, height);
}

// The pictures that are shown: the chosen one, and beside it the others.
function namesShown() {
  if (!view.beside) return [view.shown];
  const others = content.images.map((image) => image.name).filter((name) => name !== view.shown);
  return [view.shown, ...others.filter((name) => !(view.shown === "detail" && name === "input"))];
}

function layPanes() {
  const names = namesShown();
  const room = document.getElementById("panes");
  while (panes.length > names.length) panes.pop().figure.remove();
  while (panes.length < names.length) panes.push(newPane(room));
  const gap = 10;
  const most = Math.max(1, Math.floor((room.clientWidth + gap) / (leastPane + gap)));
  const across = Math.min(names.length, most);
  const wide = Math.min(
    Math.floor((room.clientWidth + gap) / across) - gap - 1,
    Math.max(leastPane, Math.floor(0.72 * innerHeight * proportion)),
  );
  const scale = window.devicePixelRatio || 1;
  panes.forEach((pane, place) => {
    pane.name = names[place];
    pane.figure.style.width = `${wide}px`;
    const width = Math.round(wide * scale);
    const height = Math.round((wide / proportion) * scale);
    if (pane.canvas.width !== width || pane.canvas.height !== height) {
      pane.canvas.width = width;
      pane.canvas.height = height;
    }
  });
}

function newPane(room) {
  const figure = document.createElement("figure");
  const canvas = document.createElement("canvas");
  const caption = document.createElement("figcaption");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application"); // the arrow keys reach it where a screen reader runs
  canvas.setAttribute("aria-roledescription", "picture");
  figure.append(canvas, caption);
  room.append(figure);
  listenToPicture(canvas);
  return { name: "", figure, canvas, caption };
}

// The maps to draw, with the level from which each is coloured.
function mapsShown(slice) {
  if (!view.overlay) return [];
  return view.maps
    .map((map, place) => ({ ...map, place }))
    .filter((map) => map.on)
    .map((map) => ({ ...map, threshold: thresholdOf(slice, map.place) }))
    .filter((map) => map.threshold !== null);
}

function drawPane(pane, index, slice, maps) {
  const { canvas } = pane;
  const context = canvas.getContext("2d", { alpha: false });
  drawPicture(context, pane.name, index, slice, maps);
  for (const map of maps) {
    if (map.style === "area") continue;
    const key = ["outline", map.place, index, map.threshold].join();
    const path = remembered(key, () => outlineOf(slice.maps[map.place], map.threshold, sizesOf(map.place)));
    strokeOutline(context, path, `rgb(${colourOfShare(map.colours, 0.8).join(" ")})`);
  }
  content.masks.forEach((mask, place) => {
    if (!view.masks[place]) return;
    const path = remembered(["mask", place, index].join(), () => outlineOf(slice.masks[place], 1, [0, 1]));
    strokeOutline(context, path, mask.colour);
  });
  if (maps.length && isUnreadable(index)) drawWarning(context);
  if (view.cursor) drawCursor(context);
  canvas.dataset.slice = index;
  const over = maps.map((map) => content.maps[map.place].title).join(", ");
  pane.caption.textContent = titleOf(pane.name) + (over ? `, with ${over}` : "");
  const place = content.count > 1 ? ` of ${content.noun} ${index}` : "";
  canvas.setAttribute("aria-label", `${pane.caption.textContent}${place}`);
}

// A map that must not be read says so wherever its picture goes.
function drawWarning(context) {
  const { width } = context.canvas;
  const high = Math.max(18, width / 22);
  context.fillStyle = "#000000";
  context.fillRect(0, 0, width, 1.5 * high);
  context.fillStyle = "#ff8a80";
  context.font = `600 ${0.8 * high}px system-ui, "DejaVu Sans", sans-serif`;
  context.fillText("✗ Do not read this map", 0.5 * high, 1.05 * high, width - high);
}

// A cross with a hole, so that the pixel itself is seen.
function drawCursor(context) {
  const { width, height } = context.canvas;
  const x = ((view.cursor.column + 0.5) * width) / content.columns;
  const y = ((view.cursor.row + 0.5) * height) / content.rows;
  const [hole, arm] = [Math.max(6, (0.6 * width) / content.columns), Math.max(18, width / 24)];
  const cross = new Path2D();
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    cross.moveTo(x + dx * hole, y + dy * hole);
    cross.lineTo(x + dx * (hole + arm), y + dy * (hole + arm));
  }
  for (const [colour, wide] of [["#000000", 4], ["#ffffff", 2]]) {
    context.strokeStyle = colour;
    context.lineWidth = wide;
    context.stroke(cross);
  }
}

function isReady(index) {
  return decoded[index] && (view.shown !== "detail" || details[index]);
}

// Draws the page; where the slice is not decoded yet, as soon as it is.
function render() {
  const index = view.slice;
  if (isReady(index)) {
    drawAll(index);
    document.getElementById("panes").removeAttribute("aria-busy");
    return;
  }
  const area = document.getElementById("panes");
  area.setAttribute("aria-busy", "true");
  Promise.all([sliceAt(index), view.shown === "detail" ? detailAt(index) : null]).then(() => {
    // While somebody scrolls on, a slice that came late is better than none.
    if (isReady(view.slice)) drawAll(view.slice);
    else if (isReady(index)) drawAll(index);
    if (isReady(view.slice)) area.removeAttribute("aria-busy");
  }, (trouble) => {
    area.removeAttribute("aria-busy");
    showTrouble(trouble);
  });
}

let laidOut = "";

function drawAll(index) {
  const layout = [namesShown(), document.getElementById("panes").clientWidth, innerHeight].join();
  if (layout !== laidOut) {
    laidOut = layout;
    layPanes();
  }
  const slice = decoded[index];
  const maps = mapsShown(slice);
  for (const pane of panes) drawPane(pane, index, slice, maps);
  showBars(slice, maps);
  showWords(index, slice);
  if (isChanged) showControls();
  isChanged = false;
}
