//! Plugins that tell all they know: components in WebAssembly text, each of which ends in a way of its own.
//!
//! A component has one linear memory and is refused with more, so what crosses into it is in that memory; and nothing is ever
//! freed there. `$dump` writes it down in hexadecimal behind all that there is, every byte but those of words that are zero.

use std::path::Path;
use std::sync::Arc;

use zelo_host::{Host, HostConfig, package};
use zelo_runtime::{Catalog, Installed};

/// What a plugin does with what it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Ends well, with its memory as output and its input as summary.
    Dumps,
    /// Fails for good, and its memory is the reason.
    Fails,
    /// Says that something is missing, and its memory is the reason.
    Misses,
    /// Asks to be tried again, and its memory is the reason.
    Retries,
    /// Breaks off.
    Traps,
    /// Writes its input to somebody whom it may not write to.
    Sends,
    /// Sends its input to where it may not.
    Requests,
    /// Reads a record that it may read in part, and one that it may not read.
    Reads,
}

pub(crate) const KINDS: [Kind; 8] =
    [Kind::Dumps, Kind::Fails, Kind::Misses, Kind::Retries, Kind::Traps, Kind::Sends, Kind::Requests, Kind::Reads];

/// Whom it writes to, in vain.
pub(crate) const STRANGER: &str = "+5511900000000";
/// The record that it may read in part.
pub(crate) const CONTACT: (&str, &str) = ("contact", "c1");
/// The record that it may not read.
pub(crate) const PERSON: (&str, &str) = ("person", "p1");
/// The names that inputs may have.
pub(crate) const INPUTS: [&str; 5] = ["a", "b", "c", "d", "e"];

const LOG: &str = r#"(import "zelo:automation/log@0.1.0" "write" (func $log (param i32 i32 i32)))"#;
const MESSAGES: &str = r#"(import "zelo:automation/messages@0.1.0" "send"
    (func $send (param i32 i32 i32  i32 i32  i32 i32 i32 i32 i32  i32 i32  i32 i32  i32)))"#;
const HTTP: &str = r#"(import "zelo:automation/http@0.1.0" "send"
    (func $http (param i32  i32 i32  i32 i32  i32 i32 i32  i32)))"#;
const RECORDS: &str = r#"(import "zelo:automation/records@0.1.0" "get" (func $record (param i32 i32 i32 i32 i32)))"#;

/// The input, as address and length.
const INPUT: &str = "(i32.load offset=72 (local.get $call)) (i32.load offset=76 (local.get $call))";

