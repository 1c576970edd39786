// Numbers and sentences: flags, the values under the cursor, probabilities, the table of all slices.

const marks = { good: "✓", care: "!", bad: "✗", nothing: "–" };
const imageDigits = content.image_top > 1000 ? 4 : 3;

function showTrouble(error) {
  const room = document.getElementById("trouble");
  room.hidden = false;
  room.textContent =
    typeof DecompressionStream === "undefined"
      ? "This browser cannot open the page's arrays: use one of 2023 or later."
      : `The page's arrays cannot be read (${error.message}): the file may be incomplete.`;
}

function isUnreadable(index) {
  return content.flags[index].some(([kind]) => kind === "bad");
}

let shownWords = -1;
let currentRow = null;

function showWords(index, slice) {
  showValues(slice);
  if (shownWords === index) return;
  shownWords = index;
  const flags = content.flags[index].map(([kind, text]) => {
    const item = document.createElement("li");
    item.className = kind;
    item.textContent = `${marks[kind]} ${text}`;
    return item;
  });
  document.getElementById("flags").replaceChildren(...flags);
  for (const [name, scores] of Object.entries(content.scores)) {
    document.getElementById(`score-${name}`).textContent = probability(scores[index]);
  }
  if (content.residual) {
    const share = content.residual[index];
    document.getElementById("residual").textContent = share === null ? "–" : `${(100 * share).toFixed(2)} %`;
  }
  if (content.count > 1) {
    const slider = document.getElementById("slice");
    slider.value = index;
    slider.setAttribute("aria-valuetext", `${content.noun} ${index}`);
    document.getElementById("slice-number").textContent = `${index} (0 to ${content.count - 1})`;
    const row = document.getElementById(`row-${index}`);
    currentRow?.removeAttribute("aria-current");
    row.setAttribute("aria-current", "true");
    currentRow = row;
  }
  const texts = content.flags[index].map(([, text]) => text);
  if (content.count > 1) texts.unshift(`${content.noun} ${index}.`);
  speak(texts.join(" "));
}

function probability(value) {
  return value === null ? "–" : `${value.toFixed(4)} (class ${value >= 0.5 ? 1 : 0})`;
}

let speaking = 0;

// Says it to a screen reader once the slices and the cursor stand still.
function speak(text) {
  clearTimeout(speaking);
  speaking = setTimeout(() => (document.getElementById("spoken").textContent = text), 700);
}

function imageText(level) {
  return (level / content.image_top).toFixed(imageDigits);
}

function mapText(place, level) {
  const value = mapValue(place, level);
  if (Number.isNaN(value)) return "no number";
  return value === 0 ? "0" : value.toPrecision(4);
}

function showValues(slice) {
  if (!view.cursor) return;
  const { row, column } = view.cursor;
  const i = row * content.columns + column;
  const place = `row ${row}, column ${column}`;
  document.getElementById("place").textContent = place;
  const texts = [];
  for (const { name, title } of content.images) {
    const text = imageText(slice.images[name][i]);
    document.getElementById(`value-${name}`).textContent = text;
    texts.push(`${title} ${text}`);
  }
  content.maps.forEach(({ title }, map) => {
    const text = mapText(map, slice.maps[map][i]);
    document.getElementById(`value-map-${map}`).textContent = text;
    texts.push(`${title} ${text}`);
  });
  if (view.isCursorSpoken) speak(`${place}: ${texts.join(", ")}`);
  view.isCursorSpoken = false;
}

// What stays as it is: the table of all slices, and the strip that marks those whose maps must not be read.
function showAllSlices() {
  if (content.count < 2) return;
  const scores = content.scores;
  const rows = content.flags.map((flags, index) => {
    const row = document.createElement("tr");
    row.id = `row-${index}`;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = index;
    button.setAttribute("aria-label", `Show ${content.noun} ${index}`);
    button.addEventListener("click", () => goTo(index));
    const cells = [button, scores.input[index]?.toFixed(4) ?? "–"];
    if (content.crossed) cells.push(scores.adversary[index]?.toFixed(4) ?? "–");
    cells.push(flags.map(([kind, text]) => `${marks[kind]} ${text}`).join(" "));
    for (const cell of cells) {
      const box = document.createElement("td");
      box.append(cell);
      row.append(box);
    }
    if (isUnreadable(index)) row.lastChild.className = "bad";
    return row;
  });
  document.getElementById("all-rows").replaceChildren(...rows);
  const bad = content.flags.map((_, index) => isUnreadable(index));
  const explained = content.blank.filter((isBlank) => !isBlank).length;
  document.getElementById("unreadable").textContent = content.crossed
    ? `Maps of ${bad.filter(Boolean).length} of ${explained} explained ${content.noun}s must not be read` +
      " (marked above the slider)."
    : "";
  paintStrip(bad);
}

function isGood(index) {
  return content.flags[index].some(([kind]) => kind === "good");
}

function paintStrip(bad) {
  const strip = document.getElementById("strip");
  const step = Math.max(1, Math.floor(1200 / content.count));
  strip.width = step * content.count;
  strip.height = 12;
  const context = strip.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  content.blank.forEach((isBlank, index) => {
    context.fillStyle = style.getPropertyValue(bad[index] ? "--bad" : isGood(index) ? "--good" : "--quiet");
    // Height tells the same as colour.
    const height = bad[index] ? 12 : isBlank ? 2 : 4;
    context.fillRect(index * step, 12 - height, Math.max(1, step - 1), height);
  });
}
