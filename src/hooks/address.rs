//! [`Address`]: where a webhook goes.

use hyper::Uri;

/// An `http` or `https` address of a host by name or number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(super) is_secure: bool,
    /// Without the brackets that an IPv6 address has in a URL.
    pub(crate) host: String,
    pub(super) port: u16,
    /// Host and port as they stand in the address, for the header `Host`.
    pub(super) authority: String,
    /// With the query.
    pub(super) path: String,
}

/// Why text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    #[error("must be an http or https address")]
    NoAddress,
    #[error("must have printable ASCII characters only; others are written as %XX")]
    Characters,
    #[error("must not have a user or password; the signature tells who sends it")]
    Credentials,
    #[error("its port must be a number 1..65535")]
    Port,
}

impl Address {
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(AddressError::Characters);
        }
        let uri: Uri = text.parse().map_err(|_no_uri| AddressError::NoAddress)?;
        let is_secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(AddressError::NoAddress),
        };
        let authority = uri.authority().ok_or(AddressError::NoAddress)?.as_str();
        if authority.contains('@') {
            return Err(AddressError::Credentials);
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(AddressError::NoAddress)?;
        let port = match authority.strip_prefix(host) {
            Some("") => Some(if is_secure { 443 } else { 80 }),
            _ => uri.port_u16().filter(|port| *port > 0),
        };
        Ok(Self {
            is_secure,
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: port.ok_or(AddressError::Port)?,
            authority: authority.to_owned(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let address = Address::parse("HTTPS://[::1]:8443/hook?a=1").unwrap();
        assert!(address.is_secure);
        assert_eq!((&*address.host, address.port), ("::1", 8443));
        assert_eq!((&*address.authority, &*address.path), ("[::1]:8443", "/hook?a=1"));
        let address = Address::parse("http://example.com").unwrap();
        assert_eq!((&*address.host, address.port, &*address.path), ("example.com", 80, "/"));
    }

    #[test]
    fn what_is_no_address_says_why() {
        for (text, why) in [
            ("", AddressError::NoAddress),
            ("/hook", AddressError::NoAddress),
            ("example.com", AddressError::NoAddress),
            ("ftp://example.com/", AddressError::NoAddress),
            ("http://", AddressError::NoAddress),
            ("http:///x", AddressError::NoAddress),
            ("http://:80/", AddressError::NoAddress),
            ("https://[::1", AddressError::NoAddress),
            ("http:// x", AddressError::Characters),
            ("http://example.com/\r\nX: y", AddressError::Characters),
            ("http://example.com/\u{7f}", AddressError::Characters),
            ("http://user:secret@example.com/", AddressError::Credentials),
            ("http://example.com:0/", AddressError::Port),
            ("http://example.com:/", AddressError::Port),
            ("http://example.com:99999/", AddressError::Port),
        ] {
            assert_eq!(Address::parse(text), Err(why), "{text:?}");
        }
    }
}
