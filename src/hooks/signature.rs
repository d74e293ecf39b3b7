//! How a webhook proves where it comes from: HMAC-SHA256 over the time of the attempt, a point and
//! the body, so that neither can be changed nor an old one sent again.

use ring::hmac::{HMAC_SHA256, Key, sign};

/// The value of the header `X-Nearcast-Signature`: `t=1700000000,v1=<64 hexadecimal digits>`.
pub(super) fn signature(secret: &str, seconds: u64, body: &[u8]) -> String {
    let mut signed = format!("{seconds}.").into_bytes();
    signed.extend(body);
    let tag = sign(&Key::new(HMAC_SHA256, secret.as_bytes()), &signed);
    let hexadecimal: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hexadecimal}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_others_compute() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret
        let expected = "49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686";
        let found = signature("secret", 1_700_000_000, br#"{"a":1}"#);
        assert_eq!(found, format!("t=1700000000,v1={expected}"));
        assert_ne!(found, signature("secret", 1_700_000_001, br#"{"a":1}"#));
    }
}
