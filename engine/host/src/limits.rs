//! How much one run may use.

use std::fmt;
use std::time::Duration;

use crate::manifest::Manifest;

/// How long after its wall time a run is given up that does not end: whatever it hangs in.
pub const HARD_STOP: Duration = Duration::from_secs(10);

/// What one run may use; more ends it as [`End::Limit`](crate::End::Limit).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory, all memories together. Never more than
    /// [`HostConfig::memory_max`](crate::HostConfig::memory_max).
    pub memory: usize,
    /// Elements of all tables together.
    pub table_elements: usize,
    /// Computing, without the time spent waiting for effects. Measured every ten milliseconds.
    pub cpu: Duration,
    /// From beginning to end, without the wait for a free instance.
    pub wall: Duration,
    /// Calls of imported functions, lines of log included.
    pub host_calls: u32,
    /// Bytes that the plugin is given: its input, and the answers to its effects.
    pub bytes_in: usize,
    /// Bytes that the plugin gives: log lines, effects, outcome.
    pub bytes_out: usize,
    /// Lines of log that are kept; further ones are dropped, which ends nothing.
    pub log_lines: u32,
}

impl Default for Limits {
    /// Generous for a plugin that does one thing for one event.
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            table_elements: 20_000,
            cpu: Duration::from_secs(1),
            wall: Duration::from_secs(30),
            host_calls: 1_000,
            bytes_in: 1 << 20,
            bytes_out: 4 << 20,
            log_lines: 200,
        }
    }
}

impl Limits {
    /// These limits, lowered to what the manifest says the plugin needs. A manifest never raises one.
    pub fn lowered_to(mut self, manifest: &Manifest) -> Self {
        let needs = &manifest.limits;
        if let Some(mib) = needs.memory_mib {
            self.memory = self.memory.min((mib as usize) << 20);
        }
        if let Some(ms) = needs.cpu_ms {
            self.cpu = self.cpu.min(Duration::from_millis(ms.into()));
        }
        if let Some(ms) = needs.wall_ms {
            self.wall = self.wall.min(Duration::from_millis(ms.into()));
        }
        self
    }
}

/// Which limit a run went past.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    Memory,
    Tables,
    /// Calls nested too deep.
    Stack,
    Cpu,
    Wall,
    HostCalls,
    BytesIn,
    BytesOut,
    /// It did not end at its wall time, and was given up.
    Deadline,
}

impl Limit {
    /// The word in reasons and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Tables => "tables",
            Self::Stack => "stack",
            Self::Cpu => "cpu",
            Self::Wall => "wall",
            Self::HostCalls => "host_calls",
            Self::BytesIn => "bytes_in",
            Self::BytesOut => "bytes_out",
            Self::Deadline => "deadline",
        }
    }
}

/// Says what was too much, for the people who read the job.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "the plugin asked for more memory than it may have",
            Self::Tables => "the plugin asked for larger tables than it may have",
            Self::Stack => "the plugin's calls were nested too deep",
            Self::Cpu => "the plugin computed for longer than it may",
            Self::Wall => "the run took longer than it may",
            Self::HostCalls => "the plugin called the host more often than it may",
            Self::BytesIn => "the plugin was to be given more data than it may",
            Self::BytesOut => "the plugin gave more data than it may",
            Self::Deadline => "the run did not end when it was told to",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_lowers_and_never_raises() {
        let manifest = |limits: &str| {
            let text =
                format!("name = \"p\"\nversion = \"1.0.0\"\ntitle = {{ en = \"P\" }}\n[inputs]\ntype = \"object\"\n[limits]\n{limits}");
            Manifest::parse(&text).unwrap()
        };
        let limits = Limits::default().lowered_to(&manifest("memory_mib = 8\ncpu_ms = 200"));
        assert_eq!((limits.memory, limits.cpu, limits.wall), (8 << 20, Duration::from_millis(200), Duration::from_secs(30)));
        assert_eq!(Limits::default().lowered_to(&manifest("memory_mib = 4000\nwall_ms = 3600000")), Limits::default());
    }
}
