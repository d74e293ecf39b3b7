use std::os::unix::fs::PermissionsExt;

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: CertCommand,
}

fn dev(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let out = folder.to_str().unwrap();
    let line = Line::try_parse_from([&["cert", "dev", "--out", out], arguments].concat()).unwrap();
    let CertCommand::Dev(arguments) = line.command;
    let made = development(&arguments.names, UnixMillis(1_700_000_000_000)).unwrap();
    write(&arguments, &made)
}

#[test]
fn a_key_is_for_its_owner_alone_and_never_written_over_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.pem");
    dev(folder.path(), &[]).unwrap();
    let first = std::fs::read(&key).unwrap();
    let mode = || std::fs::metadata(&key).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    let fault = dev(folder.path(), &[]).unwrap_err();
    assert!(fault.ends_with("cert.pem: is there already; --force writes over it"), "{fault}");
    assert_eq!(std::fs::read(&key).unwrap(), first);
    // Open to everybody, and a link to elsewhere: neither stays.
    let elsewhere = folder.path().join("elsewhere");
    std::fs::rename(&key, &elsewhere).unwrap();
    std::fs::set_permissions(&elsewhere, std::fs::Permissions::from_mode(0o666)).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &key).unwrap();
    dev(folder.path(), &["--force"]).unwrap();
    assert_eq!(mode(), 0o600);
    assert_ne!(std::fs::read(&key).unwrap(), first);
    assert_eq!(std::fs::read(&elsewhere).unwrap(), first);
}

#[test]
fn both_forms_tell_the_hash_of_the_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let text = dev(folder.path(), &["--json", "--name", "a.test", "--name", "10.0.0.1"]).unwrap();
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    let pem = std::fs::read_to_string(folder.path().join("cert.pem")).unwrap();
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(body).unwrap();
    let hash = ring::digest::digest(&ring::digest::SHA256, &der);
    assert_eq!(answer["sha256_base64"], STANDARD.encode(hash.as_ref()));
    let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(answer["sha256_hex"], hex);
    assert_eq!(answer["names"], serde_json::json!(["a.test", "10.0.0.1"]));
    assert_eq!(answer["not_after"], 1_700_000_000 - 3600 + 13 * 24 * 3600);
    let text = dev(folder.path(), &["--force"]).unwrap();
    assert!(text.contains("names          localhost, 127.0.0.1, ::1\n"), "{text}");
}

#[test]
fn a_folder_is_made_and_a_fault_names_what_is_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("made").join("of").join("several");
    dev(&out, &[]).unwrap();
    assert!(out.join("cert.pem").is_file() && out.join("key.pem").is_file());
    let file = out.join("cert.pem");
    let fault = dev(&file, &[]).unwrap_err();
    assert_eq!(fault, format!("--out {}: not a folder", file.display()));
    let fault = dev(&file.join("below"), &[]).unwrap_err();
    assert_eq!(fault, format!("--out {}/below: Not a directory (os error 20)", file.display()));
    remove_file(&file).unwrap();
    remove_file(out.join("key.pem")).unwrap();
    std::fs::create_dir(&file).unwrap();
    let fault = dev(&out, &["--force"]).unwrap_err();
    assert!(fault.starts_with(&format!("{}: ", file.display())), "{fault}");
}

#[test]
fn a_name_is_a_host_or_an_ip_address() {
    for good in
        ["localhost", "a.example.com", "*.example.com", "my_host", "10.0.0.1", "::1", "xn--a"]
    {
        assert_eq!(name(good).as_deref(), Ok(good));
    }
    let long = "a".repeat(64);
    for (wrong, why) in [
        ("", "an IP address, or letters"),
        ("a b", "an IP address, or letters"),
        ("a..b", "an IP address, or letters"),
        ("a.", "an IP address, or letters"),
        (&long, "an IP address, or letters"),
        ("https://a.example", "without scheme"),
        ("a.example:8000", "without port"),
        ("[::1]", "without brackets"),
        ("*", "first label"),
        ("a.*.example", "first label"),
        ("a*.example", "first label"),
        ("b\u{fc}cher.example", "Punycode"),
    ] {
        let told = name(wrong).unwrap_err();
        assert!(told.contains(why), "{wrong}: {told}");
    }
    Line::try_parse_from(["cert", "dev", "--name", "a b"]).map(drop).unwrap_err();
}
