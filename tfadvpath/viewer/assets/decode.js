// The arrays of the page. A slice is decoded when it is first wanted; tfadvpath/viewer/encoding.py packs it.

const content = JSON.parse(document.getElementById("content").textContent);
const pixelCount = content.rows * content.columns;
const arraysOfSlice = content.images.length + content.maps.length + content.masks.length;
// Decoded slices of about 256 MB are kept: all of most volumes.
const mostKept = Math.max(16, Math.floor(256e6 / (2 * pixelCount * arraysOfSlice)));
const decoded = [];
const awaited = new Map();
const awaitedDetails = new Map();
const details = [];

async function inflated(id) {
  const letters = atob(document.getElementById(id).textContent);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i += 1) bytes[i] = letters.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Levels Uint16Array [rows * columns] of the array that begins at a place of the bytes.
function unpacked(bytes, at, rows, columns, reference) {
  const count = rows * columns;
  const values = new Int32Array(count);
  const levels = new Uint16Array(count);
  for (let row = 0, i = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1, i += 1) {
      const code = bytes[at + i] | (bytes[at + count + i] << 8);
      const left = column ? values[i - 1] : 0;
      const above = row ? values[i - columns] : 0;
      values[i] = ((code >>> 1) ^ -(code & 1)) + ((left + above) >> 1);
      levels[i] = reference ? values[i] + reference[i] : values[i];
    }
  }
  return levels;
}

async function decodedSlice(index) {
  const bytes = await inflated(`slice-${index}`);
  let at = 0;
  const next = (reference) => {
    const levels = unpacked(bytes, at, content.rows, content.columns, reference);
    at += 2 * pixelCount;
    return levels;
  };
  const images = {};
  let first;
  for (const { name } of content.images) {
    images[name] = next(first);
    first = first ?? images[name];
  }
  return {
    images,
    maps: content.maps.map(() => next()),
    masks: content.masks.map(() => next()),
    histograms: [],
  };
}

function sliceAt(index) {
  if (!awaited.has(index)) {
    awaited.set(
      index,
      decodedSlice(index).then((slice) => {
        decoded[index] = slice;
        forgetFarthest(index);
        return slice;
      }),
    );
  }
  return awaited.get(index);
}

function forgetFarthest(index) {
  const kept = Object.keys(decoded).map(Number);
  if (kept.length <= mostKept) return;
  const farthest = kept.reduce((one, other) => (Math.abs(other - index) > Math.abs(one - index) ? other : one));
  delete decoded[farthest];
  awaited.delete(farthest);
}

function detailAt(index) {
  if (!awaitedDetails.has(index)) {
    const { rows, columns } = content.detail;
    awaitedDetails.set(
      index,
      inflated(`detail-${index}`).then((bytes) => (details[index] = unpacked(bytes, 0, rows, columns))),
    );
  }
  return awaitedDetails.get(index);
}

// Decodes the others too, from a slice outwards, as far as they are kept.
async function readAhead(from) {
  for (let step = 1; step < Math.min(content.count, mostKept / 2); step += 1) {
    for (const index of [from + step, from - step]) {
      if (index >= 0 && index < content.count) await sliceAt(index);
    }
    await new Promise((go) => setTimeout(go)); // the page answers meanwhile
  }
}
