//! The shape of an option: its key, what values it takes, where its value goes. Parsing, ranges,
//! defaults, documentation, environment names and suggestions all come from rows of this shape, so
//! that none of them can disagree with another.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use regex::{Regex, RegexBuilder};
use serde_json::Value;

use crate::base::limits;
use crate::config::{show, value};

/// Where in `T` an option's value lies.
pub(crate) type Field<T, V> = fn(&mut T) -> &mut V;

/// One option of a `T`.
#[derive(Debug)]
pub(crate) struct Row<T: 'static> {
    /// Dotted path, without the namespace's own path for options of namespaces.
    pub(crate) key: &'static str,
    pub(crate) kind: Kind<T>,
    /// As it would stand in an environment variable.
    pub(crate) default: &'static str,
    pub(crate) doc: &'static str,
    /// Other keys that mean the same, in the same form.
    pub(crate) aliases: &'static [&'static str],
    /// The value is never shown.
    pub(crate) secret: bool,
}

impl<T> Row<T> {
    pub(crate) const fn new(
        key: &'static str,
        kind: Kind<T>,
        default: &'static str,
        doc: &'static str,
    ) -> Self {
        Self { key, kind, default, doc, aliases: &[], secret: false }
    }

    pub(crate) const fn secret(
        key: &'static str,
        kind: Kind<T>,
        default: &'static str,
        doc: &'static str,
    ) -> Self {
        Self { key, kind, default, doc, aliases: &[], secret: true }
    }

    pub(crate) const fn aliased(
        key: &'static str,
        aliases: &'static [&'static str],
        kind: Kind<T>,
        default: &'static str,
        doc: &'static str,
    ) -> Self {
        Self { key, kind, default, doc, aliases, secret: false }
    }

    /// The default as it would stand in a file.
    pub(crate) fn default_value(&self) -> Value {
        self.kind.read_text(self.default)
    }
}

