// Tables from levels to colours, and the levels of thresholds. A colour is one number, alpha blue green red.

const tables = Object.fromEntries(
  Object.entries(content.colours).map(([name, text]) => [
    name,
    Array.from({ length: text.length / 6 }, (_, i) =>
      [0, 2, 4].map((at) => parseInt(text.slice(6 * i + at, 6 * i + at + 2), 16)),
    ),
  ]),
);

function mapValue(place, level) {
  return content.maps[place].largest * (level / content.map_top) ** 2;
}

let greyTables = { window: "" };

// The greys of an image's levels in the window; of each number of levels one table is kept.
function greys(top) {
  const window = [view.level, view.width].join();
  if (greyTables.window !== window) greyTables = { window };
  if (!greyTables[top]) {
    const low = view.level - view.width / 2;
    greyTables[top] = new Uint32Array(top + 1).map((_, level) => {
      const grey = Math.round(255 * Math.min(Math.max((level / top - low) / view.width, 0), 1));
      return 0xff000000 | (grey << 16) | (grey << 8) | grey;
    });
  }
  return greyTables[top];
}

function colourOfShare(name, share) {
  const colours = tables[name];
  return colours[Math.round(share * (colours.length - 1))];
}

// The colour and the opacity of a map's value.
function shade(place, value) {
  const { colours, brightest, opacity, driven } = view.maps[place];
  const share = Math.min(value / brightest, 1);
  return { colour: colourOfShare(colours, share), opacity: driven ? opacity * Math.sqrt(share) : opacity };
}

const colourings = []; // of each map: { key, table }

// The colour and opacity of each level of a map.
function mapColours(place) {
  const { colours, brightest, opacity, driven } = view.maps[place];
  const key = [colours, brightest, opacity, driven].join();
  if (colourings[place]?.key !== key) {
    const table = new Uint32Array(content.map_top + 1);
    table.forEach((_, level) => {
      const shaded = shade(place, mapValue(place, level));
      const [red, green, blue] = shaded.colour;
      table[level] = (Math.round(255 * shaded.opacity) << 24) | (blue << 16) | (green << 8) | red;
    });
    colourings[place] = { key, table };
  }
  return colourings[place].table;
}

function histogramOf(slice, place) {
  if (!slice.histograms[place]) {
    const counts = new Uint32Array(content.map_top + 1);
    for (const level of slice.maps[place]) counts[level] += 1;
    slice.histograms[place] = counts;
  }
  return slice.histograms[place];
}

// The largest level that at least the rest of the pixels reach; a value of 0 is never above a threshold.
function levelOfPercentile(counts, percentile) {
  let total = 0;
  for (const count of counts) total += count;
  const wanted = Math.max(1, (total * (100 - percentile)) / 100);
  let reached = 0;
  for (let level = content.map_top; level > 0; level -= 1) {
    reached += counts[level];
    if (reached >= wanted) return level;
  }
  return 1;
}

let countsOfAll = null;

// The histograms of all slices together; they are counted once, when they are first asked for.
async function countAll() {
  const counts = content.maps.map(() => new Uint32Array(content.map_top + 1));
  for (let index = 0; index < content.count; index += 1) {
    if (content.blank[index]) continue;
    const slice = await sliceAt(index);
    counts.forEach((sum, place) => histogramOf(slice, place).forEach((count, level) => (sum[level] += count)));
  }
  countsOfAll = counts;
  changed();
}

let isCounting = false;

// The level from which a map is coloured; null while the slices are still being counted.
function thresholdOf(slice, place) {
  const { by, percentile, value } = view.maps[place];
  if (by === "slice") return levelOfPercentile(histogramOf(slice, place), percentile);
  if (by === "all") {
    if (countsOfAll) return levelOfPercentile(countsOfAll[place], percentile);
    if (!isCounting) {
      isCounting = true;
      countAll();
    }
    return null;
  }
  const share = content.maps[place].largest > 0 ? value / content.maps[place].largest : 1;
  // Rounding must not leave out the level whose own value was asked for.
  return Math.max(1, Math.ceil(content.map_top * Math.sqrt(share) - 1e-6));
}
