// The microphone: 16 kHz, one channel, as it is.

import { Trouble } from "/page/server.js";

const REASONS = {
  NotAllowedError: "The microphone was refused. Allow it beside the page's address, or choose a recording.",
  NotFoundError: "There is no microphone here. Plug one in, or choose a recording.",
  NotReadableError: "The microphone is taken by another program. Close that, or choose a recording.",
};
const RAW = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };

/** Open it; onSamples gets pieces of 16-bit samples. The result's close() returns when the last piece has been given. */
export async function openMicrophone(onSamples) {
  if (!navigator.mediaDevices) {
    throw new Trouble("Browsers give a microphone only to https pages and to http://127.0.0.1. Choose a recording.");
  }
  let source;
  try {
    source = await navigator.mediaDevices.getUserMedia({ audio: RAW });
  } catch (error) {
    throw new Trouble(REASONS[error.name] ?? `There is no microphone (${error.message}). Choose a recording.`);
  }
  const { context, input } = connect(source);
  await context.audioWorklet.addModule("/page/worklet.js");
  const pcm = new AudioWorkletNode(context, "pcm", { numberOfOutputs: 0 });
  let onLast = () => {};
  pcm.port.onmessage = event => {
    if (event.data.length) onSamples(event.data);
    onLast();
  };
  input.connect(pcm);
  await context.resume();
  return {
    async close() {
      const last = new Promise(resolve => { onLast = resolve; });
      pcm.port.postMessage("end");
      await last;
      source.getTracks().forEach(track => track.stop());
      await context.close();
    },
  };
}

/** At 16 kHz; where a browser can't bring its microphone to that, at its own rate, and the worklet does it. */
function connect(source) {
  for (const options of [{ sampleRate: 16000 }, {}]) {
    const context = new AudioContext(options);
    try {
      return { context, input: context.createMediaStreamSource(source) };
    } catch {
      context.close();
    }
  }
  throw new Trouble("This browser can't listen here. Choose a recording.");
}