/// The row with this key or alias.
pub(crate) fn find<T>(rows: &'static [Row<T>], key: &str) -> Option<&'static Row<T>> {
    rows.iter().find(|row| row.key == key || row.aliases.contains(&key))
}

/// What values an option takes, and where they go.
#[derive(Debug)]
pub(crate) enum Kind<T: 'static> {
    Bool(Field<T, bool>),
    /// A switch whose key says the opposite of the field.
    Inverse(Field<T, bool>),
    Count(RangeInclusive<usize>, Field<T, usize>),
    /// A count or this word, which is `None`. 0 means `off` too, as in Centrifugo.
    CountOr(&'static str, RangeInclusive<usize>, Field<T, Option<usize>>),
    Number(RangeInclusive<f64>, fn(&mut T, f64)),
    /// A number or this word, which is `None`.
    NumberOr(&'static str, RangeInclusive<f64>, fn(&mut T, Option<f64>)),
    /// Bytes.
    Size(RangeInclusive<usize>, Field<T, usize>),
    Duration(RangeInclusive<Duration>, Field<T, Duration>),
    /// A duration; zero is `None`.
    DurationOption(RangeInclusive<Duration>, Field<T, Option<Duration>>),
    /// Text of so many bytes.
    Text(RangeInclusive<usize>, Field<T, String>),
    /// Text; the empty one is `None`.
    TextOption(Field<T, Option<String>>),
    /// One of these words; the setter gets its index.
    Choice(&'static [&'static str], fn(&mut T, usize)),
    /// Any of these words; the setter gets their indices.
    Choices(&'static [&'static str], fn(&mut T, &[usize])),
    List(Field<T, Vec<String>>),
    /// An IP address with port; `off` is `None`.
    Address(Field<T, Option<SocketAddr>>),
    /// IP addresses and networks.
    Networks(Field<T, Vec<IpNet>>),
    /// A TCP port.
    Port(Field<T, Option<u16>>),
    /// A listener that this version does not have: `off` alone is accepted.
    Off(&'static str),
    /// A file; the empty text is `None`.
    Path(Field<T, Option<PathBuf>>),
    /// The path of a URL.
    UrlPath(Field<T, String>),
    /// A regular expression; the empty text is `None`.
    Pattern(fn(&mut T, Option<Regex>)),
}

/// A value that an option does not take, with what may help besides the range.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) Option<String>);

const PLAIN: Refused = Refused(None);

fn hint(text: impl Into<String>) -> Refused {
    Refused(Some(text.into()))
}

impl<T> Kind<T> {
    /// Reads a value as it stands in a file and puts it in its place.
    pub(crate) fn set(&self, target: &mut T, value: &Value) -> Result<(), Refused> {
        match self {
            Self::Bool(field) => *field(target) = value.as_bool().ok_or(PLAIN)?,
            Self::Inverse(field) => *field(target) = !value.as_bool().ok_or(PLAIN)?,
            Self::Count(range, field) => *field(target) = within(range, count(value)?)?,
            Self::CountOr(word, range, field) => {
                let none = value == word || (*word == "off" && value.as_u64() == Some(0));
                *field(target) = if none { None } else { Some(within(range, count(value)?)?) };
            }
            Self::Number(range, put) => put(target, within(range, number(value)?)?),
            Self::NumberOr(word, range, put) => {
                let none = value == word;
                let given = || within(range, number(value)?).map(Some);
                put(target, if none { None } else { given()? });
            }
            Self::Size(range, field) => *field(target) = within(range, size(value)?)?,
            Self::Duration(range, field) => *field(target) = within(range, duration(value)?)?,
            Self::DurationOption(range, field) => {
                let duration = duration(value)?;
                *field(target) =
                    if duration.is_zero() { None } else { Some(within(range, duration)?) };
            }
            Self::Text(range, field) => {
                let text = text(value)?;
                within(range, text.len())?;
                text.clone_into(field(target));
            }
            Self::TextOption(field) => *field(target) = text_option(value)?.map(str::to_owned),
            Self::Path(field) => *field(target) = text_option(value)?.map(PathBuf::from),
            Self::Choice(words, put) => put(target, choice(words, value)?),
            Self::Choices(words, put) => {
                let chosen: Result<Vec<usize>, Refused> =
                    list(value)?.iter().map(|item| choice(words, item)).collect();
                put(target, &chosen?);
            }
            Self::List(field) => {
                let item = |item| text_option(item)?.map(str::to_owned).ok_or(PLAIN);
                let items: Result<Vec<String>, Refused> = list(value)?.iter().map(item).collect();
                *field(target) = items?;
            }
            Self::Address(field) => *field(target) = address(value)?,
            Self::Networks(field) => {
                let networks: Result<Vec<IpNet>, Refused> =
                    list(value)?.iter().enumerate().map(network).collect();
                *field(target) = networks?;
            }
            Self::Port(field) => *field(target) = Some(port(value)?),
            Self::Off(what) => {
                if value != "off" {
                    return Err(hint(format!("this version does not serve {what}")));
                }
            }
            Self::UrlPath(field) => url_path(value)?.clone_into(field(target)),
            Self::Pattern(put) => put(target, pattern(value)?),
        }
        Ok(())
    }

    /// What an environment variable's text would be in a file. Text that is not of this kind stays
    /// text, for [`Kind::set`] to refuse.
    pub(crate) fn read_text(&self, text: &str) -> Value {
        let parsed = match self {
            Self::Bool(_) | Self::Inverse(_) => text.parse().ok().map(Value::Bool),
            Self::Number(..) | Self::NumberOr(..) => {
                text.parse().ok().and_then(serde_json::Number::from_f64).map(Value::Number)
            }
            Self::Count(..) | Self::CountOr(..) | Self::Size(..) | Self::Port(_) => {
                text.parse().ok().map(|number: u64| Value::Number(number.into()))
            }
            Self::List(_) | Self::Choices(..) | Self::Networks(_) => {
                serde_json::from_str(text).ok()
            }
            _ => None,
        };
        parsed.unwrap_or_else(|| Value::String(text.to_owned()))
    }

    /// The type in a word or two.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Bool(_) | Self::Inverse(_) => "bool",
            Self::Count(..) | Self::CountOr(..) | Self::Port(_) => "integer",
            Self::Number(..) | Self::NumberOr(..) => "number",
            Self::Size(..) => "size",
            Self::Duration(..) | Self::DurationOption(..) => "duration",
            Self::Text(..) | Self::TextOption(_) => "text",
            Self::Choice(..) => "choice",
            Self::Choices(..) | Self::List(_) | Self::Networks(_) => "list",
            Self::Address(_) | Self::Off(_) => "address",
            Self::Path(_) => "file",
            Self::UrlPath(_) => "url path",
            Self::Pattern(_) => "regex",
        }
    }

    /// The values it takes, to follow "must be".
    pub(crate) fn accepted(&self) -> String {
        match self {
            Self::Bool(_) | Self::Inverse(_) => "true or false".to_owned(),
            Self::Count(range, _) => format!("an integer {}", span(range, usize::to_string)),
            Self::CountOr(word, range, _) => {
                format!("an integer {}, or {word:?}", span(range, usize::to_string))
            }
            Self::Number(range, _) => format!("a number {}", span(range, f64::to_string)),
            Self::NumberOr(word, range, _) => {
                format!("a number {}, or {word:?}", span(range, f64::to_string))
            }
            Self::Size(range, _) => {
                let show =
                    |bytes: &usize| value::show_size(u64::try_from(*bytes).unwrap_or(u64::MAX));
                format!("a size {}, in bytes or with unit", span(range, show))
            }
            Self::Duration(range, _) => format!("a duration {}", durations(range)),
            Self::DurationOption(range, _) => {
                format!("a duration {}, or \"0s\" for none", durations(range))
            }
            Self::Text(range, _) => format!("text {} bytes long", span(range, usize::to_string)),
            Self::TextOption(_) => format!("text of at most {} bytes", limits::CONFIG_TEXT_BYTES),
            Self::Choice(words, _) => one_of(words),
            Self::Choices(words, _) => format!("a list of {}", one_of(words)),
            Self::List(_) => "a list of texts, none of them empty".to_owned(),
            Self::Address(_) => {
                "an IP address with port, such as \"127.0.0.1:8000\", or \"off\"".to_owned()
            }
            Self::Networks(_) => {
                "a list of IP addresses and networks, such as \"10.0.0.0/8\"".to_owned()
            }
            Self::Port(_) => "a port from 0 to 65535".to_owned(),
            Self::Off(_) => "\"off\"".to_owned(),
            Self::Path(_) => "the name of a file".to_owned(),
            Self::UrlPath(_) => "a path such as \"/connection/websocket\"".to_owned(),
            Self::Pattern(_) => "a regular expression".to_owned(),
        }
    }
}

