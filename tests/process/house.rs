//! A zelo of one's own: a folder with a configuration, and the program in it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

pub(crate) const SECRET: &str = "a secret of the tests";

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// zelo. What its tools compile they keep where only tests look.
fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_zelo"));
    program.env("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"));
    program
}

/// A folder that zelo runs in. Rules and plugins are those that ship; the store is new.
pub(crate) struct House {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) port: u16,
}

impl House {
    /// With `more` at the end of its zelo.toml.
    pub(crate) fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dist = root().join("plugins/dist");
        assert!(dist.join("reminder.wasm").exists(), "plugins/dist/reminder.wasm is missing; run plugins/build");
        copy(&root().join("rules"), &folder.path().join("rules"));
        // Not the plugins among the examples: they come with the tools of their languages.
        for part in ["examples/day", "examples/events"] {
            copy(&root().join(part), &folder.path().join(part));
        }
        std::os::unix::fs::symlink(&dist, folder.path().join("plugins")).unwrap();
        fs::create_dir(folder.path().join("secrets")).unwrap();
        fs::write(folder.path().join("secrets/clinicarx"), SECRET).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!("[server]\nlisten = \"127.0.0.1:{port}\"\n[paths]\nplugins = \"plugins\"\n{more}\n");
        fs::write(folder.path().join("zelo.toml"), config).unwrap();
        Self { folder, port }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command to its end.
    pub(crate) fn zelo(&self, arguments: &[&str]) -> Output {
        program().args(arguments).current_dir(self.folder.path()).output().unwrap()
    }

    /// Runs a command where no other program is to be found.
    pub(crate) fn without_programs(&self, arguments: &[&str]) -> Output {
        let nowhere = self.folder.path().join("nowhere");
        program().args(arguments).env("PATH", nowhere).current_dir(self.folder.path()).output().unwrap()
    }

    /// Runs a command that must succeed; its output.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.zelo(arguments);
        assert!(output.status.success(), "zelo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts a command that is spoken to while it runs.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = program();
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Starts the server and waits until it answers.
    pub(crate) fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    /// The same with something in its environment.
    pub(crate) fn serve_with(&self, environment: &[(&str, &str)]) -> Server {
        let mut command = program();
        command.arg("serve").envs(environment.iter().copied());
        self.serve_by(command)
    }

    /// The same with nobody killed for a file that may not grow: the write fails.
    pub(crate) fn serve_with_limits(&self) -> Server {
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" serve", env!("CARGO_BIN_EXE_zelo")]);
        self.serve_by(command)
    }

    fn serve_by(&self, mut command: Command) -> Server {
        let log = fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        command.current_dir(self.folder.path()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let welcome = std::thread::spawn(move || out.lines().map_while(Result::ok).collect::<Vec<_>>());
        let server = Server { child, port: self.port, welcome: Some(welcome), agent: agent() };
        within("the server answers", Duration::from_secs(60), || server.get_plain("/readyz").0 == 200);
        server
    }

    /// Everything that the server has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

/// A running server. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    port: u16,
    welcome: Option<std::thread::JoinHandle<Vec<String>>>,
    agent: ureq::Agent,
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).timeout_global(Some(Duration::from_secs(20)));
    config.build().new_agent()
}

impl Server {
    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The status and body of a GET without a credential; status 0 if nobody answers.
    pub(crate) fn get_plain(&self, path: &str) -> (u16, String) {
        answer(self.agent.get(self.url(path)).call())
    }

