//! Why input is no place, area or fix.

use std::fmt;

/// A fault of input: where it is, and what is wrong there. It is shown to whoever sent the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GeoError {
    /// Path of the field, such as `near.radius_m` or `geometry.coordinates[0][3]`; empty for the
    /// whole.
    pub(crate) path: String,
    /// Lower case, without period, naming the value and the accepted range.
    pub(crate) fault: String,
}

impl GeoError {
    pub(crate) fn new(path: impl Into<String>, fault: impl fmt::Display) -> Self {
        Self { path: path.into(), fault: fault.to_string() }
    }

    /// The same fault, seen from the object that holds the field `parent`.
    pub(crate) fn within(self, parent: &str) -> Self {
        let path = match self.path.as_str() {
            "" => parent.to_owned(),
            path if path.starts_with('[') => format!("{parent}{path}"),
            path => format!("{parent}.{path}"),
        };
        Self { path, ..self }
    }
}

impl fmt::Display for GeoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.fault),
            path => write!(f, "{path}: {}", self.fault),
        }
    }
}

impl std::error::Error for GeoError {}
