//! What is wrong with a configuration, in words an operator can act on. A value of a secret option
//! is never part of them.

use std::fmt;

use crate::base::limits;

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Default,
    File,
    /// The name of the variable.
    Environment(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File => f.write_str("file"),
            Self::Environment(name) => f.write_str(name),
        }
    }
}

/// One thing that keeps a configuration from being used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The key as it was written, or the file's name where the file as a whole is at fault.
    pub(crate) key: String,
    /// The value as it was written, shortened; `None` where it is secret or says nothing.
    pub(crate) value: Option<String>,
    pub(crate) source: Source,
    /// What is wrong and what is accepted.
    pub(crate) message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if let Some(value) = &self.value {
            write!(f, " = {value}")?;
        }
        write!(f, " ({}): {}", self.source, self.message)
    }
}

/// Everything that is wrong at once, sorted by key; at most [`limits::CONFIG_FAULTS`] of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) struct Faults {
    pub(crate) faults: Vec<Fault>,
    /// Faults beyond the limit, counted only.
    pub(crate) more: usize,
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{fault}")?;
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

/// Something that works and is probably not what was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Warning {
    pub(crate) key: String,
    pub(crate) message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}

/// Collects faults and warnings while a configuration is read.
#[derive(Debug, Default)]
pub(crate) struct Report {
    faults: Vec<Fault>,
    more: usize,
    warnings: Vec<Warning>,
}

impl Report {
    pub(crate) fn fault(&mut self, fault: Fault) {
        if self.full() {
            self.more += 1;
        } else {
            self.faults.push(fault);
        }
    }

    pub(crate) fn warn(&mut self, key: impl Into<String>, message: impl Into<String>) {
        if self.warnings.len() < limits::CONFIG_FAULTS {
            self.warnings.push(Warning { key: key.into(), message: message.into() });
        }
    }

    /// Whether further faults are counted only, so that their words need not be found.
    pub(crate) fn full(&self) -> bool {
        self.faults.len() >= limits::CONFIG_FAULTS
    }

    /// Whether a fault was found at this key, so that nothing more can be said of its value.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.faults.iter().any(|fault| fault.key == key)
    }

    /// The warnings, or the faults if there is one.
    pub(crate) fn finish(mut self) -> Result<Vec<Warning>, Faults> {
        self.warnings.sort_by_cached_key(|warning| sort_key(&warning.key));
        if self.faults.is_empty() {
            return Ok(self.warnings);
        }
        self.faults.sort_by_cached_key(|fault| sort_key(&fault.key));
        Err(Faults { faults: self.faults, more: self.more })
    }
}

/// Orders `namespaces[2]` before `namespaces[10]`.
fn sort_key(key: &str) -> String {
    let split = |key: &str| {
        let (head, tail) = key.split_once('[')?;
        let (index, tail) = tail.split_once(']')?;
        Some(format!("{head}[{index:0>8}]{tail}"))
    };
    split(key).unwrap_or_else(|| key.to_owned())
}
