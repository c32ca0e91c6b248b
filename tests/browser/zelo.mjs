// A server of a test's own: in a folder of its own, on a port that is free, with the rules, samples and plugins of this tree.
// Nothing here waits for a time to pass, only for what is to come.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, mkdir, open, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const ZELO = resolve(process.env.ZELO ?? join(ROOT, "target/debug/zelo"));
/** How long anything may take on a machine that does much else, in milliseconds. */
export const LONG_MS = 120_000;
const SECRET = "a secret of the tests";

async function freePort() {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Tries until `look` finds something. */
export async function until(what, look, long = LONG_MS) {
  const end = Date.now() + long;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`in ${long / 1000} s there was no ${what}`);
    await new Promise((again) => setTimeout(again, 100));
  }
}

/** A running server, and what can be done at its machine. */
export class Zelo {
  #folder;
  #process;

  /** Starts one. `on` are the automations that its configuration switches on. */
  static async start({ on = [] } = {}) {
    const zelo = new Zelo();
    zelo.#folder = await mkdtemp(join(tmpdir(), "zelo-browser-"));
    try {
      await zelo.#start(on);
    } catch (error) {
      const log = await readFile(join(zelo.#folder, "log"), "utf8").catch(() => "");
      await zelo.stop();
      throw new Error(`the server did not start: ${error.message}\n${log}`);
    }
    return zelo;
  }

  async #start(on) {
    const folder = this.#folder;
    this.port = await freePort();
    this.base = `http://127.0.0.1:${this.port}`;
    await symlink(join(ROOT, "rules"), join(folder, "rules"));
    await symlink(join(ROOT, "examples"), join(folder, "examples"));
    await mkdir(join(folder, "secrets"));
    for (const name of ["clinicarx", "plotado"]) await writeFile(join(folder, "secrets", name), SECRET);
    const automations = on.map((rule) => `[[automations]]\nrule = "${rule}"\n`).join("");
    const config = `[server]\nlisten = "127.0.0.1:${this.port}"\n[paths]\nplugins = "${join(ROOT, "plugins/dist")}"\n${automations}`;
    await writeFile(join(folder, "zelo.toml"), config);
    const log = await open(join(folder, "log"), "w");
    this.#process = spawn(ZELO, ["serve"], { cwd: folder, stdio: ["ignore", log.fd, log.fd] });
    await once(this.#process, "spawn");
    await log.close();
    await until("server that is ready", async () => {
      if (this.#process.exitCode !== null) throw new Error("it ended");
      return (await fetch(`${this.base}/readyz`).catch(() => null))?.ok;
    });
  }

  /** Runs a command of zelo beside the server, and returns what it prints. */
  run(args, input = "") {
    return new Promise((done, reject) => {
      const child = execFile(ZELO, args, { cwd: this.#folder, timeout: 2 * LONG_MS }, (error, out, said) => {
        if (error) reject(new Error(`zelo ${args.join(" ")}: ${error.message}\n${out}${said}`));
        else done(out);
      });
      child.stdin.end(input);
    });
  }

  /** A link by which an admin signs in, once. */
  async link() {
    return (await this.run(["token", "link"])).trim();
  }

  /** Adds somebody with a name and a password. `clinics` are `connection/clinic`; none: everything. */
  async person(name, password, role, clinics = []) {
    await this.run(["person", "add", name, "--role", role, ...clinics.flatMap((clinic) => ["--clinic", clinic])], `${password}\n`);
  }

  /** Delivers as the clinic's software does, and returns the id of the event. */
  async deliver({ path, body, source = "clinicarx" }) {
    const headers = { "content-type": "application/json", "x-zelo-token": SECRET };
    const answer = await fetch(`${this.base}/hooks/${source}/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    const text = await answer.text();
    if (answer.status !== 202) throw new Error(`${path} was answered ${answer.status}: ${text}`);
    return JSON.parse(text).event_id;
  }

  /** Waits until everything that is due has been done. */
  async settled() {
    const token = (await this.run(["token", "new", "--role", "viewer"])).trim();
    const none = async (state) => {
      const answer = await fetch(`${this.base}/api/v1/jobs?state=${state}&limit=1`, { headers: { authorization: `Bearer ${token}` } });
      if (answer.status !== 200) throw new Error(`the jobs are answered ${answer.status}: ${await answer.text()}`);
      return (await answer.json()).items.length === 0;
    };
    await until("end of what is due", async () => (await none("ready")) && (await none("running")));
  }

  async stop() {
    const server = this.#process;
    if (server && server.exitCode === null && server.signalCode === null) {
      const ended = once(server, "exit");
      server.kill("SIGTERM");
      const hard = setTimeout(() => server.kill("SIGKILL"), LONG_MS);
      await ended;
      clearTimeout(hard);
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}
