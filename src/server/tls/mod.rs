//! The certificate that clients are shown, behind every listener that speaks TLS, and swapped while
//! they run. One crypto provider, passed explicitly.

mod development;
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
use tracing::{error, warn};

use crate::base::UnixMillis;
use crate::clock::Clock;
use crate::server::TlsFiles;
use crate::telemetry::Metrics;

pub(crate) use development::{Development, development};
pub(crate) use files::examine;
use pair::Pair;
pub(crate) use pair::{TlsError, TlsFault};

pub(super) use files::follow;
use files::{Contents, Digest};

/// Certificate and key, always of one pair, in use until another takes their place. Connections
/// that are there are left alone; from the swap on new ones see the new certificate.
#[derive(Debug)]
pub(crate) struct Certificates {
    files: TlsFiles,
    shown: watch::Sender<Shown>,
    clock: Clock,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct Shown {
    pair: Pair,
    contents: Digest,
    /// A ticket resumes a session without another look at the certificate, so tickets go with it.
    tickets: Arc<dyn ProducesTickets>,
}

impl Shown {
    fn new(pair: Pair, contents: Digest) -> Self {
        let tickets = Ticketer::new().expect("the operating system has random numbers");
        Self { pair, contents, tickets }
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
        let now = clock.now().unix;
        if pair.has_expired(now) {
            error!(certificate = %files.certificate.display(), "the certificate has expired");
        }
        warn_if_early(&pair, now);
        let shown = watch::Sender::new(Shown::new(pair, contents.digest()));
        let certificates = Self { files, shown, clock, metrics };
        certificates.tell_expiry();
        Ok(Arc::new(certificates))
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
        let contents = Contents::read(&self.files);
        if contents.as_ref().is_ok_and(|contents| contents.digest() == self.digest()) {
            return Ok(());
        }
        self.take(contents)
    }

    fn take(&self, contents: Result<Contents, TlsError>) -> Result<(), TlsError> {
        let now = self.clock.now().unix;
        let taken = contents.and_then(|contents| {
            let pair = contents.parse(&self.files)?.unexpired(&self.files, now)?;
            Ok(Shown::new(pair, contents.digest()))
        });
        self.metrics.certificate_reloaded(if taken.is_ok() { "ok" } else { "failed" });
        let shown = taken?;
        warn_if_early(&shown.pair, now);
        self.shown.send_replace(shown);
        self.tell_expiry();
        Ok(())
    }

    fn digest(&self) -> Digest {
        self.shown.borrow().contents
    }

    fn tell_expiry(&self) {
        let left = self.shown.borrow().pair.seconds_left(self.clock.now().unix);
        self.metrics.certificate_expires(&self.files.certificate.display().to_string(), left);
    }

    fn tickets(&self) -> Arc<dyn ProducesTickets> {
        self.shown.borrow().tickets.clone()
    }
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