fn span<V>(range: &RangeInclusive<V>, show: impl Fn(&V) -> String) -> String {
    format!("from {} to {}", show(range.start()), show(range.end()))
}

fn durations(range: &RangeInclusive<Duration>) -> String {
    span(range, |duration| value::show_duration(*duration))
}

fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    match quoted.as_slice() {
        [only] => only.clone(),
        _ => format!("one of {}", quoted.join(", ")),
    }
}

fn within<V: PartialOrd>(range: &RangeInclusive<V>, value: V) -> Result<V, Refused> {
    if range.contains(&value) { Ok(value) } else { Err(PLAIN) }
}

fn count(value: &Value) -> Result<usize, Refused> {
    if value.is_string() {
        return Err(hint("without quotes"));
    }
    let number = value.as_u64().ok_or(PLAIN)?;
    usize::try_from(number).ok().ok_or(PLAIN)
}

fn number(value: &Value) -> Result<f64, Refused> {
    if value.is_string() {
        return Err(hint("without quotes"));
    }
    value.as_f64().ok_or(PLAIN)
}

fn size(value: &Value) -> Result<usize, Refused> {
    let number = match value {
        Value::String(text) => value::parse_size(text),
        other => other.as_u64(),
    };
    number.and_then(|bytes| usize::try_from(bytes).ok()).ok_or(PLAIN)
}

