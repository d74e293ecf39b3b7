//! The certificate that clients are shown, behind every listener that speaks TLS, and swapped while
//! they run. One crypto provider, passed explicitly.

mod development;
mod expiry;
mod fault;
mod files;
mod pair;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{self, Ticketer};
use rustls::server::{ClientHello, NoServerSessionStorage, ProducesTickets, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::sync::watch;
use tracing::warn;

use crate::base::UnixMillis;
use crate::clock::Clock;
use crate::server::TlsFiles;
use crate::telemetry::Metrics;

pub(crate) use development::{Development, development};
use expiry::Expiry;
pub(crate) use fault::{TlsError, TlsFault};
pub(crate) use files::{examine, read_pem};
use pair::Pair;

pub(super) use files::follow;
use files::{Contents, Digest};

/// What tells a certificate for development from files, in metrics and logs.
const DEVELOPMENT: &str = "development";

/// Certificate and key, always of one pair, in use until another takes their place. Connections
/// that are there are left alone; from the swap on new ones see the new certificate.
#[derive(Debug)]
pub(crate) struct Certificates {
    /// `None`: made for development, and never another.
    files: Option<TlsFiles>,
    shown: watch::Sender<Shown>,
    clock: Clock,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct Shown {
    pair: Pair,
    contents: Digest,
    expiry: Expiry,
    /// A ticket resumes a session without another look at the certificate, so tickets go with it.
    tickets: Arc<dyn ProducesTickets>,
}

impl Shown {
    fn new(pair: Pair, contents: Digest, certificate: String, metrics: Arc<Metrics>) -> Self {
        let tickets = Ticketer::new().expect("the operating system has random numbers");
        let expiry = Expiry::new(certificate, &pair, metrics);
        Self { pair, contents, expiry, tickets }
    }
}

impl Certificates {
    /// Reads the files. A certificate that has expired is shown and told of: whoever does not look
    /// at dates is still served.
    pub(super) fn open(
        files: TlsFiles,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Result<Arc<Self>, TlsError> {
        let contents = Contents::read(&files)?;
        let pair = contents.parse(&files)?;
        let name = name(&files);
        pair.announce(&name, "a certificate is in use");
        warn_if_early(&pair, clock.now().unix);
        let shown = Shown::new(pair, contents.digest(), name, metrics.clone());
        Ok(Self::of(Some(files), shown, clock, metrics))
    }

    /// A certificate for this machine, made on the spot.
    pub(super) fn for_development(
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Result<Arc<Self>, rcgen::Error> {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let pair = development(&names, clock.now().unix)?.pair;
        pair.announce(DEVELOPMENT, "made a development certificate for WebTransport");
        let contents = pair.sha256();
        let shown = Shown::new(pair, contents, DEVELOPMENT.to_owned(), metrics.clone());
        Ok(Self::of(None, shown, clock, metrics))
    }

    fn of(files: Option<TlsFiles>, shown: Shown, clock: Clock, metrics: Arc<Metrics>) -> Arc<Self> {
        let certificates = Self { files, shown: watch::Sender::new(shown), clock, metrics };
        certificates.tell_expiry();
        Arc::new(certificates)
    }

    /// The certificate's SHA-256 in hexadecimal, and whether browsers take it by that.
    pub(super) fn hash(&self) -> (String, bool) {
        let pair = &self.shown.borrow().pair;
        (pair.sha256_hex(), pair.is_taken_by_hash())
    }

    /// What a listener needs to speak TLS: these versions, and the protocols that ALPN may choose.
    /// It is good for the life of the listener: certificate and ticket keys are looked up at each
    /// handshake. Nothing is accepted before the handshake's end (0-RTT), as it could be replayed.
    pub(crate) fn server_config(
        self: &Arc<Self>,
        versions: &[&'static SupportedProtocolVersion],
        protocols: &[&[u8]],
    ) -> ServerConfig {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .expect("ring has suites for every version")
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        config.ticketer = self.clone();
        // Tickets are with the clients: nothing is kept here for those who may come back.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config
    }

    /// Reads the files again; a pair that cannot be used leaves the old one in use.
    pub(super) fn reload(&self) -> Result<(), TlsError> {
        let Some(files) = &self.files else { return Ok(()) };
        let contents = Contents::read(files);
        if contents.as_ref().is_ok_and(|contents| contents.digest() == self.digest()) {
            return Ok(());
        }
        self.take(files, contents)
    }

    fn take(&self, files: &TlsFiles, contents: Result<Contents, TlsError>) -> Result<(), TlsError> {
        let now = self.clock.now().unix;
        let taken = contents.and_then(|contents| {
            let pair = contents.parse(files)?.unexpired(files, now)?;
            Ok(Shown::new(pair, contents.digest(), name(files), self.metrics.clone()))
        });
        self.metrics.certificate_reloaded(if taken.is_ok() { "ok" } else { "failed" });
        let shown = taken?;
        shown.pair.announce(&name(files), "another certificate is in use");
        warn_if_early(&shown.pair, now);
        self.shown.send_replace(shown);
        self.tell_expiry();
        Ok(())
    }

    fn digest(&self) -> Digest {
        self.shown.borrow().contents
    }

    fn tell_expiry(&self) {
        self.shown.borrow().expiry.tell(self.clock.now());
    }

    fn tickets(&self) -> Arc<dyn ProducesTickets> {
        self.shown.borrow().tickets.clone()
    }
}

/// In metrics and logs.
fn name(files: &TlsFiles) -> String {
    files.certificate.display().to_string()
}

fn warn_if_early(pair: &Pair, now: UnixMillis) {
    if pair.is_early(now) {
        warn!("the certificate is not valid yet");
    }
}

/// The one crypto provider of the program.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.shown.borrow().pair.certified())
    }
}

impl ProducesTickets for Certificates {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        self.tickets().lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.tickets().encrypt(plain)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.tickets().decrypt(cipher)
    }
}
