// Paper to draw on: with the mouse, a finger, a pen or the keyboard. A picture can be laid on it.

const STEPS = 20; // how many steps of an arrow key cross the paper
const SPOKEN = { down: "Pen down", up: "Pen up" };

export class Drawing {
  /** onChange is called after each stroke and each clearing; say(text) tells those who can't see the pen. */
  constructor(canvas, { onChange, say }) {
    this.canvas = canvas, this.onChange = onChange, this.say = say;
    this.ring = canvas.parentElement.querySelector(".ring");
    this.pencil = canvas.getContext("2d");
    this.pen = { x: STEPS / 2, y: STEPS / 2, down: false };
    this.clear();
    canvas.addEventListener("pointerdown", event => this.begin(event));
    canvas.addEventListener("pointermove", event => event.getCoalescedEvents().forEach(each => this.follow(each)));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => this.lift());
    canvas.addEventListener("keydown", event => this.press(event));
    canvas.addEventListener("focus", () => this.drawPen());
    canvas.addEventListener("blur", () => { this.lift(); this.ring.hidden = true; });
  }

  clear() {
    this.pencil.fillStyle = "#fff";
    this.pencil.fillRect(0, 0, this.canvas.width, this.canvas.height);
    this.isEmpty = true, this.last = null, this.pen.down = false;
    this.canvas.parentElement.classList.remove("used");
  }

  /** Lay a picture on the paper, as large as it fits. */
  show(bitmap) {
    this.clear();
    const side = this.canvas.width, scale = side / Math.max(bitmap.width, bitmap.height);
    const [width, height] = [bitmap.width * scale, bitmap.height * scale];
    this.pencil.imageSmoothingEnabled = scale < 1;
    this.pencil.drawImage(bitmap, (side - width) / 2, (side - height) / 2, width, height);
    this.canvas.parentElement.classList.add("used");
    this.isPicture = true;
  }

  png() { return new Promise(resolve => this.canvas.toBlob(resolve, "image/png")); }

  begin(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    this.canvas.focus({ focusVisible: false });
    this.canvas.setPointerCapture(event.pointerId);
    this.last = null, this.inHand = true;
    this.follow(event);
  }

  follow(event) {
    if (!this.inHand) return;
    const box = this.canvas.getBoundingClientRect(), scale = this.canvas.width / box.width;
    this.line((event.clientX - box.left) * scale, (event.clientY - box.top) * scale);
  }

  lift() {
    if (!this.inHand && !this.pen.down) return;
    this.inHand = this.pen.down = false, this.last = null;
    this.drawPen();
    if (!this.isEmpty) this.onChange();
  }

  line(x, y) {
    if (this.isPicture) this.clear(), this.isPicture = false;
    const [fromX, fromY] = this.last ?? [x, y];
    Object.assign(this.pencil, { lineWidth: this.canvas.width / 13, lineCap: "round", strokeStyle: "#16202c" });
    this.pencil.beginPath();
    this.pencil.moveTo(fromX, fromY);
    this.pencil.lineTo(x, y);
    this.pencil.stroke();
    this.last = [x, y], this.isEmpty = false;
    this.canvas.parentElement.classList.add("used");
  }

  press(event) {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!move && ![" ", "Delete", "Backspace"].includes(event.key)) return;
    event.preventDefault();
    if (event.key === " ") this.setPen();
    else if (move) this.movePen(move);
    else this.clear(), this.onChange(), this.say("The paper is empty.");
    this.drawPen();
  }

  setPen() {
    if (this.pen.down) return this.lift(), this.say(`${SPOKEN.up} at ${this.place()}.`);
    this.pen.down = true, this.last = null;
    this.line(...this.spot());
    this.say(`${SPOKEN.down} at ${this.place()}.`);
  }

  movePen([x, y]) {
    const inside = number => Math.min(STEPS - 1, Math.max(1, number));
    this.pen.x = inside(this.pen.x + x), this.pen.y = inside(this.pen.y + y);
    if (this.pen.down) this.line(...this.spot());
    this.say(`${this.pen.down ? SPOKEN.down : SPOKEN.up}, ${this.place()}.`);
  }

  place() { return `${this.pen.x} from the left, ${this.pen.y} from the top, of ${STEPS}`; }

  spot() { return [this.pen.x, this.pen.y].map(each => each / STEPS * this.canvas.width); }

  /** The keyboard's pen is a ring over the paper. */
  drawPen() {
    this.ring.hidden = this.inHand || !this.canvas.matches(":focus-visible");
    this.ring.classList.toggle("down", this.pen.down);
    this.ring.style.left = `${100 * this.pen.x / STEPS}%`, this.ring.style.top = `${100 * this.pen.y / STEPS}%`;
  }
}
