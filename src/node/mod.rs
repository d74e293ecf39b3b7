//! node
mod mailbox;