    /// The JSON of a GET with a token.
    pub(crate) fn get(&self, path: &str, token: &str) -> Value {
        let (status, body) = answer(self.agent.get(self.url(path)).header("authorization", format!("Bearer {token}")).call());
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// The status and JSON of a POST with a token.
    pub(crate) fn post(&self, path: &str, token: &str, body: &str) -> (u16, Value) {
        let request = self.agent.post(self.url(path)).header("authorization", format!("Bearer {token}"));
        let (status, body) = answer(request.header("content-type", "application/json").send(body));
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// The status and bytes of a GET with a token.
    pub(crate) fn get_bytes(&self, path: &str, token: &str) -> (u16, Vec<u8>) {
        let request = self.agent.get(self.url(path)).header("authorization", format!("Bearer {token}"));
        let mut response = request.call().unwrap();
        (response.status().as_u16(), response.body_mut().read_to_vec().unwrap())
    }

    /// The status and page of signing in with a password.
    pub(crate) fn sign_in_as(&self, name: &str, password: &str) -> (u16, String) {
        answer(self.agent.post(self.url("/sign-in")).send_form([("name", name), ("password", password)]))
    }

    /// Every item of a list, page by page.
    pub(crate) fn list(&self, path: &str, token: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut next = String::new();
        loop {
            let page = self.get(&format!("{path}?limit=200{next}"), token);
            all.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(cursor) => next = format!("&before={cursor}"),
                None => return all,
            }
        }
    }

    /// The jobs in this state.
    pub(crate) fn list_of_state(&self, state: &str, token: &str) -> Vec<Value> {
        self.get(&format!("/api/v1/jobs?state={state}"), token)["items"].as_array().unwrap().clone()
    }

    /// A signed delivery; status 0 if nobody answers.
    pub(crate) fn deliver(&self, path: &str, body: &str) -> (u16, Value) {
        self.deliver_with(path, body, &signature(body))
    }

    /// A signed delivery that says where in which trace its sender is.
    pub(crate) fn deliver_within(&self, traceparent: &str, path: &str, body: &str) -> (u16, Value) {
        let request = self.agent.post(self.url(&format!("/hooks/{path}"))).header("authorization", signature(body));
        let (status, body) = answer(request.header("content-type", "application/json").header("traceparent", traceparent).send(body));
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// A delivery with this `Authorization`.
    pub(crate) fn deliver_with(&self, path: &str, body: &str, authorization: &str) -> (u16, Value) {
        let request = self.agent.post(self.url(&format!("/hooks/{path}"))).header("authorization", authorization);
        let (status, body) = answer(request.header("content-type", "application/json").send(body));
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// What a delivery is answered with, and when to come again.
    pub(crate) fn refused(&self, path: &str, body: &str) -> (u16, Option<String>) {
        let request = self.agent.post(self.url(&format!("/hooks/{path}"))).header("authorization", signature(body));
        let response = request.header("content-type", "application/json").send(body).unwrap();
        let after = response.headers().get("retry-after").map(|after| after.to_str().unwrap().to_owned());
        (response.status().as_u16(), after)
    }

    /// Exchanges the code of a sign-in link: the status, and the cookie if there is one.
    pub(crate) fn sign_in(&self, code: &str) -> (u16, Option<String>) {
        let response = self.agent.post(self.url("/sign-in")).send_form([("code", code)]).unwrap();
        let cookie = response.headers().get("set-cookie").and_then(|cookie| cookie.to_str().ok()?.split(';').next().map(str::to_owned));
        (response.status().as_u16(), cookie)
    }

    /// A page, with a cookie.
    pub(crate) fn page(&self, path: &str, cookie: &str) -> String {
        answer(self.agent.get(self.url(path)).header("cookie", cookie).call()).1
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends the process at once (`kill -9`), while others may be talking to it.
    pub(crate) fn kill_now(&self) {
        let status = Command::new("kill").args(["-9", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Asks the process to stop, and does not wait.
    pub(crate) fn ask_to_stop(&self) {
        let status = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(status.success());
    }

    /// Whether the process has ended.
    pub(crate) fn is_gone(&self) -> bool {
        // It stays a zombie until it is waited for.
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
    }

    /// Waits for the process to end; its exit code.
    pub(crate) fn ended(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Asks the process to stop, and waits; what it had printed.
    pub(crate) fn stop(mut self) -> Vec<String> {
        self.ask_to_stop();
        assert!(self.child.wait().unwrap().success(), "the server did not stop in order");
        self.welcome.take().unwrap().join().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// As the provider signs: HMAC-SHA256 of the body, hexadecimal.
fn signature(body: &str) -> String {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn answer(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> (u16, String) {
    match answer {
        Ok(mut response) => (response.status().as_u16(), response.body_mut().read_to_string().unwrap_or_default()),
        Err(_) => (0, String::new()),
    }
}

/// Waits for something to become true.
pub(crate) fn within(what: &str, limit: Duration, mut check: impl FnMut() -> bool) {
    let start = Instant::now();
    while !check() {
        assert!(start.elapsed() < limit, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else if entry.path().is_file() {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
