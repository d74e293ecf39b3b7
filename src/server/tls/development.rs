//! A certificate for development, made on the spot.

use std::time::Duration;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;

use super::pair::Pair;
use crate::base::UnixMillis;

/// A certificate that signs itself, as browsers accept it by its hash for WebTransport: ECDSA on
/// P-256, and not valid for longer than two weeks.
#[derive(Debug)]
pub(crate) struct Development {
    pub(crate) pair: Pair,
    /// In PEM.
    pub(crate) certificate: String,
    /// In PEM; a secret.
    pub(crate) key: String,
}

/// Makes a certificate for these names, each a host or an IP address.
pub(crate) fn development(names: &[String], now: UnixMillis) -> Result<Development, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "nearcast development");
    let start = Duration::from_millis(now.0).saturating_sub(CLOCKS_APART);
    params.not_before = date_time_ymd(1970, 1, 1) + Duration::from_secs(start.as_secs());
    params.not_after = params.not_before + LIFETIME;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let made = params.self_signed(&key)?;
    let secret = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let pair = Pair::new(vec![made.der().clone()], secret)
        .map_err(|(_, fault)| fault)
        .expect("what was just made is a certificate with its key");
    Ok(Development { pair, certificate: made.pem(), key: key.serialize_pem() })
}

/// How much the clock of a client may be behind.
const CLOCKS_APART: Duration = Duration::from_secs(3600);
/// Browsers refuse one that is valid for more than two weeks.
const LIFETIME: Duration = Duration::from_secs(13 * 24 * 3600);
