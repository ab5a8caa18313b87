"use strict";
// DATA: words; neighbours[i] = [[row, cosine], ...] of word i, rows into `words`; with
// several `runs`, [row, cosine, in how many of them it is near];
// labels[i] of word i, or [] if there are none; first = rows shown at first; known =
// further words with a vector, one per line; map = [[row, x, y, colour], ...] with x and
// y in [0, 1].

const MOST_ROWS = 200;
const find = (id) => document.getElementById(id);
const element = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });

const known = new Set(DATA.known.split("\n"));
const label = (row) => DATA.labels[row] || "";
const shown = (row) => label(row) || DATA.words[row];

function matches(text) {
  const rows = DATA.neighbours.map((_, row) => row);
  if (!text) {
    const first = new Set(DATA.first);
    return [...DATA.first, ...rows.filter((row) => !first.has(row))];
  }
  const texts = (row) => [DATA.words[row].toLowerCase(), label(row).toLowerCase()];
  const rank = (row) => {
    if (texts(row).includes(text)) return 0;
    return texts(row).some((each) => each.startsWith(text)) ? 1 : 2;
  };
  const found = rows.filter((row) => texts(row).some((each) => each.includes(text)));
  return found.sort((a, b) => rank(a) - rank(b) || a - b);
}

function named(row, tag) {
  const cell = element(tag, shown(row));
  if (label(row)) cell.title = DATA.words[row];
  return cell;
}

function showNeighbours() {
  const asked = find("search").value.trim();
  const rows = matches(asked.toLowerCase());
  const body = document.createElement("tbody");
  for (const row of rows.slice(0, MOST_ROWS)) {
    const line = body.insertRow();
    line.append(named(row, "td"));
    const cell = line.insertCell();
    for (const [other, cosine, runs] of DATA.neighbours[row]) {
      const link = named(other, "a");
      link.href = "#words";
      link.dataset.word = DATA.words[other];
      const pair = document.createElement("span");
      const figures = runs ? `${cosine.toFixed(2)} ${runs}/${DATA.runs}` : cosine.toFixed(2);
      pair.append(link, " ", element("small", figures));
      pair.classList.toggle("doubtful", 2 * runs < DATA.runs);
      cell.append(pair);
    }
  }
  find("neighbours").tBodies[0].replaceWith(body);
  const isInTable = rows.some((row) => DATA.words[row] === asked);
  let found = `${Math.min(rows.length, MOST_ROWS)} of ${rows.length} words`;
  if (known.has(asked) && !isInTable) {
    found = `${asked} has a vector, but its neighbours are not on this page`;
  } else if (!rows.length) {
    found = "no such word on this page";
  }
  find("found").textContent = found;
}

function lookUp(word) {
  find("search").value = word;
  showNeighbours();
}

function saveTable() {
  const clean = (text) => text.replace(/\s+/g, " ");
  const lines = [["word", "neighbor", "cosine", ...(DATA.runs ? ["runs"] : [])]];
  for (const row of matches(find("search").value.trim().toLowerCase())) {
    for (const [other, cosine, ...runs] of DATA.neighbours[row]) {
      const names = [row, other].map((each) => clean(DATA.words[each]));
      lines.push([...names, cosine.toFixed(2), ...runs]);
    }
  }
  const text = lines.map((line) => `${line.join("\t")}\n`).join("");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/tab-separated-values" }));
  link.download = "neighbours.tsv";
  link.click();
  URL.revokeObjectURL(link.href);
}

find("search").addEventListener("input", showNeighbours);
find("save").addEventListener("click", saveTable);
find("neighbours").addEventListener("click", (event) => {
  const word = event.target.dataset.word;
  if (word === undefined) return;
  event.preventDefault();
  lookUp(word);
});
showNeighbours();
