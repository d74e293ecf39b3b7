//! A certificate chain with its key.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::Error;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tracing::info;
use x509_cert::Certificate;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{DateTime, Decode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::fault::{Part, TlsError, TlsFault};
use super::provider;
use crate::base::{UnixMillis, limits};
use crate::server::TlsFiles;

/// A certificate chain and the key of its first certificate.
#[derive(Debug)]
pub(crate) struct Pair {
    certified: Arc<CertifiedKey>,
    /// Clients accept the certificate from here…
    starts: UnixMillis,
    /// …to here.
    ends: UnixMillis,
    /// Hosts and IP addresses, at most [`limits::CERTIFICATE_NAMES`].
    names: Vec<String>,
    is_p256: bool,
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
                _ => (Part::Key, TlsFault::KeyKind),
            })?;
        Ok(Self {
            certified: Arc::new(certified),
            starts: millis(validity.not_before),
            ends: millis(validity.not_after),
            names: names(&certificate),
            is_p256: is_p256(&certificate),
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

    /// The same in hexadecimal.
    pub(crate) fn sha256_hex(&self) -> String {
        self.sha256().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether every browser takes it by that hash: a key on P-256, and two weeks at most.
    /// <https://www.w3.org/TR/webtransport/#custom-certificate-requirements>
    pub(in crate::server) fn is_taken_by_hash(&self) -> bool {
        self.is_p256
            && Duration::from_millis(self.ends.0.saturating_sub(self.starts.0)) <= FORTNIGHT
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

    /// The pair, unless it has expired.
    pub(super) fn unexpired(self, files: &TlsFiles, now: UnixMillis) -> Result<Self, TlsError> {
        if self.has_expired(now) {
            return Err(Part::Certificate.error(files, TlsFault::Expired));
        }
        Ok(self)
    }

    /// Tells the log which certificate it is that clients see from here on.
    pub(super) fn announce(&self, certificate: &str, event: &'static str) {
        let (names, not_after, sha256) = (self.names.join(" "), date(self.ends), self.sha256_hex());
        info!(certificate, names, not_after, sha256, "{event}");
    }
}

/// The browsers' limit.
const FORTNIGHT: Duration = Duration::from_secs(14 * 24 * 3600);

/// A moment of a certificate as RFC 3339 writes it.
pub(super) fn date(time: UnixMillis) -> String {
    let date = DateTime::from_unix_duration(Duration::from_millis(time.0));
    date.expect("certificates know no year after 9999").to_string()
}

fn millis(time: x509_cert::time::Time) -> UnixMillis {
    UnixMillis(u64::try_from(time.to_unix_duration().as_millis()).unwrap_or(u64::MAX))
}

/// Whom the certificate is for. One that cannot be read is for nobody: clients look for themselves.
fn names(certificate: &Certificate) -> Vec<String> {
    let found = certificate.tbs_certificate().get_extension::<SubjectAltName>();
    let Ok(Some((_, SubjectAltName(names)))) = found else { return Vec::new() };
    names.iter().filter_map(name).take(limits::CERTIFICATE_NAMES).collect()
}

fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(host) => Some(host.to_string()),
        GeneralName::IpAddress(address) => {
            let bytes = address.as_bytes();
            let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
                .ok()
                .map(|ip| ip.to_string())
        }
        _ => None,
    }
}

/// Whether the key is one of ECDSA on P-256 (RFC 5480 section 2.1.1).
fn is_p256(certificate: &Certificate) -> bool {
    const ELLIPTIC_CURVE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
    const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
    let kind = &certificate.tbs_certificate().subject_public_key_info().algorithm;
    let curve = kind.parameters.as_ref().and_then(|curve| curve.decode_as().ok());
    kind.oid == ELLIPTIC_CURVE && curve == Some(P256)
}
