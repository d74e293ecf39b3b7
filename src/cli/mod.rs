//! The commands of the program, one file each. They return what to print; `main` reads the
//! configuration and the clock, prints, and chooses the exit code.

pub(crate) mod config;
pub(crate) mod token;
