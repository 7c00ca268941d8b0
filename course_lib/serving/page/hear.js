// Speech in, words out: while somebody speaks, or from a file.

import { note } from "/page/log.js";
import { openMicrophone } from "/page/microphone.js";
import { ask, askForToken, Stream, Trouble } from "/page/server.js";
import { RATE, Spectrogram } from "/page/spectrogram.js";

const $ = selector => document.querySelector(selector);
const HELD = 400; // ms: who lets go earlier has pressed once, and will press again to end
const PATIENCE = 15_000; // ms for the last words
const talk = $("#talk"), spectrogram = new Spectrogram($("#spectrogram"));
let state = "off", listener = null, stream = null, pressed = 0, released = false, samples = 0, stopped = 0;

function become(next, words) {
  state = next;
  talk.setAttribute("aria-pressed", String(next === "listening"));
  talk.textContent = { off: "Hold to speak", listening: "Stop" }[next] ?? "One moment";
  $("#talk-state").textContent = words;
}

function trouble(words) {
  $("#hear-trouble").textContent = words;
  become("off", "The microphone is off.");
}

function startAfresh() {
  spectrogram.clear();
  samples = 0;
  $("#hear-trouble").textContent = "";
  $("#words").replaceChildren();
  $("#transcript").replaceChildren();
  $("#from").textContent = "−6 s", $("#to").textContent = "now";
}

async function start() {
  startAfresh();
  become("opening", "Asking for the microphone.");
  try {
    listener = await openMicrophone(piece => {
      samples += piece.length;
      spectrogram.push(piece);
      stream?.send(piece);
    });
  } catch (error) {
    trouble(error instanceof Trouble ? error.message : `The microphone failed (${error.message}).`);
    return;
  }
  stream = new Stream({ onMessage: read, onTrouble: complain });
  become("listening", "Listening: speak now.");
}

async function stop() {
  if (state !== "listening") return;
  become("finishing", "Listening to the end.");
  await hangUp();
  if (state !== "finishing") return; // the server has complained meanwhile
  stopped = performance.now();
  const own = stream;
  own.stop();
  setTimeout(() => own.over || (own.close(), trouble("The last words did not come. Try again.")), PATIENCE);
}

async function hangUp() {
  const open = listener;
  listener = null;
  await open?.close();
}

async function complain({ code, message }) {
  await hangUp();
  trouble(message);
  if (code === "unauthorized" && await askForToken()) trouble("Thank you. Now speak once more.");
}

function read(message) {
  write(message.text, { pending: message.type === "partial" });
  if (message.type !== "final") return;
  if (state === "listening") { // nobody has said stop: the server shuts down, and this is what it has heard
    stopped = performance.now();
    hangUp();
    $("#hear-trouble").textContent = "The server is shutting down. Try again in a moment.";
  }
  const trip = performance.now() - stopped;
  become("off", "The microphone is off.");
  align(message, samples / RATE);
  note("speech, live", message.text || "(nothing)", { compute: message.milliseconds.final, trip });
}

/** Change only the words that have changed, so that a screen reader reads only these. */
function write(text, { pending }) {
  const line = $("#transcript"), words = text ? text.split(" ") : [];
  words.forEach((word, number) => {
    const span = line.children[number] ?? line.appendChild(document.createElement("span"));
    if (span.textContent !== `${word} `) span.textContent = `${word} `;
    span.className = pending && number === words.length - 1 ? "pending" : "";
  });
  while (line.children.length > words.length) line.lastChild.remove();
  if (!pending && !words.length) line.append("Nothing was understood.");
}

/** Each word over the part of the spectrogram in which it was said. */
function align({ text, words }, seconds) {
  spectrogram.showWhole();
  $("#spectrogram").setAttribute("aria-label", `Spectrogram of ${seconds.toFixed(1)} seconds: ${text || "no words"}.`);
  $("#from").textContent = "0 s", $("#to").textContent = `${seconds.toFixed(1)} s`;
  $("#words").replaceChildren(...words.map(({ word, start, end }) => {
    const item = document.createElement("li"), label = document.createElement("span");
    const times = Object.assign(document.createElement("span"), { className: "spoken-only" });
    label.textContent = word, times.textContent = `, ${start.toFixed(2)} to ${end.toFixed(2)} seconds`;
    item.style.left = `${100 * start / seconds}%`, item.style.width = `${100 * (end - start) / seconds}%`;
    item.append(label, times);
    return item;
  }));
}

async function transcribe(file) {
  if (!file || state !== "off") return;
  startAfresh();
  try {
    const type = file.type.replace("audio/x-wav", "audio/wav") || "audio/wav";
    const { answer, milliseconds } = await ask("/v1/audio:transcribe", { body: file, type });
    const sound = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await file.arrayBuffer());
    spectrogram.push(Int16Array.from(sound.getChannelData(0), each => 32767 * each));
    write(answer.text, { pending: false });
    align(answer, answer.seconds);
    note("speech, a file", answer.text || "(nothing)", { ...answer.milliseconds, trip: milliseconds });
  } catch (error) {
    trouble(error instanceof Trouble ? error.message : `This browser can't show the recording (${error.message}).`);
  }
}

talk.onpointerdown = event => {
  if (event.button !== 0) return;
  talk.setPointerCapture(event.pointerId);
  if (state === "listening") return stop();
  if (state !== "off") return;
  pressed = performance.now(), released = false;
  start();
};
talk.onpointerup = talk.onpointercancel = () => {
  if (!released && state === "listening" && performance.now() - pressed > HELD) stop();
  released = true; // before the microphone was open, or soon: whoever pressed once will press again
};
talk.onclick = event => { // by keyboard, or by a screen reader: press once to begin, once to end
  if (event.detail > 0) return;
  if (state === "off") start();
  else stop();
};
talk.onkeydown = event => { if (event.repeat) event.preventDefault(); };
talk.oncontextmenu = event => event.preventDefault();
$("#recording").onchange = event => transcribe(event.target.files[0]).then(() => { event.target.value = ""; });
