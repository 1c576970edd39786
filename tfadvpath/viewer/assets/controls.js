// Controls of the page: each changes the view, and shows what the view holds.

const byId = (id) => document.getElementById(id);
const sliderSteps = 1000;

function listen(id, change, event = "input") {
  byId(id)?.addEventListener(event, (happened) => {
    change(happened.target);
    changed();
  });
}

function listenToControls() {
  listen("slice", (slider) => (view.slice = Number(slider.value)));
  byId("previous")?.addEventListener("click", () => goTo(view.slice - 1));
  byId("next")?.addEventListener("click", () => goTo(view.slice + 1));
  for (const radio of document.querySelectorAll('input[name="shown"]')) {
    radio.addEventListener("change", () => show(radio.value));
  }
  listen("along", (slider) => {
    stopMotion();
    view.along = Number(slider.value);
    view.shown = "along";
  });
  byId("animate")?.addEventListener("click", () => toggleMotion("animate"));
  byId("flicker")?.addEventListener("click", () => toggleMotion("flicker"));
  listen("flicker-rate", () => {});
  listen("beside", (box) => (view.beside = box.checked));
  listen("smooth", (box) => (view.smooth = box.checked));
  listen("level", (slider) => (view.level = Number(slider.value)));
  listen("width", (slider) => (view.width = Number(slider.value)));
  byId("reset-window").addEventListener("click", resetWindow);
  listen("overlay", (box) => (view.overlay = box.checked));
  view.maps.forEach((map, place) => listenToMap(map, place));
  view.masks.forEach((_, place) => {
    listen(`mask-${place}`, (box) => (view.masks[place] = box.checked));
    byId(`mask-${place}-swatch`).style.background = content.masks[place].colour;
  });
  byId("save").addEventListener("click", savePicture);
}

function listenToMap(map, place) {
  const id = (part) => `map-${place}-${part}`;
  const { largest } = content.maps[place];
  listen(id("on"), (box) => (map.on = box.checked));
  map.colours = byId(id("colours")).value;
  listen(id("colours"), (choice) => (map.colours = choice.value));
  listen(id("style"), (choice) => (map.style = choice.value));
  listen(id("by"), (choice) => (map.by = choice.value));
  listen(id("threshold"), (slider) => {
    const share = Number(slider.value) / sliderSteps;
    if (map.by === "value") map.value = largest * share ** 2;
    else map.percentile = 100 * share;
  });
  listen(id("threshold-number"), (field) => {
    const number = field.valueAsNumber;
    if (!(number >= 0)) return;
    if (map.by === "value") map.value = number;
    else map.percentile = Math.min(number, 100);
  });
  listen(id("brightest"), (slider) => (map.brightest = largest * (Number(slider.value) / sliderSteps) ** 2));
  listen(id("brightest-number"), (field) => {
    if (field.valueAsNumber > 0) map.brightest = field.valueAsNumber;
  });
  listen(id("opacity"), (slider) => (map.opacity = Number(slider.value)));
  listen(id("driven"), (box) => (map.driven = box.checked));
}

function show(name) {
  stopMotion();
  view.shown = name;
  changed();
}

function resetWindow() {
  view.level = 0.5;
  view.width = 1;
  changed();
}

// Puts a value into a control that nobody is typing into.
function put(id, value) {
  const control = byId(id);
  if (!control) return;
  if (control.type === "checkbox" || control.type === "radio") control.checked = value;
  else if (control.tagName === "OUTPUT") control.textContent = value;
  else if (control.type !== "number" || document.activeElement !== control) control.value = value;
}

function showControls() {
  put(`show-${view.shown}`, true);
  put("along", view.along);
  put("along-number", view.along.toFixed(2));
  put("flicker-number", byId("flicker-rate")?.value);
  put("beside", view.beside);
  put("smooth", view.smooth);
  put("level", view.level);
  put("level-number", view.level.toFixed(3));
  put("width", view.width);
  put("width-number", view.width.toFixed(3));
  put("overlay", view.overlay);
  view.maps.forEach(showMapControls);
  view.masks.forEach((isOn, place) => put(`mask-${place}`, isOn));
}

function showMapControls(map, place) {
  const id = (part) => `map-${place}-${part}`;
  const { largest } = content.maps[place];
  const onSlider = (value) => Math.round(sliderSteps * Math.sqrt(Math.min(value / (largest || 1), 1)));
  put(id("on"), map.on);
  put(id("style"), map.style);
  put(id("by"), map.by);
  put(id("threshold"), map.by === "value" ? onSlider(map.value) : Math.round(10 * map.percentile));
  put(id("threshold-number"), map.by === "value" ? Number(map.value.toPrecision(4)) : +map.percentile.toFixed(2));
  put(id("brightest"), onSlider(map.brightest));
  put(id("brightest-number"), Number(map.brightest.toPrecision(4)));
  put(id("opacity"), map.opacity);
  put(id("opacity-number"), map.opacity.toFixed(2));
  put(id("driven"), map.driven);
  const swatch = byId(id("swatch"));
  if (swatch.dataset.colours !== map.colours) {
    swatch.dataset.colours = map.colours;
    paintBar(swatch, (share) => colourOfShare(map.colours, share));
  }
}

// Motion: the place on the path goes to and fro, or input and adversary take turns.
const secondsOfPath = 3;
let motion = null; // { kind, since }

function toggleMotion(kind) {
  const isOn = motion?.kind === kind;
  stopMotion();
  if (isOn) return;
  motion = { kind, since: performance.now() };
  byId(kind).setAttribute("aria-pressed", "true");
  requestAnimationFrame(move);
}

function stopMotion() {
  if (!motion) return;
  byId(motion.kind).setAttribute("aria-pressed", "false");
  motion = null;
}

function move(now) {
  if (!motion) return;
  const seconds = (now - motion.since) / 1000;
  if (motion.kind === "flicker") {
    view.shown = Math.floor(seconds * Number(byId("flicker-rate").value)) % 2 ? "input" : "adversary";
  } else {
    const turn = (seconds / secondsOfPath) % 2;
    // Steps that the eye takes for one motion, and few enough to be kept.
    view.along = Math.round(60 * (turn > 1 ? 2 - turn : turn)) / 60;
    view.shown = "along";
  }
  changed();
  requestAnimationFrame(move);
}
