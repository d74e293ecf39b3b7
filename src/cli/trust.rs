//! Which certificate of a server a command takes.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PathBufValueParser, TypedValueParser};

use crate::client::{Authorities, AuthoritiesError, Fingerprint, Trust};
use crate::server::{TlsFault, read_pem};

#[derive(Clone, Debug, Args)]
pub(super) struct TrustArgs {
    /// With TLS, trust the certificates in this file (PEM) and what they signed, instead of the
    /// public authorities
    #[arg(long, value_name = "FILE", env = "NEARCAST_CA", conflicts_with = "certificate_sha256",
          value_parser = PathBufValueParser::new().try_map(read))]
    ca: Option<Authorities>,
    /// With TLS, take only the certificate that has this SHA-256, in hexadecimal; neither its name
    /// nor its dates are looked at
    #[arg(long, value_name = "HEX", env = "NEARCAST_CERTIFICATE_SHA256")]
    certificate_sha256: Option<Fingerprint>,
}

impl TrustArgs {
    pub(super) fn trust(&self) -> Trust {
        match (self.certificate_sha256, &self.ca) {
            (Some(hash), _) => Trust::Pinned(hash),
            (None, Some(authorities)) => Trust::Authorities(authorities.clone()),
            (None, None) => Trust::Public,
        }
    }
}

fn read(path: PathBuf) -> Result<Authorities, String> {
    let text = read_pem(&path).map_err(|fault| fault.to_string())?;
    Authorities::from_pem(&text).map_err(|fault| match fault {
        AuthoritiesError::Pem(fault) => TlsFault::from(fault).to_string(),
        fault => fault.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser;

    use super::*;
    use crate::base::{UnixMillis, limits};
    use crate::server::development;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        arguments: TrustArgs,
    }

    fn typed(words: &[&str]) -> Result<Trust, String> {
        let cli = Cli::try_parse_from([&["sub"], words].concat());
        Ok(cli.map_err(|fault| fault.to_string())?.arguments.trust())
    }

    /// What is said of a file with these contents.
    fn check(folder: &Path, contents: &[u8], said: &str) {
        let path = folder.join("ca.pem");
        std::fs::write(&path, contents).unwrap();
        let refused = typed(&["--ca", path.to_str().unwrap()]).unwrap_err();
        assert!(refused.contains("for '--ca <FILE>': ") && refused.contains(said), "{refused}");
    }

    #[test]
    fn trusts_public_authorities_unless_told_otherwise() {
        assert!(matches!(typed(&[]), Ok(Trust::Public)));
        let hash = "0aB1".repeat(16);
        let trust = typed(&["--certificate-sha256", &hash]).unwrap();
        assert!(matches!(trust, Trust::Pinned(pinned) if Ok(pinned) == hash.parse()));
    }

    #[test]
    fn reads_the_certificates_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let made = development(&["localhost".to_owned()], UnixMillis(1 << 40)).unwrap();
        let text = format!("first\n{0}\nsecond\n{0}", made.certificate);
        let fill = limits::TLS_FILE_BYTES - text.len();
        std::fs::write(&path, format!("{text}{}", "\n".repeat(fill))).unwrap();
        let path = path.to_str().unwrap();
        assert!(matches!(typed(&["--ca", path]), Ok(Trust::Authorities(_))));
        let both = typed(&["--ca", path, "--certificate-sha256", &"0".repeat(64)]).unwrap_err();
        assert!(both.contains("'--ca <FILE>' cannot be used with '--certificate-sha256"), "{both}");
        check(folder.path(), format!("{text}{}", "\n".repeat(fill + 1)).as_bytes(), "larger than");
        check(folder.path(), made.key.as_bytes(), "no certificate in PEM");
    }

    #[test]
    fn refuses_what_is_no_certificate() {
        let folder = tempfile::tempdir().unwrap();
        check(folder.path(), b"", "no certificate in PEM");
        check(folder.path(), b"-----BEGIN CERTIFICATE-----\nAAAA\n", "cut off");
        let text = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        check(folder.path(), text, "not a certificate");
        let refused = typed(&["--ca", "/nowhere/ca.pem"]).unwrap_err();
        assert!(refused.contains("'/nowhere/ca.pem' for '--ca <FILE>': No such file"), "{refused}");
        for hash in ["", "ab", &"x".repeat(64), &"0".repeat(65)] {
            let refused = typed(&["--certificate-sha256", hash]).unwrap_err();
            assert!(refused.contains("'--certificate-sha256 <HEX>'"), "{refused}");
        }
    }
}
