//! Static pages of the client listener: a table from path to what is answered, empty unless a
//! command brings one. Nothing is read from disk.

use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use hyper::header::{HeaderName, X_CONTENT_TYPE_OPTIONS};
use hyper::{Method, StatusCode};

use super::front::{Answer, text};

/// What is served under which path. Paths of transports and of the server API come before it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pages(BTreeMap<&'static str, Page>);

#[derive(Clone, Copy, Debug)]
struct Page {
    content_type: &'static str,
    body: &'static str,
}

/// A page takes scripts, styles and data from its own server and from nowhere else.
const OWN_ONLY: HeaderValue = HeaderValue::from_static("default-src 'self'");

impl Pages {
    /// Adds a text that is answered to GET and HEAD of `path`, which begins with a slash.
    pub(crate) fn with(
        mut self,
        path: &'static str,
        content_type: &'static str,
        body: &'static str,
    ) -> Self {
        self.0.insert(path, Page { content_type, body });
        self
    }

    /// `None` where there is no such page.
    pub(super) fn answer(&self, method: &Method, path: &str) -> Option<Answer> {
        let page = self.0.get(path)?;
        if method != Method::GET && method != Method::HEAD {
            let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET");
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return Some(refused);
        }
        let mut answer = text(StatusCode::OK, Bytes::from_static(page.body.as_bytes()));
        let headers: [(HeaderName, HeaderValue); 4] = [
            (CONTENT_TYPE, HeaderValue::from_static(page.content_type)),
            (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (CONTENT_SECURITY_POLICY, OWN_ONLY),
        ];
        for (name, value) in headers {
            answer.headers_mut().insert(name, value);
        }
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn pages() -> Pages {
        Pages::default().with("/", "text/html", "<p>a</p>").with("/b.js", "text/javascript", "b")
    }

    #[tokio::test]
    async fn a_page_is_answered_with_its_type_and_loads_nothing_from_elsewhere() {
        let answer = pages().answer(&Method::GET, "/b.js").unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[CONTENT_TYPE], "text/javascript");
        assert_eq!(answer.headers()[CONTENT_SECURITY_POLICY], "default-src 'self'");
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "b");
    }

    #[test]
    fn what_is_not_in_the_table_is_left_to_others() {
        for path in ["/c", "", "//", "/b.js/", "/../b.js"] {
            assert!(pages().answer(&Method::GET, path).is_none(), "{path}");
        }
        assert!(Pages::default().answer(&Method::GET, "/").is_none());
    }

    #[test]
    fn pages_are_only_read() {
        assert_eq!(pages().answer(&Method::HEAD, "/").unwrap().status(), StatusCode::OK);
        let refused = pages().answer(&Method::POST, "/").unwrap();
        assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(refused.headers()[ALLOW], "GET, HEAD");
    }
}
