//! A place in a stream as it is written on the command line: `OFFSET:EPOCH`.

use std::fmt;
use std::str::FromStr;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) offset: u64,
    pub(super) epoch: String,
}

impl FromStr for Position {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (offset, epoch) = text.split_once(':').ok_or("a position is OFFSET:EPOCH")?;
        let offset = offset.parse().map_err(|_fault| "an offset is a number from 0")?;
        Ok(Self { offset, epoch: epoch.to_owned() })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.offset, self.epoch)
    }
}
