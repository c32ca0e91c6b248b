//! Calls the tools that compile plugins: what they say goes to standard error, and one that is missing is named with the
//! way to get it.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::{env, fs};

use anyhow::{Context, Result, bail};

/// A program to call in a plugin's folder.
pub(super) struct Tool {
    command: Command,
    name: String,
    missing: &'static str,
}

impl Tool {
    /// `missing` says how to get the program where it is not there.
    pub(super) fn new(program: impl AsRef<Path>, folder: &Path, missing: &'static str) -> Self {
        let program = program.as_ref();
        let mut command = Command::new(program);
        // Where the tool's own code stands helps nobody who reads what is wrong with a plugin.
        command.current_dir(folder).stdin(Stdio::null()).env("RUST_BACKTRACE", "0");
        Self { command, name: program.file_name().unwrap_or_default().to_string_lossy().into_owned(), missing }
    }

    pub(super) fn arg(mut self, argument: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub(super) fn args<A: AsRef<std::ffi::OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Runs it to its end, and says how that was.
    pub(super) fn run(mut self) -> Result<ExitStatus> {
        match self.command.stdout(io::stderr()).status() {
            Err(error) if error.kind() == ErrorKind::NotFound => bail!("{} is needed, and is not there: {}", self.name, self.missing),
            status => status.with_context(|| format!("{} cannot be called", self.name)),
        }
    }

    /// Runs it to its end, which has to be a good one. `doing` is what it does, for the error.
    pub(super) fn succeed(self, doing: &str) -> Result<()> {
        let name = self.name.clone();
        let status = self.run()?;
        if !status.success() {
            bail!("{doing} failed: {name} ended with {status}, and says why above");
        }
        Ok(())
    }
}

/// Says what is done before it takes its time.
pub(super) fn say(what: &str) {
    eprintln!("{what}");
}

/// Where a program of this name is, by the PATH.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let name = format!("{program}{}", env::consts::EXE_SUFFIX);
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(&name)).find(|path| path.is_file())
}

/// A virtual environment of Python in the folder, `.venv`, with what `requirements.txt` names. Gives the folder of its
/// programs.
pub(super) fn venv(folder: &Path) -> Result<PathBuf> {
    const PYTHON: &str = "install Python 3.10 or later (python.org; on Debian: apt-get install python3 python3-venv)";
    let venv = folder.join(".venv");
    let programs = venv.join(if cfg!(windows) { "Scripts" } else { "bin" });
    let path = folder.join("requirements.txt");
    let wanted = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let installed = venv.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(programs);
    }
    say(&format!("installing what {} names into {}", path.display(), venv.display()));
    let python = if cfg!(windows) { "python" } else { "python3" };
    Tool::new(python, folder, PYTHON)
        .args(["-m", "venv", ".venv"])
        .succeed("making a virtual environment (on Debian, it takes the package python3-venv)")?;
    Tool::new(programs.join("python"), folder, PYTHON)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"])
        .succeed("installing what requirements.txt names")?;
    fs::write(&installed, wanted).with_context(|| format!("{} cannot be written", installed.display()))?;
    Ok(programs)
}
