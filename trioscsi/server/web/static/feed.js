// The feed of the server: listening, losing it, coming back, and holding it for a while.

const MOST_HELD = 20000; // messages that wait while the page is paused

export class Feed {
  /** `take` gets each message; `changed` is called when the feed is lost, found, held or let go. */
  constructor(take, changed) {
    this.take = take;
    this.changed = changed;
    this.how = "lost";
    this.paused = false;
    this.overflowed = 0;
    this.held = [];
    this.listen();
  }

  listen() {
    this.source?.close();
    const source = this.source = new EventSource("/feed");
    source.onopen = () => this.become("live");
    source.onmessage = (event) => this.hear(JSON.parse(event.data));
    source.onerror = () => {
      this.become("lost");
      // The browser comes back by itself, except where it was told not to: too many pages, a token.
      if (source.readyState === EventSource.CLOSED) {
        clearTimeout(this.again);
        this.again = setTimeout(() => this.comeBack(), 3000);
      }
    };
  }

  /** Listens again; where the token has to be shown anew, the server asks for it. */
  async comeBack() {
    const answer = await fetch("/api/targets").catch(() => null);
    if (answer?.status === 401) location.reload();
    else this.listen();
  }

  become(how) {
    this.how = how;
    this.changed();
  }

  hear(messages) {
    if (!this.paused) {
      for (const message of messages) this.take(message);
      return;
    }
    const room = MOST_HELD - this.held.length;
    this.held.push(...messages.slice(0, room));
    this.overflowed += Math.max(messages.length - room, 0);
    this.changed();
  }

  pause(paused) {
    this.paused = paused;
    if (!paused) {
      const held = this.held;
      this.held = [];
      if (this.overflowed) {
        // What was missed may have been states: the next hello tells them all anew.
        this.overflowed = 0;
        this.listen();
      } else {
        for (const message of held) this.take(message);
      }
    }
    this.changed();
  }

  /** Shows what was held, up to the next thing that somebody wants to see. */
  step() {
    while (this.held.length) {
      const message = this.held.shift();
      this.take(message);
      if (["pdu", "transition", "note"].includes(message.type)) break;
    }
    this.changed();
  }
}
