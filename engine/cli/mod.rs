//! The commands. One file each; what they share stands in `setup`.
//!
//! Exit codes: 0 fine, 1 findings (mistakes in files, failed tests, a refused delivery), 2 usage or configuration.

mod audit;
mod automation;
mod backtest;
mod backup;
mod check;
mod control;
mod explain;
mod halt;
mod http;
mod jobs;
mod key;
mod meant;
mod path;
mod person;
mod play;
mod plugin;
mod records;
mod replay;
mod retain;
mod rules;
mod schema;
mod send;
mod serve;
mod setup;
mod simulate;
mod source;
mod subject;
mod test;
mod token;
mod watch;
mod when;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

/// A self-hosted rule engine: webhooks in, TOML rules, sandboxed WASM plugins.
#[derive(Debug, Parser)]
#[command(name = "zelo", version, arg_required_else_help = true)]
struct Arguments {
    /// The configuration file; default: zelo.toml of this folder, if there is one.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receive webhooks, run automations, show the pages.
    Serve(serve::Arguments),
    /// Look for mistakes in all rule and source files.
    Check(check::Arguments),
    /// Run the tests that stand in the rule files.
    Test(test::Arguments),
    /// Say why each rule fires or does not, for a stored event or a file.
    Explain(explain::Arguments),
    /// Play a file of deliveries on a virtual clock, and tell what would happen.
    Simulate(simulate::Arguments),
    /// Count what other rules would have done about the stored events, beside those in force.
    Backtest(backtest::Arguments),
    /// Send a signed sample delivery to a running server.
    Send(send::Arguments),
    /// Play a file of deliveries against the server that runs here, as if they happened now, and watch what comes of it.
    Play(play::Arguments),
    /// Bring what was there before the first webhook.
    #[command(subcommand)]
    Records(records::Command),
    /// Try a JSONPath: print its nodes as a JSON array.
    Path(path::Arguments),
    /// Show what is in force, in words.
    Rules(rules::Arguments),
    /// Draft a source file for a provider that is not known yet.
    #[command(subcommand)]
    Source(source::Command),
    /// Print the JSON Schema of rule or source files, for editors.
    Schema(schema::Arguments),
    /// List jobs, run dead ones again, say what became of unknown ones, cancel pending ones.
    Jobs(jobs::Arguments),
    /// Have a rule make jobs for events that are stored: first say which, then do it.
    Replay(replay::Arguments),
    /// Switch automations on and off.
    #[command(subcommand)]
    Automation(automation::Command),
    /// Make API tokens and sign-in links.
    #[command(subcommand)]
    Token(token::Command),
    /// Say who signs in with a name and a password.
    #[command(subcommand)]
    Person(person::Command),
    /// Find a person; hand out, erase or hold what is kept of them; say who saw it.
    #[command(subcommand)]
    Subject(subject::Command),
    /// Verify, export, sign and prune the log of who did and saw what.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Change the master key.
    #[command(subcommand)]
    Key(key::Command),
    /// Copy everything that is stored to a file, with the server running or not.
    Backup(backup::Arguments),
    /// Put a backup in the place of the store, while no server runs.
    Restore(backup::Restore),
    /// Delete now what was kept for as long as [retention] says.
    Retain(retain::Arguments),
    /// Put a halt to all jobs, those of a rule, or those of a plugin, at once; list what is halted.
    Halt(halt::Arguments),
    /// Let go on what was halted.
    Resume(halt::Resume),
    /// Make and look at plugins.
    #[command(subcommand)]
    Plugin(plugin::Command),
}

/// How data is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

/// What a command that ran has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Findings {
    None,
    Some,
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let Arguments { config, command } = Arguments::parse();
    let config = config.as_deref();
    let found = match command {
        Command::Serve(arguments) => serve::run(config, &arguments),
        Command::Check(arguments) => check::run(config, &arguments),
        Command::Test(arguments) => test::run(config, &arguments),
        Command::Explain(arguments) => explain::run(config, &arguments),
        Command::Simulate(arguments) => simulate::run(config, &arguments),
        Command::Backtest(arguments) => backtest::run(config, &arguments),
        Command::Send(arguments) => send::run(config, &arguments),
        Command::Play(arguments) => play::run(config, &arguments),
        Command::Records(command) => records::run(config, &command),
        Command::Path(arguments) => path::run(&arguments),
        Command::Rules(arguments) => rules::run(config, &arguments),
        Command::Source(command) => source::run(config, &command),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Jobs(arguments) => jobs::run(config, &arguments),
        Command::Replay(arguments) => replay::run(config, &arguments),
        Command::Automation(command) => automation::run(config, &command),
        Command::Token(command) => token::run(config, &command),
        Command::Person(command) => person::run(config, &command),
        Command::Subject(command) => subject::run(config, &command),
        Command::Audit(command) => audit::run(config, &command),
        Command::Key(command) => key::run(config, &command),
        Command::Backup(arguments) => backup::run(config, &arguments),
        Command::Restore(arguments) => backup::restore(config, &arguments),
        Command::Retain(arguments) => retain::run(config, &arguments),
        Command::Halt(arguments) => halt::run(config, &arguments),
        Command::Resume(arguments) => halt::resume(config, &arguments),
        Command::Plugin(command) => plugin::run(config, &command),
    };
    match found {
        Ok(Findings::None) => ExitCode::SUCCESS,
        Ok(Findings::Some) => ExitCode::from(1),
        Err(error) => {
            eprintln!("zelo: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// A runtime for commands that wait.
fn tokio() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// Prints a line, and goes quietly if nobody reads it any more.
fn print_line(line: &str) {
    use std::io::Write;
    if writeln!(std::io::stdout(), "{line}").is_err() {
        std::process::exit(0);
    }
}
