// What is known of the server, out of the messages of its feed (specs/feed.md).

const MOST_LINES = 600; // PDUs and transitions of one connection that can be looked at again
const MOST_OF_ALL = 24000; // and of all connections
const MOST_TASKS = 60;
const MOST_CLOSED = 24;
const MOST_RATES = 120;

class Connection {
  constructor(number, peer, portal, opened) {
    Object.assign(this, { number, peer, portal, opened });
    this.session = null;
    this.closed = false;
    this.how = "";
    this.states = new Map(); // of each machine that has moved
    this.moves = new Map(); // the transitions of each machine
    this.lines = [];
    this.first = 0; // how many lines were forgotten
    this.missed = 0; // how many bytes were not looked at
    this.tasks = new Map(); // by tag and beginning
    this.keys = new Map();
  }

  add(line) {
    this.lines.push(line);
    this.keep(MOST_LINES);
  }

  keep(most) {
    const gone = this.lines.splice(0, Math.max(this.lines.length - most, 0));
    this.first += gone.length;
    return gone.length;
  }

  task(task) {
    for (const [key, known] of this.tasks) {
      if (known.itt === task.itt && !over(known)) {
        if (task.began === null || task.began === known.began) {
          this.tasks.set(key, { ...known, ...task, began: known.began ?? task.began });
          return;
        }
        this.tasks.delete(key); // how it ended was not seen
      }
    }
    this.tasks.set(`${task.itt} ${task.began}`, task);
    for (const [key, known] of this.tasks) {
      if (this.tasks.size <= MOST_TASKS) break;
      if (over(known) || this.tasks.size > 2 * MOST_TASKS) this.tasks.delete(key);
    }
  }
}

export const over = (task) => task.state === "RESPONDED" || task.state === "ABORTED";

export class Model {
  constructor() {
    this.program = "";
    this.targets = [];
    this.portals = [];
    this.sessions = new Map();
    this.connections = new Map();
    this.rates = [];
    this.dropped = { bytes: 0, messages: 0 };
    this.added = 0;
  }

  /** Takes a message; gives the connection that it is about, if it is about one. */
  take(message) {
    const connection = this.connections.get(message.connection);
    this.added += 1;
    if (this.added % MOST_LINES === 0) this.trim();
    switch (message.type) {
      case "hello": this.hello(message); return null;
      case "connection": return this.open(message);
      case "session": this.session(message); return connection;
      case "transition": return connection && this.moved(connection, message);
      case "keys":
        if (connection) for (const row of message.rows) connection.keys.set(row.key, row);
        return connection;
      case "task": connection?.task(message); return connection;
      case "rates":
        this.rates.push(message);
        this.rates.splice(0, this.rates.length - MOST_RATES);
        return null;
      case "closed":
        if (connection) {
          connection.closed = true;
          connection.how = message.how;
          connection.add(message);
          this.forget();
        }
        return connection;
      case "dropped": this.drop(connection, message); return connection;
      case "pdu": {
        // The server explains a PDU when it is asked; its bytes are not needed here.
        const { header, data, ...line } = message;
        connection?.add(line);
        return connection;
      }
      case "note": connection?.add(message); return connection;
      default: return null; // of a later version
    }
  }

  /** The present state of everything; what was said before is kept where it goes on. */
  hello(message) {
    this.program = message.program;
    this.targets = message.targets;
    this.portals = message.portals;
    this.sessions = new Map(message.sessions.map((each) => [each.session, each]));
    const before = this.connections;
    const same = (each) => before.get(each.connection)?.opened === each.opened;
    this.connections = new Map();
    for (const known of before.values()) {
      if (!message.connections.some((each) => each.connection === known.number)) {
        known.closed = true;
        this.connections.set(known.number, known);
      }
    }
    for (const each of message.connections) {
      const connection = same(each) ? before.get(each.connection)
        : new Connection(each.connection, each.peer, each.portal, each.opened);
      connection.session = each.session;
      connection.closed = each.closed;
      connection.states = new Map(Object.entries(each.states));
      connection.keys = new Map(each.keys.map((row) => [row.key, row]));
      for (const task of each.tasks) connection.task(task);
      this.connections.set(connection.number, connection);
    }
    this.forget();
  }

  open(message) {
    const connection =
      new Connection(message.connection, message.peer, message.portal, message.at);
    this.connections.set(message.connection, connection);
    return connection;
  }

  session(message) {
    const known = this.sessions.get(message.session);
    this.sessions.set(message.session, { ...known, ...message });
    for (const number of [message.connection, ...message.connections]) {
      const connection = this.connections.get(number);
      if (connection) connection.session = message.session;
    }
  }

  moved(connection, message) {
    connection.states.set(message.machine, message.to);
    const moves = connection.moves.get(message.machine) ?? [];
    moves.push(message);
    moves.splice(0, moves.length - 100);
    connection.moves.set(message.machine, moves);
    connection.add(message);
    if (message.machine === "session") {
      const session = this.sessions.get(connection.session);
      if (session) session.state = message.to;
      for (const number of session?.connections ?? []) {
        this.connections.get(number)?.states.set("session", message.to);
      }
    }
    return connection;
  }

  drop(connection, message) {
    const missed = message.bytes ?? 0;
    this.dropped.bytes += missed;
    if (connection) {
      connection.missed += missed;
      connection.add(message);
    }
    for (const many of Object.values(message.messages ?? {})) this.dropped.messages += many;
  }

  /** Forgets old lines where there are too many, of connections in turn. */
  trim() {
    const all = [...this.connections.values()];
    let lines = all.reduce((sum, each) => sum + each.lines.length, 0);
    for (let most = MOST_LINES / 2; lines > MOST_OF_ALL && most > 1; most /= 2) {
      for (const each of all) lines -= each.keep(Math.floor(most));
    }
  }

  forget() {
    const closed = [...this.connections.values()].filter((each) => each.closed);
    for (const each of closed.slice(0, -MOST_CLOSED)) this.connections.delete(each.number);
    for (const number of this.sessions.keys()) {
      const used = [...this.connections.values()].some((each) => each.session === number);
      const session = this.sessions.get(number);
      if (!used && session.state === "FREE") this.sessions.delete(number);
    }
  }

  stateOf(connection, machine) {
    if (machine === "session") {
      return this.sessions.get(connection.session)?.state ?? connection.states.get(machine);
    }
    return connection.states.get(machine);
  }
}
