use std::path::Path;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::expiry::Alarm;
use super::files::Changes;
use super::*;
use crate::base::Now;

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

/// A key on a curve that TLS here does not sign with.
const P521: &str = "\
-----BEGIN PRIVATE KEY-----
MIHuAgEAMBAGByqGSM49AgEGBSuBBAAjBIHWMIHTAgEBBEIBIrHMCr8eO0KUUgyS
466P3pk6Nyw/0kZokf6aOvDgFKR2mpqIy/jcT0387x8nbu8WzfSttzSwqLSpelD3
kOiBSIShgYkDgYYABAFIr1NNLUjGCY4GcJni2QvdXk/M3CCymxdr6KMv/Gvzc1u7
j2vzE2qYP3ico5Sa9F14ITnbA4GXrcvpum92bFKaPgA9FvCf08MjvyHKsXIbChbN
J2zv42BODBqf7qwNi0yT8qXTCk8uw2e3EMzdFI/NNYRazQ2RknDVA3MhJoIMu+qR
DA==
-----END PRIVATE KEY-----
";

#[test]
fn a_fault_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let made = good();
    let told = |certificate: &str, key: &str| {
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        write(&files, &Made { certificate, key });
        open(&files).unwrap_err().fault.to_string()
    };
    let pem = |label: &str, body: &str| {
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    };
    let kinds = "RSA of 2048 to 4096 bits, ECDSA on P-256 and P-384, and Ed25519";
    assert!(told(&made.certificate, P521).ends_with(kinds));
    let legacy = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA";
    for key in [pem("ENCRYPTED PRIVATE KEY", "AAAA"), pem("RSA PRIVATE KEY", legacy)] {
        let why = told(&made.certificate, &key);
        assert_eq!(why, "the key is encrypted; `openssl pkey` writes it without its passphrase");
    }
    let swap = "tls.certificate and tls.key may be the wrong way round";
    let why = told(&made.key, &made.certificate);
    assert_eq!(why, format!("no certificate in the file, but a private key: {swap}"));
    let why = told(&made.certificate, &made.certificate);
    assert_eq!(why, format!("no private key in the file, but a certificate: {swap}"));
    let cut = |text: &str| text[..text.len() - 40].to_owned();
    let why = told(&cut(&made.certificate), &made.key);
    assert_eq!(why, "cut off: there is no line \"-----END CERTIFICATE-----\"");
    let why = told(&made.certificate, &cut(&made.key));
    assert_eq!(why, "cut off: there is no line \"-----END PRIVATE KEY-----\"");
    let why = told(&made.certificate, &made.key.replace('\n', ""));
    assert_eq!(why, "a line that begins with \"-----BEGIN\" does not end as it must");
    let why = told(&pem("CERTIFICATE", "no base64!"), &made.key);
    assert_eq!(why, "what stands between its marks is no base64");
}

/// A pair that ends so many seconds after `NOW`.
fn ending(seconds: u64) -> Expiry {
    let day = 24 * 3600;
    let made_at = UnixMillis((NOW + seconds - 13 * day + 3600) * 1000);
    let pair = development(&["localhost".to_owned()], made_at).unwrap().pair;
    assert_eq!(pair.ends(), UnixMillis((NOW + seconds) * 1000));
    Expiry::new("cert.pem".to_owned(), &pair, Arc::new(Metrics::new("1", "n")))
}

/// Seconds since the Unix epoch.
const NOW: u64 = 1_700_000_000;

#[test]
fn the_last_week_is_warned_of_daily_and_the_end_is_an_alarm() {
    let day = 24 * 3600;
    let expiry = ending(8 * day);
    let at = |seconds: u64| {
        let moment = crate::base::Moment(seconds * 1_000_000_000);
        expiry.alarm(Now { moment, unix: UnixMillis((NOW + seconds) * 1000) })
    };
    assert_eq!([at(0), at(day)], [None, None]);
    assert_eq!(at(day + 1), Some(Alarm::Near));
    assert_eq!([at(day + 3), at(2 * day)], [None, None]);
    assert_eq!(at(2 * day + 1), Some(Alarm::Near));
    assert_eq!(at(8 * day), Some(Alarm::Near));
    assert_eq!(at(8 * day + 1), Some(Alarm::Over));
    assert_eq!(at(8 * day + 2), None);
    assert_eq!(at(9 * day + 1), Some(Alarm::Over));
}

#[test]
fn config_check_tells_of_the_last_week() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let now = UnixMillis(NOW * 1000);
    let made = development(&["localhost".to_owned()], now).unwrap();
    write(&files, &Made { certificate: made.certificate, key: made.key });
    let later = |days: u64| {
        let told = examine(&files, UnixMillis(now.0 + days * 24 * 3_600_000));
        told.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert!(later(5).is_empty());
    let told = later(6);
    let near = "cert.pem: the certificate expires within a week, at 2023-11-27T21:13:20Z";
    assert!(told.len() == 1 && told[0].ends_with(near), "{told:?}");
    assert!(later(13)[0].ends_with("the certificate has expired"));
}

#[test]
fn browsers_take_by_hash_what_is_short_and_on_p256() {
    let by_hash = |days: u64, kind| {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = params.not_before + Duration::from_secs(days * 24 * 3600);
        let key = KeyPair::generate_for(kind).unwrap();
        let made = params.self_signed(&key).unwrap();
        let secret = rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into());
        Pair::new(vec![made.der().clone()], secret).unwrap().is_taken_by_hash()
    };
    assert!(by_hash(14, &rcgen::PKCS_ECDSA_P256_SHA256));
    assert!(!by_hash(15, &rcgen::PKCS_ECDSA_P256_SHA256));
    assert!(!by_hash(14, &rcgen::PKCS_ECDSA_P384_SHA384));
    assert!(!by_hash(14, &rcgen::PKCS_ED25519));
}

#[test]
fn a_certificate_for_development_is_watched_as_others_are() {
    let metrics = Arc::new(Metrics::new("1", "n"));
    let certificates = Certificates::for_development(Clock::new(), metrics).unwrap();
    Changes::default().look(&certificates);
    certificates.reload().unwrap();
    let text = self::metrics(&certificates);
    assert!(text.contains("expiry_seconds{certificate=\"development\"} 11"), "{text}");
    assert!(certificates.hash().1);
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
