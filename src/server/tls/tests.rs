use std::path::Path;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::files::Changes;
use super::*;

/// A certificate and its key, in PEM.
struct Made {
    certificate: String,
    key: String,
}

fn make(years: std::ops::Range<i32>) -> Made {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_before = date_time_ymd(years.start, 1, 1);
    params.not_after = date_time_ymd(years.end, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    Made { certificate, key: key.serialize_pem() }
}

fn good() -> Made {
    make(2020..2120)
}

fn files(folder: &Path) -> TlsFiles {
    TlsFiles { certificate: folder.join("cert.pem"), key: folder.join("key.pem") }
}

fn write(files: &TlsFiles, made: &Made) {
    std::fs::write(&files.certificate, &made.certificate).unwrap();
    std::fs::write(&files.key, &made.key).unwrap();
}

fn open(files: &TlsFiles) -> Result<Arc<Certificates>, TlsError> {
    Certificates::open(files.clone(), Clock::new(), Arc::new(Metrics::new("1", "n")))
}

fn leaf(certificates: &Certificates) -> Vec<u8> {
    certificates.shown.borrow().pair.certified().cert[0].to_vec()
}

fn metrics(certificates: &Certificates) -> String {
    certificates.metrics.render(crate::telemetry::Gauges::default())
}

#[test]
fn a_pair_is_swapped_whole_though_its_files_are_written_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let (old, new) = (good(), good());
    write(&files, &old);
    let certificates = open(&files).unwrap();
    let before = leaf(&certificates);
    let mut changes = Changes::default();
    changes.look(&certificates);
    // The certificate comes in two pieces, and the key later.
    for written in [&new.certificate[..200], &new.certificate] {
        std::fs::write(&files.certificate, written).unwrap();
        changes.look(&certificates);
        assert_eq!(leaf(&certificates), before);
    }
    std::fs::write(&files.key, &new.key).unwrap();
    changes.look(&certificates);
    assert_eq!(leaf(&certificates), before, "who wrote it may not be done");
    changes.look(&certificates);
    assert_ne!(leaf(&certificates), before);
    let text = metrics(&certificates);
    assert!(text.contains("nearcast_tls_certificate_reloads{outcome=\"ok\"} 1"), "{text}");
    assert!(!text.contains("outcome=\"failed\""), "{text}");
}

#[test]
fn what_cannot_be_used_leaves_the_old_pair_and_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    write(&files, &good());
    let certificates = open(&files).unwrap();
    let before = leaf(&certificates);
    let mut changes = Changes::default();
    std::fs::remove_file(&files.key).unwrap();
    for _ in 0..5 {
        changes.look(&certificates);
    }
    write(&files, &make(2000..2001));
    for _ in 0..5 {
        changes.look(&certificates);
    }
    assert_eq!(leaf(&certificates), before);
    let text = metrics(&certificates);
    assert!(text.contains("nearcast_tls_certificate_reloads{outcome=\"failed\"} 2"), "{text}");
    assert!(!text.contains("outcome=\"ok\""), "{text}");
}

#[test]
fn a_fault_names_option_and_file() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let (one, other) = (good(), good());
    let told = || open(&files).unwrap_err().to_string();
    let begins =
        |option: &str, name: &str| format!("{option} {}/{name}: ", folder.path().display());
    let (certificate, key) = (begins("tls.certificate", "cert.pem"), begins("tls.key", "key.pem"));
    assert_eq!(told(), format!("{certificate}No such file or directory (os error 2)"));
    write(&files, &Made { certificate: String::new(), key: one.key.clone() });
    assert_eq!(told(), format!("{certificate}no certificate in the file"));
    write(&files, &Made { certificate: one.certificate.clone(), key: "nonsense".to_owned() });
    assert_eq!(told(), format!("{key}no private key in the file"));
    write(&files, &Made { certificate: one.certificate, key: other.key });
    assert_eq!(told(), format!("{key}not the key of the certificate"));
    let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned();
    write(&files, &Made { certificate: nonsense, key: one.key });
    assert!(told().starts_with(&format!("{certificate}not a certificate: ")), "{}", told());
    std::fs::write(&files.key, vec![b'a'; crate::base::limits::TLS_FILE_BYTES + 1]).unwrap();
    assert_eq!(told(), format!("{key}larger than 1048576 bytes"));
}

#[test]
fn tickets_end_with_the_certificate_they_came_with() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    write(&files, &good());
    let certificates = open(&files).unwrap();
    let ticket = certificates.encrypt(b"session").unwrap();
    certificates.reload().unwrap();
    assert_eq!(certificates.decrypt(&ticket).as_deref(), Some(b"session".as_slice()));
    write(&files, &good());
    certificates.reload().unwrap();
    assert_eq!(certificates.decrypt(&ticket), None);
    assert!(certificates.lifetime() <= 12 * 3600);
}

#[test]
fn what_is_left_is_told_to_the_operator() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    write(&files, &make(2000..2001));
    let certificates = open(&files).unwrap();
    assert!(metrics(&certificates).contains("cert.pem\"} -"));
    write(&files, &good());
    certificates.reload().unwrap();
    let text = metrics(&certificates);
    let line = text.lines().find(|line| line.starts_with("nearcast_tls_certificate_expiry"));
    let left: u64 = line.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(left > Duration::from_secs(365 * 24 * 3600).as_secs());
}

#[test]
fn a_certificate_for_development_is_one_that_browsers_take_by_its_hash() {
    use x509_cert::der::Decode;
    let now = UnixMillis(1_700_000_000_000);
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let made = development(&names, now).unwrap();
    assert!(!made.pair.is_early(UnixMillis(now.0 - 3_600_000)));
    assert!(made.pair.is_early(UnixMillis(now.0 - 3_601_000)));
    let certified = made.pair.certified();
    let parsed = x509_cert::Certificate::from_der(&certified.cert[0]).unwrap();
    let parsed = parsed.tbs_certificate();
    let seconds = |time: x509_cert::time::Time| time.to_unix_duration();
    let validity = seconds(parsed.validity().not_after) - seconds(parsed.validity().not_before);
    assert_eq!(validity, Duration::from_secs(13 * 24 * 3600));
    let key = parsed.subject_public_key_info();
    assert_eq!(key.algorithm.oid.to_string(), "1.2.840.10045.2.1", "an elliptic curve");
    let curve: x509_cert::der::oid::ObjectIdentifier =
        key.algorithm.parameters.as_ref().unwrap().decode_as().unwrap();
    assert_eq!(curve.to_string(), "1.2.840.10045.3.1.7", "P-256");
    // What is written is the pair.
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    write(&files, &Made { certificate: made.certificate, key: made.key });
    assert_eq!(leaf(&open(&files).unwrap()), certified.cert[0].to_vec());
    development(&["ümlaut".to_owned()], now).unwrap_err();
}
