// Tables from levels to colours, and the levels of thresholds. A colour is one number, alpha blue green red.

const tables = Object.fromEntries(
  Object.entries({ ...content.colours, ...content.diverging }).map(([name, text]) => [
    name,
    Array.from({ length: text.length / 6 }, (_, i) =>
      [0, 2, 4].map((at) => parseInt(text.slice(6 * i + at, 6 * i + at + 2), 16)),
    ),
  ]),
);

// The level of a map's value 0; below it are the negative values of a signed map.
function zeroOf(place) {
  return content.maps[place].signed ? content.map_top : 0;
}

// The level that stands for no number.
function emptyOf(place) {
  return zeroOf(place) + content.map_top + 1;
}

function mapValue(place, level) {
  if (level === emptyOf(place)) return NaN;
  const steps = level - zeroOf(place);
  return content.maps[place].largest * Math.sign(steps) * (steps / content.map_top) ** 2;
}

const sizes = []; // of each map: a table

// How far each level of a map is from 0, in levels, whatever its sign. No number is at 0, so it is never coloured.
function sizesOf(place) {
  sizes[place] ??= Uint16Array.from({ length: emptyOf(place) + 1 }, (_, level) =>
    level === emptyOf(place) ? 0 : Math.abs(level - zeroOf(place)),
  );
  return sizes[place];
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
  const share = Math.min(Math.max(value / brightest, -1), 1);
  const along = content.maps[place].signed ? (share + 1) / 2 : share;
  return { colour: colourOfShare(colours, along), opacity: driven ? opacity * Math.sqrt(Math.abs(share)) : opacity };
}

const colourings = []; // of each map: { key, table }

// The colour and opacity of each level of a map.
function mapColours(place) {
  const { colours, brightest, opacity, driven } = view.maps[place];
  const key = [colours, brightest, opacity, driven].join();
  if (colourings[place]?.key !== key) {
    const table = new Uint32Array(emptyOf(place) + 1);
    table.subarray(0, -1).forEach((_, level) => {
      const shaded = shade(place, mapValue(place, level));
      const [red, green, blue] = shaded.colour;
      table[level] = (Math.round(255 * shaded.opacity) << 24) | (blue << 16) | (green << 8) | red;
    });
    colourings[place] = { key, table };
  }
  return colourings[place].table;
}

// How many pixels of a slice have each distance from 0; those without a number are not counted.
function histogramOf(slice, place) {
  if (!slice.histograms[place]) {
    const counts = new Uint32Array(content.map_top + 1);
    const [empty, size] = [emptyOf(place), sizesOf(place)];
    for (const level of slice.maps[place]) if (level !== empty) counts[size[level]] += 1;
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

// The distance from 0, in levels, from which a map is coloured; null while the slices are still being counted.
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
