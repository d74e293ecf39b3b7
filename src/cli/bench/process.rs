//! What the operating system says of the server's process.

use std::time::Duration;

use super::BenchError;

/// CPU time so far and memory at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    /// User and system time of all threads.
    pub(super) cpu: Duration,
    pub(super) rss_bytes: u64,
}

/// Usage of the server, where its process is known, and of this program.
pub(super) type Usages = (Option<Usage>, Usage);

pub(super) fn usages(server: Option<u32>) -> Result<Usages, BenchError> {
    Ok((server.map(usage).transpose()?, usage(std::process::id())?))
}

/// Reads `/proc/<pid>`.
pub(super) fn usage(pid: u32) -> Result<Usage, BenchError> {
    let read = |name: &str| {
        std::fs::read_to_string(format!("/proc/{pid}/{name}"))
            .map_err(|source| BenchError::Process { pid, source })
    };
    let unknown = |what| BenchError::Process {
        pid,
        source: std::io::Error::new(std::io::ErrorKind::InvalidData, what),
    };
    Ok(Usage {
        cpu: cpu(&read("stat")?).ok_or_else(|| unknown("no CPU time in stat"))?,
        rss_bytes: rss_bytes(&read("status")?).ok_or_else(|| unknown("no VmRSS in status"))?,
    })
}

/// The 14th and 15th field. The second is the program's name in parentheses, which may itself hold
/// spaces and parentheses.
fn cpu(stat: &str) -> Option<Duration> {
    let (_name, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * TICK_MS))
}

fn rss_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// Linux shows CPU times in hundredths of a second on every architecture (`USER_HZ`).
const TICK_MS: u64 = 10;

#[cfg(test)]
mod tests;
