// What the page shows now. Controls and keys change it and call changed(); drawing reads it.

const view = {
  slice: content.first,
  shown: content.images[0].name, // an image's name, "detail" or "along"
  along: 0.5, // 0 is the start image, 1 the adversary
  beside: false,
  smooth: true,
  overlay: true,
  level: 0.5,
  width: 1,
  cursor: null, // { row, column }
  isCursorSpoken: false, // after it was moved by keys
  maps: content.maps.map((map, place) => ({
    on: place === 0,
    colours: Object.keys(content.colours)[0],
    style: "area",
    by: "slice",
    percentile: 95,
    value: map.brightest / 4,
    brightest: map.brightest,
    opacity: 0.7,
    driven: false,
  })),
  masks: content.masks.map(() => true),
};

let isWanted = false;
let isChanged = false; // more than the slice

// Asks for the page to be drawn with the next frame, its controls too.
function changed() {
  isChanged = true;
  askForFrame();
}

function askForFrame() {
  if (isWanted) return;
  isWanted = true;
  requestAnimationFrame(() => {
    isWanted = false;
    render();
  });
}

function goTo(index) {
  const slice = Math.min(Math.max(index, 0), content.count - 1);
  if (slice === view.slice) return;
  view.slice = slice;
  askForFrame();
}

function titleOf(name) {
  if (name === "detail") return "Input x, finer than the classifier sees it";
  if (name === "along") return `Between both ends of the path, at ${view.along.toFixed(2)}`;
  return content.images.find((image) => image.name === name).title;
}
