//! The claims of connection and subscription tokens, with Centrifugo's names and meanings.
//! Everything that is wrong with a claim is found here, once.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::TokenError;
use super::capability::{Capability, CapabilityClaim};
use crate::access::GeoBounds;
use crate::base::{UnixMillis, limits};
use crate::channel::Overrides;
use crate::geo::GeoError;
use crate::geo::json::{self, Fields, lasting_area};

/// What a verified connection token says.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectClaims {
    /// Empty for an anonymous user; at most 255 bytes.
    pub(crate) user: String,
    /// When the connection must have been refreshed, a whole second; `None` for never. From
    /// `expire_at` if the token has it, else from `exp`. It may be past where `expire_at` is.
    pub(crate) expire_at: Option<UnixMillis>,
    /// Shown in presence, joins and publications: compact JSON from `info`, or any bytes from
    /// `b64info`.
    pub(crate) info: Option<Bytes>,
    /// Server-side subscriptions by channel, from `subs`, or from `channels` where `subs` is empty.
    /// Names are not checked.
    pub(crate) subs: BTreeMap<String, SubscribeOptions>,
    pub(crate) capabilities: Vec<Capability>,
    /// Bounds of every area and position of the session.
    pub(crate) geo: Option<Arc<GeoBounds>>,
}

/// What a verified subscription token says.
#[derive(Clone, Debug, Default)]
pub(crate) struct SubscribeClaims {
    /// Empty for an anonymous user; at most 255 bytes.
    pub(crate) user: String,
    /// The only client that may use the token; tokens of old backends have it.
    pub(crate) client: Option<String>,
    /// Not empty.
    pub(crate) channel: String,
    /// When the subscription must have been refreshed; as in [`ConnectClaims::expire_at`].
    pub(crate) expire_at: Option<UnixMillis>,
    pub(crate) options: SubscribeOptions,
}

/// What a token sets for one subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SubscribeOptions {
    /// As [`ConnectClaims::info`], for this channel.
    pub(crate) info: Option<Bytes>,
    /// Goes to the client with the subscribe reply or push: compact JSON, or bytes from `b64data`.
    pub(crate) data: Option<Bytes>,
    pub(crate) overrides: Overrides,
}

impl ConnectClaims {
    pub(super) fn read(payload: &Payload, user_claim: &str) -> Result<Self, TokenError> {
        if payload.text("channel")?.is_some_and(|channel| !channel.is_empty()) {
            return Err(invalid("channel", "only a subscription token has it"));
        }
        Ok(Self {
            user: payload.user(user_claim)?,
            expire_at: payload.expire_at()?,
            info: payload.data("info", "b64info")?,
            subs: payload.subs()?,
            capabilities: payload.capabilities()?,
            geo: payload.geo()?,
        })
    }
}

impl SubscribeClaims {
    pub(super) fn read(payload: &Payload, user_claim: &str) -> Result<Self, TokenError> {
        let channel = payload
            .text("channel")?
            .filter(|channel| !channel.is_empty())
            .ok_or_else(|| invalid("channel", "a subscription token must have it"))?;
        Ok(Self {
            user: payload.user(user_claim)?,
            client: payload.text("client")?.filter(|client| !client.is_empty()),
            channel,
            expire_at: payload.expire_at()?,
            options: SubscribeOptions {
                info: payload.data("info", "b64info")?,
                data: payload.data("data", "b64data")?,
                overrides: payload
                    .read::<OverridesClaim>("override", "must be an object of {\"value\": bool}")?
                    .unwrap_or_default()
                    .into(),
            },
        })
    }
}

// === Payload ===

/// The members of a verified payload as they are written, so that each is read by itself and a
/// fault can name it. `null` is the same as absent.
#[derive(Deserialize)]
pub(super) struct Payload(HashMap<String, Box<RawValue>>);

impl Payload {
    /// Valid from `nbf` on and until, but not at, `exp`. No leeway, as in Centrifugo.
    pub(super) fn check_time(&self, now: UnixMillis) -> Result<(), TokenError> {
        let expires = self.date("exp")?;
        if self.date("nbf")?.is_some_and(|not_before| now < not_before) {
            return Err(TokenError::NotYetValid);
        }
        if expires.is_some_and(|expires| now >= expires) {
            return Err(TokenError::Expired);
        }
        Ok(())
    }

    pub(super) fn issuer(&self) -> Result<Option<String>, TokenError> {
        self.text("iss")
    }

