"use strict";
// DATA: words; neighbours[i] = [[row, cosine], ...] of word i, rows into `words`;
// map = [[row, x, y, colour], ...] with x and y in [0, 1].

const MOST_ROWS = 200;
const find = (id) => document.getElementById(id);
const element = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });

const rowOf = new Map(DATA.words.map((word, row) => [word, row]));

function matches(text) {
  const rows = DATA.neighbours.map((_, row) => row);
  if (!text) return rows;
  const found = rows.filter((row) => DATA.words[row].toLowerCase().includes(text));
  const rank = (row) => {
    const word = DATA.words[row].toLowerCase();
    return word === text ? 0 : word.startsWith(text) ? 1 : 2;
  };
  return found.sort((a, b) => rank(a) - rank(b) || a - b);
}

function showNeighbours() {
  const rows = matches(find("search").value.trim().toLowerCase());
  const body = document.createElement("tbody");
  for (const row of rows.slice(0, MOST_ROWS)) {
    const line = body.insertRow();
    line.insertCell().textContent = DATA.words[row];
    const cell = line.insertCell();
    for (const [other, cosine] of DATA.neighbours[row]) {
      const link = element("a", DATA.words[other]);
      link.href = "#words";
      link.dataset.word = DATA.words[other];
      const pair = document.createElement("span");
      pair.append(link, " ", element("small", cosine.toFixed(2)));
      cell.append(pair);
    }
  }
  find("neighbours").tBodies[0].replaceWith(body);
  const shown = Math.min(rows.length, MOST_ROWS);
  find("found").textContent = rows.length
    ? `${shown} of ${rows.length} words`
    : "not among these words";
}

function lookUp(word) {
  find("search").value = word;
  showNeighbours();
}

find("search").addEventListener("input", showNeighbours);
find("neighbours").addEventListener("click", (event) => {
  const word = event.target.dataset.word;
  if (word === undefined) return;
  event.preventDefault();
  lookUp(word);
});
showNeighbours();
