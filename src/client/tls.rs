//! TLS as a client speaks it: which certificates it takes, and in words why it did not take one.
//! The words name the options of the commands, as people who type those read them.

use std::io;
use std::str::FromStr;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

/// Which certificates are taken.
#[derive(Clone, Debug)]
pub(crate) enum Trust {
    /// Those for the server's name that lead to a public authority.
    Public,
    /// Those for the server's name that lead to one of these.
    Authorities(Authorities),
    /// The one with this hash; its name and its dates may be any.
    Pinned(Fingerprint),
    /// All, so that whoever is in between may read along: for loads, whose server is one's own.
    Any,
}

impl Trust {
    /// TLS of a client that speaks this protocol (ALPN). Each handshake is a whole one.
    pub(crate) fn config(&self, protocol: &[u8]) -> ClientConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("ring has suites of every version");
        let by_hash = |pinned| Arc::new(ByHash { pinned, provider });
        let builder = match self {
            Self::Public => builder.with_root_certificates(RootCertStore {
                roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            }),
            Self::Authorities(Authorities(roots)) => builder.with_root_certificates(roots.clone()),
            Self::Pinned(hash) => {
                builder.dangerous().with_custom_certificate_verifier(by_hash(Some(*hash)))
            }
            Self::Any => builder.dangerous().with_custom_certificate_verifier(by_hash(None)),
        };
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        config.resumption = Resumption::disabled();
        config
    }
}

/// Certificates of those who sign others, or themselves; at least one.
#[derive(Clone, Debug)]
pub(crate) struct Authorities(Arc<RootCertStore>);

/// Why text has no certificates to trust.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthoritiesError {
    #[error("no certificate in PEM")]
    Empty,
    #[error("not PEM: {0}")]
    Pem(pem::Error),
    #[error("not a certificate: {0}")]
    Certificate(Error),
}

impl Authorities {
    pub(crate) fn from_pem(text: &[u8]) -> Result<Self, AuthoritiesError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(text) {
            let certificate = certificate.map_err(AuthoritiesError::Pem)?;
            roots.add(certificate).map_err(AuthoritiesError::Certificate)?;
        }
        if roots.is_empty() { Err(AuthoritiesError::Empty) } else { Ok(Self(Arc::new(roots))) }
    }
}

/// The SHA-256 of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

impl FromStr for Fingerprint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "64 hexadecimal digits, as `nearcast cert dev` prints them";
        let mut bytes = [0; 32];
        if text.len() != 2 * bytes.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong);
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = str::from_utf8(digits).map_err(|_not_ascii| wrong)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_no_number| wrong)?;
        }
        Ok(Self(bytes))
    }
}

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeFault {
    #[error("the server's certificate has expired")]
    Expired,
    #[error("the server's certificate is not valid yet")]
    Early,
    #[error("the server's certificate is not for {0}")]
    Name(String),
    #[error(
        "the server's certificate leads to nobody who is trusted; --ca FILE trusts others, \
         --certificate-sha256 HEX takes this certificate alone"
    )]
    Stranger,
    #[error("the server's certificate does not have the SHA-256 of --certificate-sha256")]
    Hash,
    #[error(
        "the server's certificate is not accepted: {0}; --certificate-sha256 HEX takes it as it is"
    )]
    Unfit(CertificateError),
    #[error("the server does not speak TLS there")]
    Plain,
    #[error("the server ended the connection in the TLS handshake; it may not speak TLS there")]
    Cut,
    #[error("TLS: {0}")]
    Other(io::Error),
}

impl HandshakeFault {
    /// From what a connector's `connect` said.
    pub(crate) fn new(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(Error::InvalidCertificate(fault)) => Self::certificate(fault),
            // A record of TLS was expected, and something else came.
            Some(Error::InvalidMessage(_)) => Self::Plain,
            Some(_) => Self::Other(error),
            None => match error.kind() {
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::BrokenPipe => Self::Cut,
                _ => Self::Other(error),
            },
        }
    }

    fn certificate(fault: &CertificateError) -> Self {
        match fault {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::Early
            }
            CertificateError::NotValidForNameContext { expected, .. } => {
                Self::Name(expected.to_str().into_owned())
            }
            // Another who has the name of one that is trusted: a development certificate that was
            // made again, for one.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::Stranger,
            CertificateError::ApplicationVerificationFailure => Self::Hash,
            fault => Self::Unfit(fault.clone()),
        }
    }
}

/// Takes the certificate with this hash, or each.
#[derive(Debug)]
struct ByHash {
    pinned: Option<Fingerprint>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ByHash {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.pinned {
            Some(Fingerprint(hash)) if digest(&SHA256, certificate).as_ref() != hash => {
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