impl Kind {
    /// What rules call it.
    pub(crate) fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// What it imports beside the log, and what its manifest calls that.
    fn imports(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Sends => Some((MESSAGES, "messages")),
            Self::Requests => Some((HTTP, "http")),
            Self::Reads => Some((RECORDS, "records")),
            _ => None,
        }
    }

    /// The body of its `run`, after it has logged its input.
    fn body(self) -> String {
        // A failure: its case, and the memory without its quotes as its reason.
        let failure = |case: u8| {
            format!(
                "(call $dump)
                (i32.store8 (i32.const 5000) (i32.const 1)) (i32.store8 (i32.const 5008) (i32.const {case}))
                (i32.store (i32.const 5016) (i32.add (global.get $at) (i32.const 1)))
                (i32.store (i32.const 5020) (i32.sub (global.get $size) (i32.const 2)))
                (i32.const 5000)"
            )
        };
        let effect = match self {
            Self::Retries => return failure(0),
            Self::Fails => return failure(1),
            Self::Misses => return failure(2),
            Self::Traps => return "(unreachable)".to_owned(),
            Self::Dumps => String::new(),
            Self::Sends => format!(
                "(call $send (i32.const 0) (i32.const 0) (i32.const 0)  (i32.const 100) (i32.const {})
                    (i32.const 0) {INPUT} (i32.const 0) (i32.const 0)
                    (i32.const 0) (i32.const 0)  (i32.const 0) (i32.const 0)  (i32.const 4096))",
                STRANGER.len()
            ),
            Self::Requests => format!(
                "(call $http (i32.const 2) (i32.const 200) (i32.const {}) (i32.const 0) (i32.const 0)
                    (i32.const 1) {INPUT} (i32.const 4096))",
                ELSEWHERE.len()
            ),
            Self::Reads => [(300, 320, CONTACT, 4096), (340, 360, PERSON, 4160)]
                .map(|(kind, id, (record, of), answer)| {
                    let (record, of) = (record.len(), of.len());
                    format!("(call $record (i32.const {kind}) (i32.const {record}) (i32.const {id}) (i32.const {of}) (i32.const {answer}))")
                })
                .concat(),
        };
        format!(
            "{effect} (call $dump)
            ;; result<outcome, failure>: ok, a code, a summary, an output.
            (i32.store (i32.const 5008) (i32.const 48)) (i32.store (i32.const 5012) (i32.const 4))
            (i32.store (i32.const 5016) (i32.load offset=72 (local.get $call)))
            (i32.store (i32.const 5020) (i32.load offset=76 (local.get $call)))
            (i32.store8 (i32.const 5024) (i32.const 1))
            (i32.store (i32.const 5028) (global.get $at)) (i32.store (i32.const 5032) (global.get $size))
            (i32.const 5000)"
        )
    }

    fn module(self) -> String {
        format!(
            r#"(module
            {LOG} {}
            (memory (export "memory") 1)
            (global $free (mut i32) (i32.const 32768))
            (global $at (mut i32) (i32.const 0))
            (global $size (mut i32) (i32.const 0))
            (data (i32.const 16) "0123456789abcdef")
            (data (i32.const 48) "done")
            (data (i32.const 100) "{STRANGER}")
            (data (i32.const 200) "{ELSEWHERE}")
            (data (i32.const 300) "{}") (data (i32.const 320) "{}")
            (data (i32.const 340) "{}") (data (i32.const 360) "{}")
            (func (export "cabi_realloc") (param $old i32) (param $was i32) (param $align i32) (param $size i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
                (global.set $free (i32.add (local.get $at) (local.get $size)))
                (if (i32.gt_u (global.get $free) (i32.mul (memory.size) (i32.const 65536)))
                    (then (drop (memory.grow (i32.add (i32.div_u (local.get $size) (i32.const 65536)) (i32.const 1))))))
                (local.get $at))
            (func $put (param $to i32) (param $digit i32)
                (i32.store8 (local.get $to) (i32.load8_u offset=16 (local.get $digit))))
            (func $word (param $from i32) (param $to i32) (result i32) (local $end i32)
                (local.set $end (i32.add (local.get $from) (i32.const 8)))
                (loop $next
                    (call $put (local.get $to) (i32.shr_u (i32.load8_u (local.get $from)) (i32.const 4)))
                    (call $put (i32.add (local.get $to) (i32.const 1)) (i32.and (i32.load8_u (local.get $from)) (i32.const 15)))
                    (local.set $to (i32.add (local.get $to) (i32.const 2)))
                    (local.set $from (i32.add (local.get $from) (i32.const 1)))
                    (br_if $next (i32.lt_u (local.get $from) (local.get $end))))
                (local.get $to))
            (func $dump (local $end i32) (local $from i32) (local $to i32)
                (local.set $end (i32.mul (memory.size) (i32.const 65536)))
                (drop (memory.grow (i32.add (i32.mul (memory.size) (i32.const 2)) (i32.const 1))))
                (i32.store8 (local.get $end) (i32.const 34))
                (local.set $to (i32.add (local.get $end) (i32.const 1)))
                (loop $next
                    (if (i64.ne (i64.load (local.get $from)) (i64.const 0))
                        (then (local.set $to (call $word (local.get $from) (local.get $to)))))
                    (local.set $from (i32.add (local.get $from) (i32.const 8)))
                    (br_if $next (i32.lt_u (local.get $from) (local.get $end))))
                (i32.store8 (local.get $to) (i32.const 34))
                (global.set $at (local.get $end))
                (global.set $size (i32.sub (i32.add (local.get $to) (i32.const 1)) (local.get $end))))
            (func (export "run") (param $call i32) (result i32)
                (call $log (i32.const 1) {INPUT})
                {}))"#,
            self.imports().map_or("", |(import, _)| import),
            CONTACT.0,
            CONTACT.1,
            PERSON.0,
            PERSON.1,
            self.body()
        )
    }

    fn manifest(self) -> String {
        let inputs = INPUTS.map(|name| format!("{name} = {{}}")).join(", ");
        let wants = self.imports().map(|(_, word)| format!("{{ capability = \"{word}\", reason = {{ en = \"for tests\" }} }}"));
        format!(
            "name = \"{}\"\nversion = \"1.0.0\"\ntitle = {{ en = \"A plugin that tells\" }}\n\
             inputs = {{ type = \"object\", properties = {{ {inputs} }} }}\nwants = [{}]\n",
            self.name(),
            wants.unwrap_or_default()
        )
    }
}

/// Where it sends requests to, in vain.
const ELSEWHERE: &str = "https://elsewhere.example/v1/";

/// All of them, as they would be installed.
pub(crate) fn installed() -> (Arc<Host>, Arc<Catalog>) {
    let host = Arc::new(Host::new(HostConfig { instances: 4, ..HostConfig::default() }).unwrap());
    let folder = tempfile::tempdir().unwrap();
    for kind in KINDS {
        write(folder.path(), kind);
    }
    let catalog = Catalog::load(&host, &Installed::in_folder(folder.path())).unwrap();
    (host, Arc::new(catalog))
}

fn write(folder: &Path, kind: Kind) {
    let module = wat::parse_str(kind.module()).unwrap();
    let component = package::pack(&module, &kind.manifest()).unwrap();
    std::fs::write(folder.join(kind.name()).with_extension("wasm"), component).unwrap();
}

/// The memory that a plugin wrote down.
pub(crate) fn memory(dump: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(dump.trim_matches('"').as_bytes()).unwrap()
}
