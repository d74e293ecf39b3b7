//! Durations and sizes as operators write them.

use std::time::Duration;

const NANOS: [(&str, u64); 8] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ns", 1),
];

/// Reads a duration as Go's `time.ParseDuration` does (`25s`, `1h30m`, `1.5s`), because
/// Centrifugo's files are written that way. `None` for anything else, negative ones included.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total: u128 = 0;
    loop {
        let (number, tail) = rest.split_at(rest.find(|c| !is_numeric(c))?);
        let (unit, next) = tail.split_at(tail.find(is_numeric).unwrap_or(tail.len()));
        let (_, nanos) = NANOS.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(scale(number, *nanos)?)?;
        if next.is_empty() {
            return u64::try_from(total).ok().map(Duration::from_nanos);
        }
        rest = next;
    }
}

fn is_numeric(c: char) -> bool {
    c.is_ascii_digit() || c == '.'
}

/// A decimal number times `unit`, the part below one rounded down.
fn scale(number: &str, unit: u64) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut value = u128::from(whole) * u128::from(unit);
    let mut weight = u128::from(unit);
    for digit in fraction.chars() {
        weight /= 10;
        value += weight * u128::from(digit.to_digit(10)?);
    }
    Some(value)
}

/// Writes a duration in the largest unit that leaves no remainder.
pub(crate) fn show_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    NANOS
        .iter()
        .find(|(_, unit)| nanos.is_multiple_of(u128::from(*unit)))
        .map_or_else(String::new, |(name, unit)| format!("{}{name}", nanos / u128::from(*unit)))
}

const BYTES: [(&str, u64); 8] = [
    ("tib", 1 << 40),
    ("gib", 1 << 30),
    ("mib", 1 << 20),
    ("kib", 1 << 10),
    ("gb", 1_000_000_000),
    ("mb", 1_000_000),
    ("kb", 1_000),
    ("b", 1),
];

/// Reads a size such as `65536`, `64KiB` or `1 MB`; bytes, in whole numbers.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: u64 = number.parse().ok()?;
    let unit = unit.trim().to_ascii_lowercase();
    if unit.is_empty() {
        return Some(number);
    }
    let (_, bytes) = BYTES.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*bytes)
}

/// Writes a size in the largest binary unit that leaves no remainder.
pub(crate) fn show_size(bytes: u64) -> String {
    for (name, unit) in [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes > 0 && bytes.is_multiple_of(unit) {
            return format!("{}{name}", bytes / unit);
        }
    }
    format!("{bytes}B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let read = |text| parse_duration(text).map(|duration| duration.as_nanos());
        assert_eq!(read("25s"), Some(25_000_000_000));
        assert_eq!(read("1h30m"), Some(5_400_000_000_000));
        assert_eq!(read("1.5s"), Some(1_500_000_000));
        assert_eq!(read(".5ms"), Some(500_000));
        assert_eq!(read("1.s"), Some(1_000_000_000));
        assert_eq!(read("3µs"), read("3us"));
        assert_eq!(read("0"), Some(0));
        for wrong in ["", "25", "s", ".s", "-1s", "1d", "1..2s", "1s ", "1 s", "99999999999h"] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn sizes_are_read_in_binary_and_decimal_units() {
        assert_eq!(parse_size("65536"), Some(65_536));
        assert_eq!(parse_size("64KiB"), Some(65_536));
        assert_eq!(parse_size("64 kb"), Some(64_000));
        assert_eq!(parse_size("1GiB"), Some(1 << 30));
        for wrong in
            ["", "KiB", "1.5MiB", "-1", "1 PiB", "99999999999999999999", "18446744073709551615kb"]
        {
            assert_eq!(parse_size(wrong), None, "{wrong:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_shown_reads_back(nanos: u64, bytes: u64) {
            let duration = Duration::from_nanos(nanos);
            assert_eq!(parse_duration(&show_duration(duration)), Some(duration));
            assert_eq!(parse_size(&show_size(bytes)), Some(bytes));
        }

        #[test]
        fn what_is_read_is_shown_and_reads_back(text in "[0-9]{0,4}[a-zA-Z.]{0,3}|\\PC*") {
            let duration = parse_duration(&text);
            assert_eq!(duration.and_then(|one| parse_duration(&show_duration(one))), duration);
            let size = parse_size(&text);
            assert_eq!(size.and_then(|one| parse_size(&show_size(one))), size);
        }
    }
}
