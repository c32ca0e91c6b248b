//! From files to a rule set in force: how long it takes, and what stays in memory.
//!
//! Each size is built in a process of its own, which gets the files on its standard input: what an earlier one left behind in the
//! heap would be taken for memory that costs nothing.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::process::{Command, Stdio};

use zelo_rules::FileText;

use super::zelo::{self, Zelo};
use crate::workload::Workload;

/// The argument that makes the bench the other process.
pub(crate) const ALONE: &str = "build-alone";

/// Prints a line for each size.
pub(crate) fn measure(workload: &Workload, sizes: &[usize]) {
    println!(
        "\nbuilding: from the texts of files to a rule set in force, in a process of its own; memory is what its resident set grew by"
    );
    println!("{:>8} {:>10} {:>10} {:>10} {:>8} {:>18}", "rules", "conditions", "load ms", "join ms", "MB", "bytes a condition");
    for &count in sizes {
        let rules = workload.rules(count);
        let [load, join, grown] = elsewhere(&rules.files);
        let (megabytes, each) = match grown.parse::<f64>() {
            Ok(bytes) => (format!("{:.1}", bytes / 1e6), format!("{:.0}", bytes / rules.conditions as f64)),
            Err(_) => (grown.clone(), grown),
        };
        println!("{count:>8} {:>10} {load:>10} {join:>10} {megabytes:>8} {each:>18}", rules.conditions);
    }
}

/// What the other process says about building `files`.
fn elsewhere(files: &[FileText]) -> [String; 3] {
    let program = std::env::current_exe().expect("the bench knows where it is");
    let mut other = Command::new(program).arg(ALONE).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the bench starts itself");
    let mut input = BufWriter::new(other.stdin.take().expect("its input is piped"));
    for file in files {
        writeln!(input, "{}", serde_json::json!([file.name, file.text])).expect("the other process reads");
    }
    drop(input.into_inner().expect("the other process reads"));
    let output = other.wait_with_output().expect("the other process ends");
    assert!(output.status.success(), "building in a process of its own failed: {}", output.status);
    let said = String::from_utf8_lossy(&output.stdout);
    let words: Vec<String> = said.split_whitespace().map(str::to_owned).collect();
    words.try_into().unwrap_or_else(|words| panic!("the other process said {words:?}"))
}

/// The other process: builds the files on its input, and says load ms, join ms, and the bytes that the resident set grew by.
pub(crate) fn alone() {
    let lines = BufReader::new(std::io::stdin()).lines();
    let files = lines.map(|line| {
        let [name, text]: [String; 2] = serde_json::from_str(&line.expect("the input can be read")).expect("a name and a text");
        FileText { name, text }
    });
    let files = zelo::files(files.collect());
    let before = resident();
    let (zelo, took) = Zelo::build(&files);
    let grown = before.zip(resident()).map_or("-".to_owned(), |(before, after)| after.saturating_sub(before).to_string());
    println!("{:.1} {:.1} {grown}", took.load.as_secs_f64() * 1e3, took.join.as_secs_f64() * 1e3);
    drop(zelo);
}

/// The bytes of this process that are in memory, where the system is Linux (proc(5), `VmRSS`).
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(1024 * line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?)
}