    /// `aud` is a list or one text (RFC 7519 section 4.1.3).
    pub(super) fn audience(&self) -> Result<Vec<String>, TokenError> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Audience {
            One(String),
            Many(Vec<String>),
        }
        Ok(match self.read("aud", "must be a text or a list of texts")? {
            None => Vec::new(),
            Some(Audience::One(audience)) => vec![audience],
            Some(Audience::Many(audiences)) => audiences,
        })
    }

    fn read<T: DeserializeOwned>(
        &self,
        name: &'static str,
        why: &'static str,
    ) -> Result<Option<T>, TokenError> {
        self.0
            .get(name)
            .map_or(Ok(None), |value| serde_json::from_str(value.get()))
            .map_err(|_mismatch| invalid(name, why))
    }

    /// `{"within": area, "radius_m_max": metres}`. The area must be one that stays as it is; zones
    /// that come with the program do.
    fn geo(&self) -> Result<Option<Arc<GeoBounds>>, TokenError> {
        let Some(claim) = self.0.get("geo").filter(|claim| claim.get() != "null") else {
            return Ok(None);
        };
        let claim = json::parse(claim.get().as_bytes())
            .map_err(|_fault| invalid("geo", "must be an object"))?;
        let read = || {
            let fields = Fields::of(&claim, &["within", "radius_m_max"])?;
            let area = fields.find("within").map(lasting_area).transpose();
            Ok(GeoBounds {
                within: area.map_err(|fault| fault.within("within"))?,
                radius_max: fields.metres("radius_m_max", 0.001)?,
            })
        };
        let bounds = read().map_err(|fault: GeoError| {
            let why = "must be {\"within\": area, \"radius_m_max\": metres}";
            let name = fault.within("geo").to_string();
            TokenError::InvalidClaim { name: Cow::Owned(name), why }
        })?;
        Ok(Some(Arc::new(bounds)))
    }

    fn text(&self, name: &'static str) -> Result<Option<String>, TokenError> {
        self.read(name, "must be a text")
    }

    /// A text, or a whole number as some issuers write their users' ids.
    fn user(&self, name: &str) -> Result<String, TokenError> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum User {
            Text(String),
            Signed(i64),
            Unsigned(u64),
        }
        let fault = |why| TokenError::InvalidClaim { name: Cow::Owned(name.to_owned()), why };
        let user = self
            .0
            .get(name)
            .map_or(Ok(None), |value| serde_json::from_str::<Option<User>>(value.get()))
            .map_err(|_mismatch| fault("must be a text"))?;
        let user = match user {
            None => String::new(),
            Some(User::Text(text)) => text,
            // RFC 7519 section 4.1.2 makes `sub` a text; claims of one's own have no such rule.
            Some(_) if name == "sub" => return Err(fault("must be a text")),
            Some(User::Signed(number)) => number.to_string(),
            Some(User::Unsigned(number)) => number.to_string(),
        };
        if user.len() > limits::USER_BYTES {
            return Err(fault("must have at most 255 bytes"));
        }
        Ok(user)
    }

    /// A NumericDate (RFC 7519 section 2): seconds since the Unix epoch, fractions allowed. What is
    /// before the epoch is the epoch.
    fn date(&self, name: &'static str) -> Result<Option<UnixMillis>, TokenError> {
        const WHY: &str = "must be a number of seconds since 1970";
        let Some(number) = self.read::<serde_json::Number>(name, WHY)? else {
            return Ok(None);
        };
        let millis = if let Some(seconds) = number.as_u64() {
            seconds.saturating_mul(1000)
        } else {
            let seconds = number.as_f64().unwrap_or(f64::INFINITY).max(0.0);
            Duration::try_from_secs_f64(seconds)
                .ok()
                .and_then(|since_epoch| u64::try_from(since_epoch.as_millis()).ok())
                .ok_or_else(|| invalid(name, WHY))?
        };
        Ok(Some(UnixMillis(millis)))
    }

    /// `expire_at` wins over `exp`, and zero or less stands for never: backends use it to let a
    /// token be used for a minute and its connection live on.
    fn expire_at(&self) -> Result<Option<UnixMillis>, TokenError> {
        let whole_second = |at: UnixMillis| UnixMillis(at.0 - at.0 % 1000);
        match self.read::<i64>("expire_at", "must be a whole number of seconds since 1970")? {
            None => Ok(self.date("exp")?.map(whole_second)),
            Some(seconds) => Ok(u64::try_from(seconds)
                .ok()
                .filter(|&seconds| seconds > 0)
                .map(|seconds| UnixMillis(seconds.saturating_mul(1000)))),
        }
    }

    fn subs(&self) -> Result<BTreeMap<String, SubscribeOptions>, TokenError> {
        let subs = self
            .read::<BTreeMap<String, SubscribeClaim>>("subs", "must be an object by channel")?
            .unwrap_or_default();
        if subs.is_empty() {
            let channels = self
                .read::<Vec<String>>("channels", "must be a list of channels")?
                .unwrap_or_default();
            return Ok(channels
                .into_iter()
                .map(|channel| (channel, SubscribeOptions::default()))
                .collect());
        }
        subs.into_iter()
            .map(|(channel, claim)| Ok((channel, claim.into_options()?)))
            .collect::<Result<_, _>>()
            .map_err(|why| invalid("subs", why))
    }

    fn capabilities(&self) -> Result<Vec<Capability>, TokenError> {
        const WHY: &str = "must be a list of {channels, match, allow}";
        let claims = self.read::<Vec<CapabilityClaim>>("caps", WHY)?.unwrap_or_default();
        let regexes = claims.iter().map(CapabilityClaim::regexes).sum::<usize>();
        if regexes > limits::CAPABILITY_REGEXES {
            return Err(invalid("caps", "has more than 16 regular expressions"));
        }
        claims
            .into_iter()
            .map(Capability::from_claim)
            .collect::<Result<_, _>>()
            .map_err(|why| invalid("caps", why))
    }

    fn json(&self, name: &'static str) -> Result<Option<Bytes>, TokenError> {
        let value = self.0.get(name).filter(|value| value.get() != "null");
        value.map(|value| compact_json(value.get())).transpose().map_err(|why| invalid(name, why))
    }

    /// JSON, or bytes where the member with base64 is there and not empty.
    fn data(&self, json: &'static str, base64: &'static str) -> Result<Option<Bytes>, TokenError> {
        match self.text(base64)?.filter(|text| !text.is_empty()) {
            Some(text) => decode_base64(&text).map(Some).map_err(|why| invalid(base64, why)),
            None => self.json(json),
        }
    }
}

