// The map of words; needs page.js.

const canvas = find("canvas");
const pen = canvas.getContext("2d");
const tip = find("tip");
const view = { scale: 1, x: 0, y: 0 };
const fingers = new Map();
let pointed = null;
let moved = false;

const size = () => [canvas.clientWidth, canvas.clientHeight];

function place([, x, y]) {
  const [width, height] = size();
  const margin = Math.min(40, width / 30);
  return [
    (margin + x * (width - 2 * margin)) * view.scale + view.x,
    (margin + (1 - y) * (height - 2 * margin)) * view.scale + view.y,
  ];
}

function drawDot(point, x, y, radius, alpha) {
  pen.globalAlpha = alpha;
  pen.fillStyle = point[3];
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
  pen.globalAlpha = 1;
}

function draw() {
  const [width, height] = size();
  const dots = window.devicePixelRatio || 1;
  canvas.width = width * dots;
  canvas.height = height * dots;
  pen.setTransform(dots, 0, 0, dots, 0, 0);
  pen.font = "13px system-ui, sans-serif";
  pen.textBaseline = "middle";
  const labelled = [];
  for (const point of DATA.map) {
    const [x, y] = place(point);
    if (x < 0 || y < 0 || x > width || y > height) continue;
    const text = shown(point[0]);
    const room = pen.measureText(text).width;
    const left = x + 6 + room < width ? x + 6 : x - 6 - room;
    const box = [Math.min(left, x - 3), y - 8, Math.max(left + room, x + 3), y + 8];
    const isFree = labelled.every(
      ({ box: other }) =>
        box[0] > other[2] || other[0] > box[2] || box[1] > other[3] || other[1] > box[3],
    );
    if (isFree || point === pointed) labelled.push({ point, x, y, text, left, box });
    else drawDot(point, x, y, 2, 0.35);
  }
  pen.lineJoin = "round";
  for (const { point, x, y, text, left } of labelled) {
    drawDot(point, x, y, point === pointed ? 5 : 3, 1);
    // A border of paper keeps the text apart from dots behind it.
    pen.lineWidth = 3;
    pen.strokeStyle = "#fff";
    pen.strokeText(text, left, y);
    pen.fillStyle = point[3];
    pen.fillText(text, left, y);
  }
  canvas.dataset.scale = view.scale.toFixed(3);
  canvas.dataset.labels = labelled.length;
}

function zoom(factor, x, y) {
  const scale = Math.min(60, Math.max(1, view.scale * factor));
  const change = scale / view.scale;
  view.x = x - (x - view.x) * change;
  view.y = y - (y - view.y) * change;
  view.scale = scale;
  if (scale === 1) view.x = view.y = 0;
  draw();
}

function nearest(event) {
  const bounds = canvas.getBoundingClientRect();
  const [px, py] = [event.clientX - bounds.left, event.clientY - bounds.top];
  let best = null;
  let least = 14;
  for (const point of DATA.map) {
    const [x, y] = place(point);
    const distance = Math.hypot(x - px, y - py);
    if (distance < least) [best, least] = [point, distance];
  }
  return best;
}

function point(event) {
  const found = nearest(event);
  if (found !== pointed) {
    pointed = found;
    draw();
  }
  tip.hidden = !found;
  if (!found) return;
  const row = found[0];
  tip.replaceChildren(element("b", shown(row)), element("br", ""));
  tip.append((DATA.neighbours[row] || []).map(([other]) => shown(other)).join(", "));
  const left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${Math.min(event.clientY + 14, window.innerHeight - tip.offsetHeight - 8)}px`;
}

canvas.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
  },
  { passive: false },
);
canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, [event.offsetX, event.offsetY]);
  moved = false;
});
canvas.addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId);
  if (!before) {
    point(event);
    return;
  }
  const now = [event.offsetX, event.offsetY];
  if (Math.hypot(now[0] - before[0], now[1] - before[1]) > 2) moved = true;
  const other = [...fingers].find(([id]) => id !== event.pointerId);
  if (other) {
    const [ox, oy] = other[1];
    const reach = (at) => Math.hypot(at[0] - ox, at[1] - oy);
    zoom(reach(now) / Math.max(1, reach(before)), (now[0] + ox) / 2, (now[1] + oy) / 2);
  } else {
    view.x += now[0] - before[0];
    view.y += now[1] - before[1];
    draw();
  }
  fingers.set(event.pointerId, now);
});
for (const kind of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(kind, (event) => {
    fingers.delete(event.pointerId);
    if (kind === "pointercancel" || moved) return;
    point(event);
    if (pointed) lookUp(DATA.words[pointed[0]]);
  });
}
canvas.addEventListener("pointerleave", () => {
  tip.hidden = true;
  pointed = null;
  draw();
});
canvas.addEventListener("keydown", (event) => {
  const [width, height] = size();
  const factor = { "+": 1.3, "=": 1.3, "-": 1 / 1.3, 0: 0 }[event.key];
  if (factor !== undefined) zoom(factor, width / 2, height / 2);
});
window.addEventListener("resize", draw);
draw();
