//! What `/proc` looks like.

use super::*;

#[test]
fn reads_cpu_behind_any_name() {
    let stat = "7 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 120 34 0 0 20 0 3";
    assert_eq!(cpu(stat), Some(Duration::from_millis(1540)));
    assert_eq!(cpu("7 (a"), None);
    assert_eq!(cpu("7 (a) S 1"), None);
}

#[test]
fn reads_memory() {
    assert_eq!(rss_bytes("Name:\ta\nVmRSS:\t    1204 kB\nX: 1"), Some(1_232_896));
    assert_eq!(rss_bytes("Name:\ta"), None);
}

#[test]
fn knows_this_process() {
    let before = usage(std::process::id()).unwrap();
    assert!(before.rss_bytes > 1 << 20);
    usage(u32::MAX).unwrap_err();
}
