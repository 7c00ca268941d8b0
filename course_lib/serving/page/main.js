// The page begins: ask which networks there are.

import "/page/hear.js";
import { offer } from "/page/see.js";
import { ask, Trouble } from "/page/server.js";

try {
  offer((await ask("/v1/models")).answer.models);
} catch (error) {
  if (!(error instanceof Trouble)) throw error;
  document.querySelector("#see-trouble").textContent = error.message;
}
