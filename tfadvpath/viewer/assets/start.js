// The page begins: controls listen, and the first slice is drawn.

byId("viewer").hidden = false;
listenToControls();
listenToKeys();
showKeys();
showAllSlices();
changed();
new ResizeObserver(changed).observe(byId("stage"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showAllSlices);
sliceAt(view.slice)
  .then(() => readAhead(view.slice))
  .then(() => (byId("viewer").dataset.isReady = ""), showTrouble);
