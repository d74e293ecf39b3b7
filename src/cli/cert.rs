//! `nearcast cert`: makes certificates.

use std::fs::{OpenOptions, create_dir_all, remove_file};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use serde_json::json;

use super::{Outcome, complain, print};
use crate::base::UnixMillis;
use crate::clock::Clock;
use crate::server::{Development, development};

#[cfg(test)]
mod tests;

/// What `nearcast cert` does.
#[derive(Debug, Subcommand)]
pub(super) enum CertCommand {
    /// Make a certificate for development, which signs itself and is valid for 13 days; browsers
    /// take it for WebTransport by its hash (serverCertificateHashes)
    Dev(DevArgs),
}

#[derive(Clone, Debug, Args)]
pub(super) struct DevArgs {
    /// Folder for cert.pem and key.pem; made where there is none
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// A host or IP address that the certificate is for; may be given several times
    #[arg(long = "name", value_name = "NAME", value_parser = name,
          default_values = ["localhost", "127.0.0.1", "::1"])]
    names: Vec<String>,
    /// Write over files that are there
    #[arg(long)]
    force: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &CertCommand) -> Outcome {
    let CertCommand::Dev(arguments) = command;
    let made = match development(&arguments.names, Clock::new().now().unix) {
        Ok(made) => made,
        Err(fault) => {
            complain(&format_args!("--name: {fault}"));
            return Outcome::Misused;
        }
    };
    match write(arguments, &made) {
        Ok(text) => {
            print(&text);
            Outcome::Done
        }
        Err(fault) => {
            complain(&fault);
            Outcome::Failed
        }
    }
}

/// A name as certificates have it: an IP address, or a host (RFC 1123 section 2.1) whose first label
/// may be `*` (RFC 6125 section 6.4.3).
fn name(text: &str) -> Result<String, &'static str> {
    if text.parse::<IpAddr>().is_ok() {
        return Ok(text.to_owned());
    }
    if !text.is_ascii() {
        return Err("letters beyond ASCII are written in Punycode, as in xn--bcher-kva.example");
    }
    if text.contains("://") || text.contains('/') {
        return Err("a host alone, without scheme and path");
    }
    if text.contains(':') {
        return Err("a host alone, without port; an IPv6 address without brackets");
    }
    let host = text.strip_prefix("*.").unwrap_or(text);
    if host.contains('*') {
        return Err("\"*\" stands for the whole first label, as in *.example.com");
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(plain);
    if text.len() > 253 || !host.split('.').all(is_label) {
        return Err("an IP address, or letters, digits and \"-\" with dots between");
    }
    Ok(text.to_owned())
}

/// Writes both files: what to print.
fn write(arguments: &DevArgs, made: &Development) -> Result<String, String> {
    let out = &arguments.out;
    create_dir_all(out).map_err(|fault| match out.exists() {
        true => format!("--out {}: not a folder", out.display()),
        false => format!("--out {}: {fault}", out.display()),
    })?;
    let certificate = arguments.out.join("cert.pem");
    let key = arguments.out.join("key.pem");
    for path in [&certificate, &key] {
        // A link that leads nowhere is there, too.
        if path.symlink_metadata().is_err() {
            continue;
        }
        if !arguments.force {
            return Err(format!("{}: is there already; --force writes over it", path.display()));
        }
        remove_file(path).map_err(|fault| format!("{}: {fault}", path.display()))?;
    }
    for (path, text, mode) in [(&key, &made.key, 0o600), (&certificate, &made.certificate, 0o644)] {
        put(path, text, mode).map_err(|fault| format!("{}: {fault}", path.display()))?;
    }
    Ok(told(arguments, &certificate, &key, made))
}

/// Makes the file, so that neither another's rights nor a link decide where a key goes.
fn put(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())
}

fn told(arguments: &DevArgs, certificate: &Path, key: &Path, made: &Development) -> String {
    let (hex, base64) = (made.pair.sha256_hex(), STANDARD.encode(made.pair.sha256()));
    let UnixMillis(ends) = made.pair.ends();
    if arguments.json {
        let object = json!({
            "certificate": certificate,
            "key": key,
            "names": arguments.names,
            "not_after": ends / 1000,
            "sha256_hex": hex,
            "sha256_base64": base64,
        });
        return object.to_string();
    }
    format!(
        "certificate    {}\nkey            {}\nnames          {}\nvalid for      13 days\n\
         sha256 hex     {hex}\nsha256 base64  {base64}\n",
        certificate.display(),
        key.display(),
        arguments.names.join(", "),
    )
}
