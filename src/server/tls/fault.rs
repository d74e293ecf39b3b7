//! Why certificate and key cannot be used, in words for whoever has to mend it. What is in the key's
//! file is never part of them.

use std::io;
use std::path::PathBuf;

use rustls::Error;
use rustls::pki_types::pem;

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
    #[error(
        "no {wanted} in the file, but a {found}: tls.certificate and tls.key may be the wrong way \
         round"
    )]
    Swapped { wanted: &'static str, found: &'static str },
    /// Whose last line is missing: what PEM calls a label.
    #[error("cut off: there is no line \"-----END {0}-----\"")]
    Cut(String),
    #[error("{0}")]
    Pem(&'static str),
    #[error("not a certificate: {0}")]
    Certificate(x509_cert::der::Error),
    #[error("the key is encrypted; `openssl pkey` writes it without its passphrase")]
    Encrypted,
    #[error(
        "not a key that is taken, which are RSA of 2048 to 4096 bits, ECDSA on P-256 and P-384, and \
         Ed25519"
    )]
    KeyKind,
    #[error("not the key of the certificate")]
    Stranger,
    #[error("{0}")]
    Unusable(Error),
    #[error("the certificate has expired")]
    Expired,
    /// When.
    #[error("the certificate expires within a week, at {0}")]
    NearEnd(String),
    #[error("the certificate is not valid yet")]
    Early,
}

impl From<pem::Error> for TlsFault {
    fn from(error: pem::Error) -> Self {
        match error {
            // Without line breaks all of a key would be taken for the label.
            pem::Error::MissingSectionEnd { end_marker } if is_label(&end_marker) => {
                Self::Cut(String::from_utf8_lossy(&end_marker).into_owned())
            }
            pem::Error::MissingSectionEnd { .. } | pem::Error::IllegalSectionStart { .. } => {
                Self::Pem("a line that begins with \"-----BEGIN\" does not end as it must")
            }
            pem::Error::Base64Decode(_) => Self::Pem("what stands between its marks is no base64"),
            _ => Self::Pem("not in PEM"),
        }
    }
}

/// Whether it may be what follows BEGIN and END, as in `PRIVATE KEY`.
fn is_label(text: &[u8]) -> bool {
    text.len() <= 32 && text.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b' ')
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

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Key => "private key",
        }
    }

    /// The file has nothing of what it is for.
    pub(super) fn empty(self) -> (Self, TlsFault) {
        (self, TlsFault::Empty(self.name()))
    }

    pub(super) fn error(self, files: &TlsFiles, fault: TlsFault) -> TlsError {
        let option = match self {
            Self::Certificate => "tls.certificate",
            Self::Key => "tls.key",
        };
        TlsError { option, path: self.path(files).clone(), fault }
    }
}
