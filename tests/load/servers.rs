//! The servers of a run, as processes, each with a folder of its own. They end when they are dropped.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{client, workload};

/// How long a server may take until it answers: compiling plugins is part of it.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// A server that runs.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
}

impl Server {
    /// axum with nothing behind it.
    pub(crate) fn axum() -> Self {
        Self::compared(&["answer".as_ref()])
    }

    /// axum, and a bare group commit into a file in `folder`.
    pub(crate) fn bare(folder: &Path) -> Self {
        Self::compared(&["commit".as_ref(), folder.join("bare.db").as_os_str()])
    }

    fn compared(arguments: &[&std::ffi::OsStr]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let read = BufReader::new(child.stdout.take().unwrap()).read_line(&mut line);
        // The child is this server's from here on: whatever fails ends it.
        let mut server = Self { child, port: 0 };
        read.unwrap();
        server.port = line.trim().parse().unwrap();
        server
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop, and waits until it has.
    ///
    /// # Errors
    /// It did not end well.
    pub(crate) fn stop(mut self) -> Result<(), String> {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        let ended = self.child.wait().unwrap();
        if asked.success() && ended.success() { Ok(()) } else { Err(format!("a server did not stop in order: {ended}")) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A folder that zelo runs in: the rules and plugins that ship, those of the workload, and a store.
pub(crate) struct House {
    pub(crate) folder: PathBuf,
    port: u16,
}

impl House {
    /// In a new folder below `within`; `automations` are the rules that are switched on.
    pub(crate) fn new<'r>(within: &Path, name: &str, automations: impl IntoIterator<Item = &'r str>) -> Self {
        let folder = within.join(name);
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let dist = root.join("plugins/dist");
        assert!(dist.join("message.wasm").exists(), "plugins/dist/message.wasm is missing; run plugins/build");
        for part in ["rules/sources", "rules/automations", "examples/events"] {
            copy(&root.join(part), &folder.join(part));
        }
        fs::write(folder.join("rules/automations/tell.toml"), workload::TELL).unwrap();
        std::os::unix::fs::symlink(&dist, folder.join("plugins")).unwrap();
        fs::create_dir(folder.join("secrets")).unwrap();
        fs::write(folder.join("secrets/clinicarx"), workload::SECRET).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let on: String = automations.into_iter().map(|rule| format!("[[automations]]\nrule = \"{rule}\"\n")).collect();
        // Budget and limits stand, and are never spent.
        let rate = "{ per_second = 1000000, burst = 1000000 }";
        let budget = format!(
            "[budget]\nmessages = 1000\n[server.rates]\nall = {rate}\nconnection = {rate}\n[server.limits]\nconnections_per_address = 4096\n"
        );
        let config = format!("[server]\nlisten = \"127.0.0.1:{port}\"\n[paths]\nplugins = \"plugins\"\n{budget}{on}");
        fs::write(folder.join("zelo.toml"), config).unwrap();
        Self { folder, port }
    }

    /// Starts zelo, and waits until it is ready.
    pub(crate) fn serve(&self) -> Server {
        let server = self.spawn();
        let begun = Instant::now();
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        while !tokio.block_on(client::get(self.port, "/readyz")).is_ok_and(|answer| answer.status == 200) {
            assert!(begun.elapsed() < READY_WITHIN, "zelo is not ready in time; its log: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Starts zelo, and does not wait.
    pub(crate) fn spawn(&self) -> Server {
        let log = fs::File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_zelo"));
        let child = command.arg("serve").current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Server { child, port: self.port }
    }

    /// Runs a command, which must succeed.
    pub(crate) fn zelo(&self, arguments: &[&str]) {
        drop(self.told(arguments));
    }

    /// The same; what it prints.
    pub(crate) fn told(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_zelo")).args(arguments).current_dir(&self.folder).output().unwrap();
        assert!(output.status.success(), "zelo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join("data/zelo.db")
    }

    /// The last lines of the log.
    fn log(&self) -> String {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
