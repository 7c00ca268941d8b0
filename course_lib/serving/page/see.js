// Pictures in, classes with bars out.

import { Drawing } from "/page/drawing.js";
import { note } from "/page/log.js";
import { ask, Trouble } from "/page/server.js";

const $ = selector => document.querySelector(selector);
const MOST_BARS = 5;
let networks = [], picture = null, asking = null;

const drawing = new Drawing($("#pad"), {
  onChange: () => { picture = null; look(); },
  say: text => { $("#pen").textContent = text; },
});

/** Offer the networks that see; called once, with what /v1/models lists. */
export function offer(models) {
  networks = models.filter(each => each.kind === "image");
  $("#networks").replaceChildren(...networks.map(({ name }, number) => {
    const label = document.createElement("label"), radio = document.createElement("input");
    Object.assign(radio, { type: "radio", name: "network", value: name, checked: number === 0 });
    label.append(radio, `a network for ${name}`);
    return label;
  }));
  $("#networks").onchange = () => { tellClasses(); look(); };
  tellClasses();
}

const chosen = () => networks.find(each => each.name === $("#networks input:checked")?.value);

function tellClasses() {
  $("#knows").textContent = `It knows: ${(chosen()?.classes ?? []).join(", ")}.`;
}

/** Ask about what lies on the paper. */
async function look() {
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking, name = chosen()?.name;
  $("#see-trouble").textContent = "";
  if (!name || (!picture && drawing.isEmpty)) return show([]);
  try {
    const body = picture ?? await drawing.png();
    const path = `/v1/images:classify?model=${encodeURIComponent(name)}`;
    const { answer, milliseconds } = await ask(path, { body, type: body.type, signal });
    if (signal.aborted) return;
    show(answer.classes);
    const [best] = answer.classes;
    note(`${name}, version ${answer.version}`, `${best.name}, ${percent(best)}`,
      { ...answer.milliseconds, trip: milliseconds });
  } catch (error) {
    if (signal.aborted) return;
    show([]);
    if (!(error instanceof Trouble)) throw error;
    $("#see-trouble").textContent = error.message;
  }
}

const percent = ({ probability }) => `${(100 * probability).toFixed(0)}%`;

function show(classes) {
  const [best] = classes;
  $("#seen").textContent = best ? `${best.name}, ${percent(best)}` : "";
  $("#classes").replaceChildren(...classes.slice(0, MOST_BARS).map(each => {
    const line = document.createElement("li"), bar = document.createElement("span");
    const [name, share] = [each.name, percent(each)].map(text =>
      Object.assign(document.createElement("span"), { textContent: text }));
    bar.className = "bar", share.className = "share";
    bar.style.transform = `scaleX(${each.probability})`;
    line.append(bar, name, " ", share);
    return line;
  }));
}

async function take(file) {
  if (!file) return;
  if (!file.type.startsWith("image/")) {
    $("#see-trouble").textContent = `${file.name} is no picture. Choose a PNG, JPEG, WebP or BMP file.`;
    return;
  }
  picture = file;
  drawing.clear();
  const shown = createImageBitmap(file).catch(() => null); // the server says what is wrong with it
  await look();
  const bitmap = await shown;
  if (bitmap && picture === file) drawing.show(bitmap);
}

$("#clear").onclick = () => { drawing.clear(); picture = null; look(); };
$("#picture").onchange = event => take(event.target.files[0]).then(() => { event.target.value = ""; });

const paper = $("#paper");
paper.ondragover = event => { event.preventDefault(); paper.classList.add("over"); };
paper.ondragleave = () => paper.classList.remove("over");
paper.ondrop = event => {
  event.preventDefault();
  paper.classList.remove("over");
  take(event.dataTransfer.files[0]);
};
// A picture that misses the paper must not replace the page.
for (const missed of ["dragover", "drop"]) window.addEventListener(missed, event => event.preventDefault());