fn invalid(name: &'static str, why: &'static str) -> TokenError {
    TokenError::InvalidClaim { name: Cow::Borrowed(name), why }
}

fn decode_base64(text: &str) -> Result<Bytes, &'static str> {
    STANDARD.decode(text).map(Bytes::from).map_err(|_broken| "must be base64 with padding")
}

/// Drops the space between the tokens of valid JSON, since a line break would end a frame of the
/// JSON protocol, and refuses more levels than SDKs can read.
fn compact_json(json: &str) -> Result<Bytes, &'static str> {
    let mut compact = Vec::with_capacity(json.len());
    let (mut in_text, mut escaped, mut depth) = (false, false, 0_usize);
    for byte in json.bytes() {
        if in_text {
            in_text = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => continue,
                b'"' => in_text = true,
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            if depth > limits::JSON_DEPTH {
                return Err("has too many levels");
            }
        }
        compact.push(byte);
    }
    Ok(Bytes::from(compact))
}

// === Nested claims ===

/// A member of `subs`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct SubscribeClaim {
    info: Option<Box<RawValue>>,
    b64info: Option<String>,
    data: Option<Box<RawValue>>,
    b64data: Option<String>,
    r#override: Option<OverridesClaim>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OverridesClaim {
    presence: Option<BoolClaim>,
    join_leave: Option<BoolClaim>,
    force_push_join_leave: Option<BoolClaim>,
    force_recovery: Option<BoolClaim>,
    force_positioning: Option<BoolClaim>,
}

#[derive(Deserialize)]
struct BoolClaim {
    #[serde(default)]
    value: bool,
}

impl SubscribeClaim {
    fn into_options(self) -> Result<SubscribeOptions, &'static str> {
        let data = |json: Option<Box<RawValue>>, base64: Option<String>| match base64
            .filter(|text| !text.is_empty())
        {
            Some(text) => decode_base64(&text).map(Some),
            None => json.map(|json| compact_json(json.get())).transpose(),
        };
        Ok(SubscribeOptions {
            info: data(self.info, self.b64info)?,
            data: data(self.data, self.b64data)?,
            overrides: self.r#override.unwrap_or_default().into(),
        })
    }
}

impl From<OverridesClaim> for Overrides {
    fn from(claim: OverridesClaim) -> Self {
        let value = |claim: Option<BoolClaim>| claim.map(|claim| claim.value);
        Self {
            presence: value(claim.presence),
            join_leave: value(claim.join_leave),
            force_push_join_leave: value(claim.force_push_join_leave),
            force_recovery: value(claim.force_recovery),
            force_positioning: value(claim.force_positioning),
        }
    }
}
