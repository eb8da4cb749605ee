/** Short words at the bottom of the screen that say what happened, also to a screen reader. */
const SHOWN_MS = 3_500;

class Notices {
  text = $state('');
  #timer: ReturnType<typeof setTimeout> | undefined;

  say(text: string): void {
    clearTimeout(this.#timer);
    this.text = text;
    this.#timer = setTimeout(() => (this.text = ''), SHOWN_MS);
  }
}

export const notices = new Notices();
