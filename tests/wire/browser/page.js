// A browser's phone for the tests: JsSIP in a page, told what to do by the test over Chromium's DevTools protocol.
//
// `offhook.phones` by name; each notes what it sees as {kind, ...} and `waitFor` gives the first of a kind from a place on.

import JsSIP from "jssip";

const WAIT_MS = 15000;

class Phone {
  constructor(settings) {
    this.events = [];
    this.waiting = [];
    this.session = null;
    this.agent = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(settings.url)],
      uri: settings.uri,
      password: settings.password,
      register: false,
      session_timers: settings.sessionTimers,
      register_expires: 300,
    });
    this.agent.on("connected", () => this.note("connected"));
    this.agent.on("disconnected", (event) => this.note("disconnected", { code: event.code, reason: event.reason }));
    this.agent.on("registered", (event) => this.note("registered", { status: event.response.status_code }));
    this.agent.on("unregistered", () => this.note("unregistered"));
    this.agent.on("registrationFailed", (event) =>
      this.note("registration failed", { status: event.response ? event.response.status_code : 0, cause: event.cause }),
    );
    this.agent.on("newRTCSession", (event) => this.follow(event.session, event.originator));
    this.agent.start();
  }

  follow(session, originator) {
    this.session = session;
    if (originator === "remote") {
      this.note("arrived", { caller: session.remote_identity.uri.toString() });
    }
    session.on("progress", (event) => {
      if (event.originator === "remote") this.note("ringing", { status: event.response.status_code });
    });
    session.on("accepted", () => this.note("accepted"));
    session.on("confirmed", () => this.note("confirmed"));
    session.on("hold", (event) => this.note("hold", { by: event.originator }));
    session.on("unhold", (event) => this.note("unhold", { by: event.originator }));
    session.on("ended", (event) => this.note("ended", { by: event.originator, cause: event.cause }));
    session.on("failed", (event) => {
      const status = event.message && event.message.status_code ? event.message.status_code : 0;
      this.note("failed", { by: event.originator, cause: event.cause, status });
    });
  }

  note(kind, facts = {}) {
    this.events.push({ kind, ...facts });
    const waiting = this.waiting;
    this.waiting = [];
    waiting.forEach((look) => look());
  }

  waitFor(kind, after) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const seen = this.events.map((event) => JSON.stringify(event)).join(", ");
        reject(new Error(`no "${kind}" among ${seen || "nothing"}`));
      }, WAIT_MS);
      const look = () => {
        const found = this.events.slice(after).find((event) => event.kind === kind);
        if (found) {
          clearTimeout(timer);
          resolve(found);
        } else {
          this.waiting.push(look);
        }
      };
      look();
    });
  }

  call(target) {
    this.agent.call(target, { mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: [] } });
  }

  answer() {
    this.session.answer({ mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: [] } });
  }

  hold() {
    return new Promise((done) => this.session.hold({}, () => done(true)));
  }

  unhold() {
    return new Promise((done) => this.session.unhold({}, () => done(true)));
  }
}

window.offhook = {
  phones: {},
  open(name, settings) {
    this.phones[name] = new Phone(settings);
  },
};
