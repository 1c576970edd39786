// The pictures' own pointer, wheel and keys, and the keys of one letter.

const has = (name) => content.images.some((image) => image.name === name);
// [key, what it does, whether this page has it, what to do]
const letters = [
  ["i", "shows the input", true, () => show("input")],
  ["d", "shows the input finer than the classifier sees it", content.detail, () => show("detail")],
  ["s", "shows the start image", has("start"), () => show("start")],
  ["a", "shows the adversary", has("adversary"), () => show("adversary")],
  ["p", "animates the path, or stops it", has("adversary"), () => toggleMotion("animate")],
  ["f", "lets input and adversary flicker, or stops it", has("adversary"), () => toggleMotion("flicker")],
  ["b", "shows the images side by side, or one alone", has("adversary"), () => (view.beside = !view.beside)],
  ["m", "hides or shows the maps", true, () => (view.overlay = !view.overlay)],
  ["o", "draws the maps as areas, as outlines, as both", true, nextStyle],
  ["k", "hides or shows the masks", content.masks.length, toggleMasks],
  ["n", "smooths between pixels, or not", true, () => (view.smooth = !view.smooth)],
  ["w", "resets the window", true, resetWindow],
  ["g", "saves a PNG", true, savePicture],
  ["h", "opens or closes this help", true, () => (byId("help").open = !byId("help").open)],
  ...content.maps.slice(0, 9).map((map, place) => [
    String(place + 1),
    `hides or shows ${map.title}`,
    true,
    () => (view.maps[place].on = !view.maps[place].on),
  ]),
].filter(([, , isThere]) => isThere);
const onPicture = [
  ["arrows", "move the cursor by a pixel, with Shift by ten"],
  ...(content.count > 1
    ? [
        ["Page Down", `next ${content.noun}`],
        ["Page Up", `previous ${content.noun}`],
        ["Home", `first ${content.noun}`],
        ["End", `last ${content.noun}`],
      ]
    : []),
];
const arrows = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

function nextStyle() {
  const styles = ["area", "outline", "both"];
  const next = styles[(styles.indexOf(view.maps.find((map) => map.on)?.style) + 1) % styles.length];
  for (const map of view.maps) if (map.on) map.style = next;
}

function toggleMasks() {
  const isAny = view.masks.some(Boolean);
  view.masks.fill(!isAny);
}

function showKeys() {
  const rows = [...onPicture, ...letters, ["Esc", "stops motion and takes the cursor away"]].map(([key, text]) => {
    const row = document.createElement("tr");
    const [name, what] = [document.createElement("td"), document.createElement("td")];
    const box = document.createElement("kbd");
    box.textContent = key;
    name.append(box);
    what.textContent = text;
    row.append(name, what);
    return row;
  });
  byId("key-rows").replaceChildren(...rows);
}

function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      stopMotion();
      view.cursor = null;
      changed();
      return;
    }
    const isTyping = event.target.matches?.('select, textarea, input[type="number"]');
    if (isTyping || !byId("letters").checked) return;
    const found = letters.find(([key]) => key === event.key.toLowerCase());
    if (!found) return;
    event.preventDefault();
    found[3]();
    changed();
  });
}

function listenToPicture(canvas) {
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { PageDown: view.slice + 1, PageUp: view.slice - 1, Home: 0, End: content.count - 1 };
    if (event.key in arrows) moveCursor(...arrows[event.key].map((step) => step * (event.shiftKey ? 10 : 1)));
    else if (event.key in steps && content.count > 1) goTo(steps[event.key]);
    else return;
    event.preventDefault();
  });
  let turned = 0;
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (content.count < 2 || event.ctrlKey) return; // with Ctrl the browser enlarges the page
      event.preventDefault();
      // A mouse turns by about a hundred pixels a notch, a touchpad by a few.
      turned += event.deltaMode ? 50 * event.deltaY : event.deltaY;
      const steps = Math.trunc(turned / 50);
      if (!steps) return;
      turned = 0;
      goTo(view.slice + Math.sign(steps));
    },
    { passive: false },
  );
  let dragged = null;
  canvas.addEventListener("pointerdown", (event) => {
    pointAt(canvas, event);
    if (event.pointerType !== "mouse" || event.button !== 0) return;
    dragged = { x: event.clientX, y: event.clientY, level: view.level, width: view.width };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (dragged) dragWindow(canvas, event, dragged);
    else if (event.pointerType === "mouse") pointAt(canvas, event);
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (dragged = null));
}

function dragWindow(canvas, event, from) {
  const { width, height } = canvas.getBoundingClientRect();
  const [x, y] = [(event.clientX - from.x) / width, (event.clientY - from.y) / height];
  if (Math.hypot(event.clientX - from.x, event.clientY - from.y) < 4) return; // a click
  view.width = Math.min(Math.max(from.width + x, 0.01), 1);
  view.level = Math.min(Math.max(from.level + y, 0), 1);
  changed();
}

function pointAt(canvas, event) {
  const box = canvas.getBoundingClientRect();
  const row = Math.floor(((event.clientY - box.top) / box.height) * content.rows);
  const column = Math.floor(((event.clientX - box.left) / box.width) * content.columns);
  setCursor(row, column);
}

function moveCursor(down, right) {
  const from = view.cursor ?? { row: Math.floor(content.rows / 2), column: Math.floor(content.columns / 2) };
  view.isCursorSpoken = true;
  if (!view.cursor) setCursor(from.row, from.column);
  else setCursor(from.row + down, from.column + right);
}

function setCursor(row, column) {
  const within = (place, count) => Math.min(Math.max(place, 0), count - 1);
  view.cursor = { row: within(row, content.rows), column: within(column, content.columns) };
  changed();
}
