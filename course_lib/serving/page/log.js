// The table of latencies.

const MOST_ROWS = 30;
const body = document.querySelector("#log tbody");

/** Put a line on top: what was asked, what came, and milliseconds (undefined where nobody measured). */
export function note(asked, answer, { queue, compute, total, trip }) {
  body.querySelector(".empty")?.remove();
  const row = body.insertRow(0);
  const shown = [queue, compute, total, trip].map(each => each === undefined ? "–" : each.toFixed(1));
  for (const text of [new Date().toLocaleTimeString(), asked, answer, ...shown]) row.insertCell().textContent = text;
  row.cells[2].className = "answer";
  while (body.rows.length > MOST_ROWS) body.deleteRow(-1);
}
