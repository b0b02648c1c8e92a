// A browser's phone for the tests: JsSIP in a page, told what to do by the test over Chromium's DevTools protocol.
//
// `offhook.phones` by name; each notes what it sees as {kind, ...} and `waitFor` gives the first of a kind from a place on.

import JsSIP from "jssip";

const WAIT_MS = 15000;
// Without what browsers do to voices: a steady tone is noise to them.
const SOUND = { audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false }, video: false };

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
    this.listening = null;
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
    this.agent.call(target, { mediaConstraints: SOUND, pcConfig: { iceServers: [] } });
  }

  answer() {
    this.session.answer({ mediaConstraints: SOUND, pcConfig: { iceServers: [] } });
  }

  // The strongest frequency of what is heard, in Hz, and how loud it is, in dB below the loudest.
  async hear() {
    const tracks = this.session.connection.getReceivers().map((receiver) => receiver.track);
    const stream = new MediaStream(tracks.filter((track) => track.kind === "audio"));
    if (!this.listening) {
      // Chromium decodes a remote stream only where an element plays it.
      const element = new Audio();
      element.srcObject = stream;
      element.muted = true;
      await element.play();
      const context = new AudioContext();
      await context.resume();
      const analyser = context.createAnalyser();
      analyser.fftSize = 16384;
      analyser.smoothingTimeConstant = 0;
      context.createMediaStreamSource(stream).connect(analyser);
      this.listening = { element, context, analyser };
    }
    const { context, analyser } = this.listening;
    const levels = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(levels);
    let best = 0;
    levels.forEach((level, bin) => {
      if (level > levels[best]) best = bin;
    });
    const level = levels[best];
    return { hertz: (best * context.sampleRate) / analyser.fftSize, level: Number.isFinite(level) ? level : -200 };
  }

  async codec() {
    const report = await this.session.connection.getStats();
    const stats = [...report.values()];
    const inbound = stats.find((each) => each.type === "inbound-rtp" && each.kind === "audio");
    const codec = inbound && stats.find((each) => each.id === inbound.codecId);
    return { mimeType: codec ? codec.mimeType : "", packets: inbound ? inbound.packetsReceived : 0 };
  }

  press(digit) {
    this.session.sendDTMF(digit, { transportType: "RFC2833" });
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
