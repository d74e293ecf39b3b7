//! A certificate chain with its key, and why there is none.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::Error;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::sign::CertifiedKey;
use x509_cert::Certificate;
use x509_cert::der::Decode;

use super::provider;
use crate::base::UnixMillis;
use crate::server::TlsFiles;

/// Why certificate and key cannot be used: the option whose file is at fault, the file, the fault.
#[derive(Debug, thiserror::Error)]
#[error("{option} {path}: {fault}")]
pub(crate) struct TlsError {
    pub(crate) option: &'static str,
    pub(crate) path: PathBuf,
    #[source]
    pub(crate) fault: TlsFault,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsFault {
    #[error("{0}")]
    Unreadable(io::Error),
    #[error("larger than {0} bytes")]
    TooLarge(usize),
    #[error("no {0} in the file")]
    Empty(&'static str),
    #[error("{0}")]
    Pem(pem::Error),
    #[error("not a certificate: {0}")]
    Certificate(x509_cert::der::Error),
    #[error("not the key of the certificate")]
    Stranger,
    #[error("{0}")]
    Unusable(Error),
    #[error("the certificate has expired")]
    Expired,
    #[error("the certificate is not valid yet")]
    Early,
}

/// Which of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Certificate,
    Key,
}

impl Part {
    pub(super) fn path(self, files: &TlsFiles) -> &PathBuf {
        match self {
            Self::Certificate => &files.certificate,
            Self::Key => &files.key,
        }
    }

    /// The file has nothing of what it is for.
    pub(super) fn empty(self) -> (Self, TlsFault) {
        let what = match self {
            Self::Certificate => "certificate",
            Self::Key => "private key",
        };
        (self, TlsFault::Empty(what))
    }

    pub(super) fn error(self, files: &TlsFiles, fault: TlsFault) -> TlsError {
        let option = match self {
            Self::Certificate => "tls.certificate",
            Self::Key => "tls.key",
        };
        TlsError { option, path: self.path(files).clone(), fault }
    }
}

/// A certificate chain and the key of its first certificate.
#[derive(Debug)]
pub(crate) struct Pair {
    certified: Arc<CertifiedKey>,
    /// Clients accept the certificate from here…
    starts: UnixMillis,
    /// …to here.
    ends: UnixMillis,
}

impl Pair {
    pub(super) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, (Part, TlsFault)> {
        let first = chain.first().ok_or(Part::Certificate.empty())?;
        let certificate = Certificate::from_der(first)
            .map_err(|error| (Part::Certificate, TlsFault::Certificate(error)))?;
        let validity = certificate.tbs_certificate().validity();
        let certified =
            CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
                Error::InconsistentKeys(_) => (Part::Key, TlsFault::Stranger),
                Error::InvalidCertificate(_) => (Part::Certificate, TlsFault::Unusable(error)),
                _ => (Part::Key, TlsFault::Unusable(error)),
            })?;
        Ok(Self {
            certified: Arc::new(certified),
            starts: millis(validity.not_before),
            ends: millis(validity.not_after),
        })
    }

    pub(in crate::server) fn certified(&self) -> Arc<CertifiedKey> {
        self.certified.clone()
    }

    /// SHA-256 of the first certificate's DER, as browsers take it for `serverCertificateHashes`.
    pub(crate) fn sha256(&self) -> [u8; 32] {
        let first = self.certified.cert.first().expect("a pair has a certificate");
        let hash = ring::digest::digest(&ring::digest::SHA256, first);
        hash.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    /// When it expires.
    pub(crate) fn ends(&self) -> UnixMillis {
        self.ends
    }

    pub(super) fn has_expired(&self, now: UnixMillis) -> bool {
        now > self.ends
    }

    /// Whether its time is still to come.
    pub(super) fn is_early(&self, now: UnixMillis) -> bool {
        now < self.starts
    }

    /// Seconds until it expires, negative afterwards.
    pub(super) fn seconds_left(&self, now: UnixMillis) -> i64 {
        let seconds = |time: UnixMillis| i64::try_from(time.seconds()).unwrap_or(i64::MAX);
        seconds(self.ends) - seconds(now)
    }

    /// The pair, unless it has expired.
    pub(super) fn unexpired(self, files: &TlsFiles, now: UnixMillis) -> Result<Self, TlsError> {
        if self.has_expired(now) {
            return Err(Part::Certificate.error(files, TlsFault::Expired));
        }
        Ok(self)
    }
}

fn millis(time: x509_cert::time::Time) -> UnixMillis {
    UnixMillis(u64::try_from(time.to_unix_duration().as_millis()).unwrap_or(u64::MAX))
}
