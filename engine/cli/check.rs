//! `zelo check`: every mistake in every rule and source file, at once; with `--watch`, again after each change.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use zelo_core::Clock;
use zelo_host::Host;
use zelo_rules::{Colours, Files, Loaded};
use zelo_runtime::Catalog;
use zelo_runtime::rulebook;
use zelo_runtime::system::SystemClock;

use super::watch::{self, Seen};
use super::{Findings, Format, print_line, setup};
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How to print what is found.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Check again whenever a rule, a source, a sample or a plugin changes, until Ctrl-C.
    #[arg(long)]
    watch: bool,
    /// Fail on warnings too.
    #[arg(long)]
    strict: bool,
}

pub(super) fn run(config: Option<&Path>, arguments: &Arguments) -> Result<Findings> {
    let config = Config::load(config)?;
    let host = setup::host_for_tools()?;
    let printed = Printed { format: arguments.format, strict: arguments.strict };
    if arguments.watch {
        super::tokio()?.block_on(watch(&config, &host, printed))?;
        return Ok(Findings::None);
    }
    let catalog = setup::catalog(&host, &config.installed())?;
    let checked = check(&config, &catalog, printed)?;
    print(&checked.said);
    Ok(checked.findings)
}

/// How findings are printed, and which of them count.
#[derive(Clone, Copy)]
struct Printed {
    format: Format,
    /// Warnings are findings too.
    strict: bool,
}

/// What was found, as it is to be printed.
struct Checked {
    said: String,
    findings: Findings,
    /// The samples that the sources name.
    samples: Vec<PathBuf>,
}

fn check(config: &Config, catalog: &Catalog, printed: Printed) -> Result<Checked> {
    let files = rulebook::read_files(&config.rules())?;
    let mut loaded = zelo_rules::load(&files, catalog);
    let missing = loaded.set.as_ref().map(|set| zelo_rules::missing_fixtures(set, &files, &|path| Path::new(path).is_file()));
    let missing = missing.unwrap_or_default();
    let usable = loaded.set.is_some() && missing.is_empty();
    loaded.diagnostics.extend(missing);
    if let Some(set) = &loaded.set {
        config.connections.keys().try_for_each(|name| setup::source_of(config, set, name).map(|_| ()))?;
    }
    let said = match printed.format {
        Format::Json => serde_json::to_string_pretty(&loaded.diagnostics)?,
        Format::Text => text(config, &loaded, &files, usable),
    };
    let samples = loaded.set.iter().flat_map(|set| set.sources().flat_map(watch::samples).collect::<Vec<_>>()).collect();
    let fine = usable && (loaded.diagnostics.is_empty() || !printed.strict);
    Ok(Checked { said, findings: if fine { Findings::None } else { Findings::Some }, samples })
}

/// The findings for people, in colours, and how many there are.
fn text(config: &Config, loaded: &Loaded, files: &Files, usable: bool) -> String {
    let (sources, rules) = (files.sources.len(), files.rules.len());
    let verdict = match (&loaded.set, loaded.diagnostics.is_empty()) {
        (Some(_), true) => format!("{sources} source and {rules} rule files are fine"),
        (Some(_), false) if usable => format!("{sources} source and {rules} rule files can be in force"),
        (Some(_), false) => "the rules can be used, but not all of their tests can be run".to_owned(),
        (None, _) => "nothing of this is in force; mend the errors above".to_owned(),
    };
    let counts = zelo_rules::counts(&loaded.diagnostics).map(|counts| format!("\n{counts}")).unwrap_or_default();
    zelo_rules::render_in(Colours::Ansi, &loaded.diagnostics, files) + &insecure(config) + &verdict + &counts
}

/// The connections of zelo.toml that take deliveries from anyone. What a source says is among the findings.
fn insecure(config: &Config) -> String {
    let names = config.connections.iter().filter(|(_, connection)| connection.insecure).map(|(name, _)| name);
    names.map(|name| format!("ATTENTION: connection `{name}` is insecure: it takes deliveries that nobody signed\n")).collect()
}

/// Prints a result. Colours are left out where nobody sees them, or NO_COLOR asks for none.
fn print(said: &str) {
    if writeln!(anstream::stdout(), "{said}").is_err() {
        std::process::exit(0);
    }
}

/// How often the folders are looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Checks now, and whenever something has changed and then stood still for one look: an editor that renames or empties a file
/// while it saves is not caught in the act. What was checked is compared with what is there again and again, so that nothing
/// stays that is not true any more.
async fn watch(config: &Config, host: &Host, printed: Printed) -> Result<()> {
    let mut watched = Watched { config, host, printed, samples: Vec::new(), plugins: None, checked: None, said: String::new() };
    let mut before = None;
    let stop = tokio::signal::ctrl_c();
    tokio::pin!(stop);
    loop {
        let now = Seen::with_samples(config, &watched.samples);
        // The first look is not waited for: nobody is saving yet.
        let still = before.is_none() || before.as_ref() == Some(&now);
        if still && watched.checked.as_ref() != Some(&now) {
            tokio::task::block_in_place(|| watched.check(&now));
        }
        before = Some(now);
        tokio::select! {
            _ = &mut stop => return Ok(()),
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// What is watched, and what was last said about it.
struct Watched<'a> {
    config: &'a Config,
    host: &'a Host,
    printed: Printed,
    /// Those that the last good set names.
    samples: Vec<PathBuf>,
    /// Compiled once, as long as they stay the same.
    plugins: Option<(Seen, Catalog)>,
    checked: Option<Seen>,
    said: String,
}

impl Watched<'_> {
    fn check(&mut self, now: &Seen) {
        let known = self.samples.clone();
        // A file that could not be read, in the middle of a save for one, is looked at again until it can be; and so is all
        // where other samples are named than those that were looked at.
        let (said, settled) = match self.look(now) {
            Ok(said) => (said, self.samples == known),
            Err(error) => (format!("{error:#}"), false),
        };
        let changed = self.checked.is_some();
        if changed || said != self.said {
            tell(&said, self.printed.format);
        }
        self.said = said;
        self.checked = settled.then(|| now.clone());
    }

    fn look(&mut self, now: &Seen) -> Result<String> {
        let catalog = match self.plugins.take() {
            Some((seen, catalog)) if seen.same_plugins(now) => catalog,
            _ => setup::catalog(self.host, &self.config.installed())?,
        };
        let (_, catalog) = self.plugins.insert((now.clone(), catalog));
        let checked = check(self.config, catalog, self.printed)?;
        if checked.findings == Findings::None {
            self.samples = checked.samples;
        }
        Ok(checked.said)
    }
}

fn tell(said: &str, format: Format) {
    if format == Format::Text {
        // Only for eyes: a file or a pipe keeps every result.
        let clear = if std::io::stdout().is_terminal() { "\x1b[2J\x1b[H" } else { "" };
        print_line(&format!("{clear}{} UTC, watching; Ctrl-C ends it", SystemClock.now().strftime("%H:%M:%S")));
    }
    print(said);
}
