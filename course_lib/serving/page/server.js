// Asking the server. What goes wrong comes as a Trouble, whose message can be shown as it is.

let token = sessionStorage.getItem("token") ?? "";

export class Trouble extends Error {}

/** Ask for a token in a dialog; true if one was given. */
export function askForToken() {
  const dialog = document.querySelector("#token-dialog"), field = document.querySelector("#token");
  const { promise, resolve } = Promise.withResolvers();
  document.querySelector("#token-form").onsubmit = event => {
    event.preventDefault();
    token = field.value;
    sessionStorage.setItem("token", token);
    field.value = "";
    dialog.close("given");
  };
  document.querySelector("#token-cancel").onclick = () => dialog.close("");
  dialog.onclose = () => resolve(dialog.returnValue === "given");
  dialog.returnValue = "";
  dialog.showModal();
  return promise;
}

/** Send a request; returns the answer's JSON, and how long it took there and back, in ms. */
export async function ask(path, { body, type, signal } = {}) {
  const began = performance.now();
  const headers = { ...(type && { "Content-Type": type }), ...(token && { Authorization: `Bearer ${token}` }) };
  let response;
  try {
    response = await fetch(path, { method: body ? "POST" : "GET", body, headers, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble("The server does not answer. Is it still running? Or was the file far too large?");
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return { answer, milliseconds: performance.now() - began };
  if (response.status === 401) {
    if (await askForToken()) return ask(path, { body, type, signal });
    throw new Trouble("Without the token the server does not answer.");
  }
  const { message = `The server says ${response.status}.`, fix = "" } = answer.error ?? {};
  throw new Trouble(`${message} ${fix}`.trim());
}

/** A conversation about speech: send(samples), stop(); it calls back with each message of the server. */
export class Stream {
  constructor({ onMessage, onTrouble }) {
    this.waiting = [], this.over = false;
    this.socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/v1/stream`);
    this.socket.onopen = () => {
      this.socket.send(JSON.stringify({ type: "start", sample_rate: 16000, ...(token && { token }) }));
      this.waiting.splice(0).forEach(each => this.socket.send(each));
    };
    this.socket.onmessage = event => {
      const message = JSON.parse(event.data);
      if (message.type === "partial") return onMessage(message);
      this.close();
      message.type === "error" ? onTrouble(message) : onMessage(message);
    };
    this.socket.onclose = () => this.over || (this.close(), onTrouble({
      code: "closed", message: "The server has ended the conversation. Is it still running?" }));
  }

  send(samples) { this.push(samples.buffer); }

  stop() { this.push(JSON.stringify({ type: "stop" })); }

  push(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(message);
    else this.waiting.push(message);
  }

  close() {
    this.over = true;
    this.socket.close();
  }
}
