// The server's interface, with the token and the session that this tab has.

const TOKEN = "speechtl.token";
const SESSION = "speechtl.session";

export class ServerError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export class Server {
  constructor() {
    const given = new URLSearchParams(location.hash.slice(1)).get("token");
    if (given) {
      sessionStorage.setItem(TOKEN, given);
      history.replaceState(null, "", location.pathname);
    }
    this.session = sessionStorage.getItem(SESSION);
  }

  get token() {
    return sessionStorage.getItem(TOKEN);
  }

  set token(value) {
    sessionStorage.setItem(TOKEN, value);
  }

  async ask(method, path, body) {
    const headers = {};
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    let content = body;
    if (body !== undefined && !(body instanceof Blob)) {
      headers["Content-Type"] = "application/json";
      content = JSON.stringify(body);
    }
    let answer;
    try {
      answer = await fetch(path, { method, headers, body: content });
    } catch {
      throw new ServerError("The server cannot be reached. Is it still running?", 0);
    }
    if (!answer.ok) {
      let message = `${answer.status} ${answer.statusText}`;
      try {
        message = (await answer.json()).error ?? message;
      } catch {
        // Not every error comes from the server itself.
      }
      throw new ServerError(message, answer.status);
    }
    return answer;
  }

  async json(method, path, body) {
    const answer = await this.ask(method, path, body);
    return answer.status === 204 ? null : answer.json();
  }

  // Within the session; one that has ended is begun anew and told by an event.
  async inSession(method, path, body) {
    if (!this.session) await this.begin();
    return this.json(method, `/api/sessions/${this.session}${path}`, body);
  }

  async resume() {
    if (this.session) {
      try {
        return await this.json("GET", `/api/sessions/${this.session}`);
      } catch (error) {
        if (error.status !== 404) throw error;
      }
    }
    return this.begin();
  }

  async begin() {
    const begun = await this.json("POST", "/api/sessions");
    this.session = begun.session;
    sessionStorage.setItem(SESSION, begun.session);
    return begun;
  }

  async end() {
    const ended = this.session;
    this.session = null;
    sessionStorage.removeItem(SESSION);
    if (ended) await this.json("DELETE", `/api/sessions/${ended}`);
  }

  stream(rate, language) {
    const address = new URL(`/api/sessions/${this.session}/stream`, location.href);
    address.searchParams.set("rate", rate);
    if (language) address.searchParams.set("language", language);
    address.protocol = address.protocol.replace("http", "ws");
    const protocols = ["speechtl"];
    if (this.token) protocols.push(`token.${this.token}`);
    const socket = new WebSocket(address, protocols);
    socket.binaryType = "arraybuffer";
    return socket;
  }
}
