//! Which web pages may connect.

/// The web origins whose pages may connect. `*` in a pattern stands for any run of characters, as
/// in `https://*.example.com`; letter case does not matter. Without patterns a page may connect
/// only to the host that it came from. Requests without an Origin do not come from pages and pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins {
    patterns: Box<[String]>,
}

impl Origins {
    pub(crate) fn new(patterns: impl IntoIterator<Item = String>) -> Origins {
        let patterns = patterns.into_iter().map(|pattern| pattern.to_ascii_lowercase());
        Origins { patterns: patterns.collect() }
    }

    /// Whether a page of this origin may connect to this host, as the request names it.
    pub(super) fn allow(&self, origin: &str, host: Option<&str>) -> bool {
        if origin.is_empty() {
            return true;
        }
        let origin = origin.to_ascii_lowercase();
        if !self.patterns.is_empty() {
            return self.patterns.iter().any(|pattern| matches_wildcard(pattern, &origin));
        }
        let origin_host = origin.split_once("://").map(|(_, host)| host);
        matches!((host, origin_host), (Some(host), Some(from)) if host.eq_ignore_ascii_case(from))
    }
}

/// Linear in pattern times text: on a mismatch only the latest `*` grows.
fn matches_wildcard(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(suffix) = parts.next_back() else { return rest.is_empty() };
    let Some(mut rest) = rest.strip_suffix(suffix) else { return false };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    true
}