fn duration(value: &Value) -> Result<Duration, Refused> {
    const EXAMPLE: &str = "with its unit, such as \"25s\" or \"1h30m\"";
    match value {
        Value::String(text) => value::parse_duration(text).ok_or_else(|| hint(EXAMPLE)),
        Value::Number(number) if number.as_u64() == Some(0) => Ok(Duration::ZERO),
        _ => Err(hint(EXAMPLE)),
    }
}

fn text(value: &Value) -> Result<&str, Refused> {
    match value {
        Value::String(text) if text.len() <= limits::CONFIG_TEXT_BYTES => Ok(text),
        Value::Number(_) | Value::Bool(_) => Err(hint("put it in quotes")),
        _ => Err(PLAIN),
    }
}

fn text_option(value: &Value) -> Result<Option<&str>, Refused> {
    text(value).map(|text| Some(text).filter(|text| !text.is_empty()))
}

fn choice(words: &[&str], value: &Value) -> Result<usize, Refused> {
    words.iter().position(|word| value == word).ok_or(PLAIN)
}

fn list(value: &Value) -> Result<&[Value], Refused> {
    match value {
        Value::Array(items) if items.len() <= limits::CONFIG_LIST => Ok(items),
        Value::Array(_) => Err(hint(format!("of at most {} entries", limits::CONFIG_LIST))),
        Value::String(_) => Err(hint("in square brackets, such as [\"one\", \"two\"]")),
        _ => Err(PLAIN),
    }
}

fn address(value: &Value) -> Result<Option<SocketAddr>, Refused> {
    let text = text(value)?;
    if text == "off" {
        return Ok(None);
    }
    match text.parse() {
        Ok(address) => Ok(Some(address)),
        Err(_) if text.starts_with(':') => {
            Err(hint(format!("\"0.0.0.0{text}\" is every interface")))
        }
        Err(_) if text.contains("localhost") => Err(hint("an address rather than a name")),
        Err(_) => Err(PLAIN),
    }
}

/// One of a list, by its index.
fn network((index, value): (usize, &Value)) -> Result<IpNet, Refused> {
    let text = value.as_str().unwrap_or_default();
    let alone = || text.parse().map(|address: IpAddr| IpNet::from(address)).ok();
    let wrong = || hint(format!("entry {} is none: {}", index + 1, show(value)));
    let network = text.parse::<IpNet>().ok().or_else(alone).ok_or_else(wrong)?;
    let first = network.trunc();
    if first != network {
        return Err(hint(format!("{network} has bits behind its prefix: {first}?")));
    }
    Ok(network)
}

/// Centrifugo has one port as a number and the other as text.
fn port(value: &Value) -> Result<u16, Refused> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|number| u16::try_from(number).ok()),
    }
    .ok_or(PLAIN)
}

fn url_path(value: &Value) -> Result<&str, Refused> {
    let text = text(value)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    if text.len() > 1 && text.starts_with('/') && text.bytes().all(plain) {
        Ok(text)
    } else {
        Err(PLAIN)
    }
}

fn pattern(value: &Value) -> Result<Option<Regex>, Refused> {
    let Some(text) = text_option(value)? else { return Ok(None) };
    match RegexBuilder::new(text).size_limit(limits::CONFIG_REGEX_BYTES).build() {
        Ok(regex) => Ok(Some(regex)),
        Err(error) => Err(hint(regex_fault(&error))),
    }
}

/// The last line of a regex error says what is wrong; the lines before draw the pattern.
fn regex_fault(error: &impl Display) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim().trim_start_matches("error: ").to_owned()
}
