//! Certificate and key as files, which somebody else writes: looked at every few seconds.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use ring::digest::{Context, SHA256};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::Certificates;
use super::expiry::is_near;
use super::fault::{Part, TlsError, TlsFault};
use super::pair::{Pair, date};
use crate::base::{UnixMillis, limits};
use crate::server::TlsFiles;

/// Tells one state of the files from another.
pub(super) type Digest = [u8; 32];

/// What is in the two files.
pub(super) struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Contents {
    pub(super) fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self { certificate: read(files, Part::Certificate)?, key: read(files, Part::Key)? })
    }

    pub(super) fn digest(&self) -> Digest {
        digest([self.certificate.as_slice(), &self.key])
    }

    pub(super) fn parse(&self, files: &TlsFiles) -> Result<Pair, TlsError> {
        let pair = || {
            let chain: Result<Vec<_>, _> =
                CertificateDer::pem_slice_iter(&self.certificate).collect();
            let chain = chain.map_err(|error| (Part::Certificate, error.into()))?;
            if chain.is_empty() {
                return Err(self.missing(Part::Certificate));
            }
            let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| match error {
                _ if is_encrypted(&self.key) => (Part::Key, TlsFault::Encrypted),
                pem::Error::NoItemsFound => self.missing(Part::Key),
                error => (Part::Key, error.into()),
            })?;
            Pair::new(chain, key)
        };
        pair().map_err(|(part, fault)| part.error(files, fault))
    }

    /// Why there is nothing of what a file is for.
    fn missing(&self, part: Part) -> (Part, TlsFault) {
        let is_key =
            |text: &[u8]| PrivateKeyDer::from_pem_slice(text).is_ok() || is_encrypted(text);
        let (other, is_there) = match part {
            Part::Certificate => (Part::Key, is_key(&self.certificate)),
            Part::Key => (Part::Certificate, CertificateDer::from_pem_slice(&self.key).is_ok()),
        };
        if !is_there {
            return part.empty();
        }
        (part, TlsFault::Swapped { wanted: part.name(), found: other.name() })
    }
}

/// Everything that is wrong with the files, or will be within a week, before anybody uses them.
pub(crate) fn examine(files: &TlsFiles, now: UnixMillis) -> Vec<TlsError> {
    let contents = match (read(files, Part::Certificate), read(files, Part::Key)) {
        (Ok(certificate), Ok(key)) => Contents { certificate, key },
        (certificate, key) => return certificate.err().into_iter().chain(key.err()).collect(),
    };
    let dated = |pair: Pair| {
        let fault = match pair {
            pair if pair.has_expired(now) => TlsFault::Expired,
            pair if pair.is_early(now) => TlsFault::Early,
            pair if is_near(pair.ends(), now) => TlsFault::NearEnd(date(pair.ends())),
            _ => return Ok(()),
        };
        Err(Part::Certificate.error(files, fault))
    };
    contents.parse(files).and_then(dated).err().into_iter().collect()
}

/// The key is a secret and stays out of logs.
impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents").finish_non_exhaustive()
    }
}

/// Whether a key in PEM has a passphrase, in the way of PKCS #8 or in that of OpenSSL before it.
fn is_encrypted(text: &[u8]) -> bool {
    let marks: [&[u8]; 2] = [b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED"];
    marks.iter().any(|mark| memchr::memmem::find(text, mark).is_some())
}

fn read(files: &TlsFiles, part: Part) -> Result<Vec<u8>, TlsError> {
    read_pem(part.path(files)).map_err(|fault| part.error(files, fault))
}

/// The text of a file of certificates or a key.
pub(crate) fn read_pem(path: &Path) -> Result<Vec<u8>, TlsFault> {
    // One byte more than is accepted tells a file at the limit from one past it.
    let limit = u64::try_from(limits::TLS_FILE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(TlsFault::Unreadable)?;
    if bytes.len() > limits::TLS_FILE_BYTES {
        return Err(TlsFault::TooLarge(limits::TLS_FILE_BYTES));
    }
    Ok(bytes)
}

/// Lengths go in as well: a byte that moves from one to the other is another state.
fn digest<const N: usize>(parts: [&[u8]; N]) -> Digest {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&part.len().to_be_bytes());
        context.update(part);
    }
    context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Takes up what changes in the files, until `stop`.
pub(in crate::server) async fn follow(certificates: Arc<Certificates>, stop: CancellationToken) {
    let mut changes = Changes::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(limits::CERTIFICATE_LOOK) => {}
        }
        let certificates = certificates.clone();
        // Files may be far away, and to parse a key takes a while.
        let looked = spawn_blocking(move || {
            changes.look(&certificates);
            changes
        });
        let Ok(after) = looked.await else { return };
        changes = after;
    }
}

/// What was found in the files that is not in use, and how often in a row.
#[derive(Debug, Default)]
pub(super) struct Changes {
    found: Option<(Digest, u32)>,
}

impl Changes {
    /// Certificate and key are written one after the other, and perhaps in pieces: what is found is
    /// taken, or told to be wrong, once it was the same at two looks in a row.
    pub(super) fn look(&mut self, certificates: &Certificates) {
        certificates.tell_expiry();
        let Some(files) = &certificates.files else { return };
        let contents = Contents::read(files);
        let digest = match &contents {
            Ok(contents) => contents.digest(),
            Err(error) => digest([error.to_string().as_bytes()]),
        };
        if digest == certificates.digest() {
            self.found = None;
            return;
        }
        let before = self.found.filter(|(last, _)| *last == digest);
        let looks = before.map_or(1, |(_, looks)| looks.saturating_add(1));
        self.found = Some((digest, looks));
        if looks != LOOKS {
            return;
        }
        if let Err(fault) = certificates.take(files, contents) {
            error!(%fault, "the certificate was not reloaded");
        }
    }
}

const LOOKS: u32 = 2;
